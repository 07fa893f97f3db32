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
HYPERPARAMETERS_INFO = """num_topics (int or "auto") – topics; another count costs a re-cut only.

sae (str, optional) – "default", the autoencoder that ships with this package for all-MiniLM-L6-v2;
"auto", that for small corpora and else one trained on the dataset; None, always such.

n_atoms, k (int, optional) – atoms of the sparse autoencoder, and active atoms per document;
chosen from the corpus size when not given.

activation (str) – architecture of the autoencoder: topk, batch_topk, l1, jumprelu.

merge (str) – how atoms become topics: auto, nmf, kmeans, ward, hdbscan.

sharpening (float, optional) – exponent on cosines with atoms before they are normalised.

word_vectors (str) – "auto", "corpus" or "encoder": where vectors of words come from.

solver (str), emission_n_iter (int, optional) – how P(word | atom) is fitted, and in how many
passes. The words of nmf's topics do not depend on it, those of the other merges do.

encoder (str, optional) – a sentence-transformers name; all-MiniLM-L6-v2 when not given.

embeddings_path (str, optional) – a .npy file with the embeddings of the dataset's documents, in
its order.

cache_folder (str, optional) – where embeddings are kept; ~/.cache/saetm-plugins when not given.

random_state (int, optional) – when it is None, repeated runs with equal hyperparameters take the
seeds 0, 1, 2 and so on.

device (str) – torch device; "auto" is CUDA where there is one.
"""
SAE_SETTINGS = ("sae", "n_atoms", "k", "activation", "device")
WORD_SETTINGS = ("word_vectors", "encoder")
FIT_SETTINGS = (*SAE_SETTINGS, *WORD_SETTINGS, "sharpening", "solver", "emission_n_iter")
_MODEL_SETTINGS = (*FIT_SETTINGS, "merge", "random_state")
_OWN_SETTINGS = ("num_topics", "embeddings_path", "cache_folder")


def check_hyperparameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return `given` as plain Python values, checked as :class:`SAETopicModel`'s parameters are.

    Raises
    ------
    TypeError, ValueError
        When a name is unknown, or a value is not legal.
    """
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
