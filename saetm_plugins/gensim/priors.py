"""The two Dirichlet priors as ``LdaModel`` takes them: alpha over topics, eta over words."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from saetm_plugins.emission.inputs import LARGEST
from saetm_plugins.validation import check_finite

NEGLIGIBLE = 1e-12  # the eta of an id without a word: a Dirichlet needs more than 0


def make_alpha(alpha: Any, prevalence: np.ndarray) -> np.ndarray:
    """Return the prior over the topics of a document, (T,) float32.

    "auto" (and None) is the topics' `prevalence`, which sums to 1 as "symmetric", 1 / T each, does;
    "asymmetric" is proportional to 1 / (t + √T). A wrong shape is an AssertionError, as in gensim.
    """
    n_topics = len(prevalence)
    if alpha is None or (isinstance(alpha, str) and alpha == "auto"):
        return np.maximum(prevalence / prevalence.sum(), NEGLIGIBLE).astype(np.float32)
    if isinstance(alpha, str) and alpha == "asymmetric":
        prior = 1.0 / (np.arange(n_topics) + np.sqrt(n_topics))
        return (prior / prior.sum()).astype(np.float32)
    return _read_prior(alpha, "alpha", n_topics, ((n_topics,),))


def make_eta(eta: Any, n_topics: int, named: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return the prior over the words of a topic, (num_terms,) or (T, num_terms) float32.

    "symmetric" (and None) is 1 / T for every word; "auto" has the same sum and the proportions of
    the `background` (num_terms,). Ids that are not `named` (num_terms,) get :data:`NEGLIGIBLE`.
    """
    if isinstance(eta, str) and eta == "auto":
        prior = background * (named.sum() / n_topics / background.sum())
        return np.maximum(prior, NEGLIGIBLE).astype(np.float32)
    shapes = ((len(named),), (n_topics, len(named)))
    prior = _read_prior("symmetric" if eta is None else eta, "eta", n_topics, shapes)
    return np.where(named, prior, np.float32(NEGLIGIBLE))


def _read_prior(prior: Any, name: str, n_topics: int, shapes: Any) -> np.ndarray:
    if isinstance(prior, str):
        if prior != "symmetric":
            raise ValueError(f"{name} cannot be {prior!r}; see the documentation of {name}")
        prior = 1.0 / n_topics
    if isinstance(prior, numbers.Real) and not isinstance(prior, bool):
        prior = np.full(shapes[0], prior)
    elif not isinstance(prior, (list, tuple, np.ndarray)):
        raise ValueError(f"{name} must be a number, an array or a string; found {prior!r}")
    try:
        with np.errstate(over="ignore"):  # what becomes infinite is refused next
            array = np.asarray(prior, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold real numbers: {error}") from None
    if array.shape not in shapes:
        raise AssertionError(
            f"{name} has shape {array.shape}; expected {' or '.join(map(str, shapes))}"
        )
    check_finite(np.atleast_2d(array), name)
    if (array <= 0).any():
        raise ValueError(f"{name} must be positive; found {array.min()}")
    total = array.sum(axis=-1, dtype=np.float64).max()
    if total > LARGEST:  # the most that inference computes with
        raise ValueError(f"{name} must sum to at most {LARGEST:g}; found {total:g}")
    return array
