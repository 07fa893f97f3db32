"""Hyperparameters of :class:`saetm_plugins.octis.SAETM`: what they are, and what is legal.

Leaf of the adapter: imports nothing of OCTIS.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from saetm_plugins.merging import MERGES
from saetm_plugins.parameters import check_sae
from saetm_plugins.validation import check_choice, check_count

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
CHOICES = {
    "activation": ("topk", "batch_topk", "l1", "jumprelu"),
    "merge": ("auto", *MERGES),
    "word_vectors": ("auto", "corpus", "encoder"),
    "solver": ("em", "adam"),
}
SAE_SETTINGS = ("sae", "n_atoms", "k", "activation", "device")
FIT_SETTINGS = (*SAE_SETTINGS, "sharpening", "word_vectors", "solver", "emission_n_iter", "encoder")


def check_hyperparameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return `given` as plain Python values.

    Raises
    ------
    ValueError
        When a name is unknown, or a value out of range.
    TypeError
        When a value is of the wrong type.
    """
    # skopt's search spaces hand out NumPy scalars.
    checked = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in given.items()
    }
    known = {"num_topics", "sharpening", "embeddings_path", "cache_folder", "random_state"}
    known |= set(FIT_SETTINGS) | {"merge"}
    for name, value in checked.items():
        if name not in known:
            raise ValueError(f"unknown hyperparameter {name!r}; known: {', '.join(sorted(known))}")
        if name in CHOICES:
            check_choice(value, name, CHOICES[name])
        elif name == "sae":
            check_sae(value)
        elif name == "num_topics":
            if not (isinstance(value, str) and value == "auto"):
                check_count(value, name)
        elif name in ("n_atoms", "k", "emission_n_iter"):
            if value is not None:
                check_count(value, name)
        elif name == "random_state":
            if value is not None:
                check_count(value, name, minimum=0)
        elif name == "sharpening":
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, numbers.Real):
                raise TypeError(f"sharpening must be a number; found {value!r}")
            if not 0 < float(value) < np.inf:
                raise ValueError(f"sharpening must be positive; found {value!r}")
        elif not (isinstance(value, str) or (value is None and name != "device")):
            raise TypeError(f"{name} must be a string; found {value!r}")
    return checked
