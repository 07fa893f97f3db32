"""Figures of what :mod:`saetm_plugins.analysis` reads off a model (plotly), and a page of it."""

from saetm_plugins.plotting.explorer import explore
from saetm_plugins.plotting.positions import map_documents

__all__ = ["explore", "map_documents"]
