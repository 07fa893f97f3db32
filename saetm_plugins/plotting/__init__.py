"""Figures (plotly) of the tables of :mod:`saetm_plugins.analysis`, and pages to explore a model.

A wrong argument raises a TypeError or ValueError that names it.
"""

from saetm_plugins.plotting.comparison import plot_comparison
from saetm_plugins.plotting.correlations import plot_correlations
from saetm_plugins.plotting.coverage import plot_coverage
from saetm_plugins.plotting.explorer import explore
from saetm_plugins.plotting.image_sheet import image_sheet
from saetm_plugins.plotting.positions import map_documents
from saetm_plugins.plotting.topic_counts import plot_topic_counts
from saetm_plugins.plotting.trends import plot_trends

__all__ = [
    "explore",
    "image_sheet",
    "map_documents",
    "plot_comparison",
    "plot_correlations",
    "plot_coverage",
    "plot_topic_counts",
    "plot_trends",
]
