"""The parts of the library that commands use, each imported when a command first needs it.

They import PyTorch, SciPy, scikit-learn and pandas, which takes seconds. ``saetm --help``,
``saetm --version`` and a mistyped command answer without them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as numpy
    import pandas as pandas

    from saetm_plugins import analysis as analysis
    from saetm_plugins import edits as edits
    from saetm_plugins import model_tables as model_tables
    from saetm_plugins import plotting as plotting
    from saetm_plugins.analysis import times as times
    from saetm_plugins.atoms.training import train as train
    from saetm_plugins.corpus import chunker as chunker
    from saetm_plugins.corpus import embed as embed
    from saetm_plugins.corpus import images as images
    from saetm_plugins.evaluation import chat as chat
    from saetm_plugins.files import folders as folders
    from saetm_plugins.files import shards as shards
    from saetm_plugins.files import tables as tables
else:
    _MODULES = (
        "numpy",
        "pandas",
        "saetm_plugins.analysis",
        "saetm_plugins.analysis.times",
        "saetm_plugins.atoms.training.train",
        "saetm_plugins.corpus.chunker",
        "saetm_plugins.corpus.embed",
        "saetm_plugins.corpus.images",
        "saetm_plugins.edits",
        "saetm_plugins.evaluation.chat",
        "saetm_plugins.files.folders",
        "saetm_plugins.files.shards",
        "saetm_plugins.files.tables",
        "saetm_plugins.model_tables",
        "saetm_plugins.plotting",
    )
    _BY_NAME = {module.rpartition(".")[2]: module for module in _MODULES}

    def __getattr__(name: str) -> Any:
        if name not in _BY_NAME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module(_BY_NAME[name])
