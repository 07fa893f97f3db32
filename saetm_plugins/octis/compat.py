"""Lets OCTIS 1.14.0 (2024, pinned to NumPy 1 and scikit-learn 1.1) run on today's stack.

Applied when :mod:`saetm_plugins.octis` is imported, by nothing else. It changes, inside OCTIS and
the scikit-optimize it searches with:

1. ``octis.models.early_stopping.pytorchtools``: ``np.Inf``, gone from NumPy 2, is found again; the
   neural models (ProdLDA, NeuralLDA, CTM, ETM) stop on it.
2. ``octis.models.NMF_scikit``: the arguments ``alpha`` and ``regularization`` that scikit-learn 1.2
   removed are handed on as the ``alpha_W`` and ``alpha_H`` that replaced them (which scikit-learn
   scales by the size of the matrix; the default of 0 means the same).
3. ``octis.optimization.optimizer_tool.importClass``, and the dashboard's when it is loaded: classes
   of this package are found by name, so that ``resume_optimization`` restarts a search over them.
   For OCTIS' own classes nothing changes. Our metrics are added to
   ``octis.configuration.defaults.metric_parameters``, where it looks names up.
4. ``skopt.optimizer.optimizer.is_regressor`` (scikit-optimize 0.10.2): False for None, on which
   scikit-learn 1.7 raises; OCTIS' random search (``surrogate_model="RS"``) has no estimator.
"""

from __future__ import annotations

import importlib
import sys
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np

Metric = TypeVar("Metric")
INSTALL = 'pip install "saetm-plugins[octis]"\npip install --no-deps octis==1.14.0'
OUR_CLASSES: dict[str, type] = {}
"""Models and metrics of this package that OCTIS may ask for by name."""


def import_octis(name: str) -> Any:
    """Import a module of OCTIS; an ImportError names the commands that install it."""
    try:
        return importlib.import_module(name)
    except Exception as error:  # a half-installed OCTIS fails in many ways, not only ImportError
        raise ImportError(
            f"{name} cannot be imported ({type(error).__name__}: {error}). OCTIS pins old versions "
            f"of NumPy and scikit-learn that it does not need; install it like this:\n{INSTALL}"
        ) from error


def apply() -> None:
    """Make the changes; doing so twice changes nothing more."""
    _restore_infinity()
    _translate_nmf_arguments()
    _allow_search_without_estimator()
    import_octis("octis.optimization.optimizer")
    for module_name in ("octis.optimization.optimizer_tool", "octis.dashboard.experimentManager"):
        if module_name in sys.modules:
            _find_our_classes(sys.modules[module_name])


def enable_dashboard() -> Any:
    """Return ``octis.dashboard.experimentManager``; experiments may name our model and metrics."""
    manager = import_octis("octis.dashboard.experimentManager")
    _find_our_classes(manager)
    return manager


def register_metric(metric: type[Metric]) -> type[Metric]:
    """Enter a metric, a class, under its name in OCTIS; return it."""
    OUR_CLASSES[metric.__name__] = metric
    known = import_octis("octis.configuration.defaults").metric_parameters
    known[metric.__name__] = {"name": metric.__name__, "module": metric.__module__}
    return metric


def _restore_infinity() -> None:
    module = import_octis("octis.models.early_stopping.pytorchtools")
    if not hasattr(module.np, "Inf"):
        module.np = SimpleNamespace(Inf=np.inf)  # all that the module uses of NumPy


def _translate_nmf_arguments() -> None:
    module = import_octis("octis.models.NMF_scikit")
    if module.NMF.__module__.startswith("sklearn."):
        module.NMF = _make_nmf_of_old(module.NMF)


def _make_nmf_of_old(sklearn_nmf: type) -> Any:
    """Return a maker of scikit-learn's NMF that takes the arguments of scikit-learn 1.1."""

    def make(*, alpha: float = 0, regularization: str | None = "both", **settings: Any) -> Any:
        weights = {
            "alpha_W": alpha if regularization in ("both", "transformation") else 0,
            "alpha_H": alpha if regularization in ("both", "components") else 0,
        }
        return sklearn_nmf(**weights, **settings)

    return make


def _allow_search_without_estimator() -> None:
    module = import_octis("skopt.optimizer.optimizer")
    if not getattr(module.is_regressor, "takes_none", False):
        sklearn_is_regressor = module.is_regressor

        def is_regressor(estimator: Any) -> bool:
            return estimator is not None and sklearn_is_regressor(estimator)

        is_regressor.takes_none = True  # type: ignore[attr-defined]
        module.is_regressor = is_regressor


def _find_our_classes(module: Any) -> None:
    """Let `module.importClass` find the classes of this package by name."""
    octis_import = module.importClass
    if getattr(octis_import, "finds_ours", False):
        return

    def import_class(class_name: str, module_name: str, module_path: str) -> type:
        if class_name in OUR_CLASSES:
            return OUR_CLASSES[class_name]
        return octis_import(class_name, module_name, module_path)

    import_class.finds_ours = True  # type: ignore[attr-defined]
    module.importClass = import_class
