"""Hyperparameters of :class:`saetm_plugins.octis.SAETM`: what they are, and what is legal.

Imports nothing of OCTIS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from saetm_plugins.atoms.training.config import TrainingConfig
from saetm_plugins.model import SAETopicModel
from saetm_plugins.validation import check_count

CITATION = """@inproceedings{girrbach2026sparse,
  title     = {Sparse Autoencoders are Topic Models},
  author    = {Girrbach, Leander and Akata, Zeynep},
  booktitle = {International Conference on Machine Learning},
  year      = {2026},
  note      = {arXiv:2511.16309}
}"""
SAE_SETTINGS = ("sae", "n_atoms", "k", "activation", "device")
WORD_SETTINGS = ("word_vectors", "encoder")
FIT_SETTINGS = (*SAE_SETTINGS, *WORD_SETTINGS, "sharpening", "solver", "emission_n_iter")
_MODEL_SETTINGS = (*FIT_SETTINGS, "merge", "random_state")
_OWN_SETTINGS = ("num_topics", "embeddings_path", "cache_folder")


def check_hyperparameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return `given` as plain Python values, checked as :class:`SAETopicModel`'s parameters are."""
    # skopt's search spaces hand out NumPy scalars.
    checked = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in given.items()
    }
    known = (*_MODEL_SETTINGS, *_OWN_SETTINGS)
    for name in checked:
        if name not in known:
            raise ValueError(f"unknown hyperparameter {name!r}; known: {', '.join(sorted(known))}")
    if checked["num_topics"] != "auto":
        check_count(checked["num_topics"], "num_topics")
    SAETopicModel(**{name: checked[name] for name in _MODEL_SETTINGS}).check_parameters()
    TrainingConfig(checked["n_atoms"], k=checked["k"], activation=checked["activation"])
    return checked
