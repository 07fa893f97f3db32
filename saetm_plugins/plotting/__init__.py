"""Figures of what :mod:`saetm_plugins.analysis` reads off a model (plotly)."""

__all__: list[str] = []
