"""How many passes of EM are made, whatever runs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from saetm_plugins.emission.inputs import Corpus
from saetm_plugins.numerics.arrays import column_sums

Engine = Any
"""A :class:`em.NumbaEM` or a :class:`torch_em.TorchEM`; their methods are the same."""

MAX_PASSES = 50


def choose_passes(
    start: Callable[[np.ndarray], Engine],
    corpus: Corpus,
    tol: float,
    random_state: int,
) -> int:
    """Return the number of passes after which held-out words are predicted best.

    EM overfits the rare words of small corpora long before it converges. A fifth of the nonzero
    counts of a sample of the words is held out, and the rest of the sample is fitted until the
    held-out part gains less than `tol` per weighted token. A sample of words is enough: EM treats
    each word almost independently of the others.
    """
    rng = np.random.default_rng(random_state)
    seen, unseen = hold_out(sample_words(corpus.bow, rng), rng)
    totals = column_sums(seen)
    if not totals.sum() > 0 or unseen.nnz == 0:
        return 1
    engine = start(totals)
    train = engine.load(Corpus(corpus.doc_atoms, seen))
    test = engine.load(Corpus(corpus.doc_atoms, unseen))
    best = -np.inf
    for n_passes in range(MAX_PASSES):
        engine.sweep(train)
        log_likelihood, total = engine.score(test)
        if total == 0 or log_likelihood / total < best + tol:
            return max(n_passes, 1)
        best = log_likelihood / total
    return MAX_PASSES


def sample_words(bow: sp.csc_matrix, rng: np.random.Generator) -> sp.csc_matrix:
    """Return the columns of some words that together hold about 200,000 counts, or a quarter."""
    share = max(200_000 / max(bow.nnz, 1), 0.25)
    if share >= 1:
        return bow
    words = rng.permutation(bow.shape[1])
    cumulative = np.cumsum(np.diff(bow.indptr)[words])
    n_words = int(np.searchsorted(cumulative, share * bow.nnz)) + 1
    return bow[:, np.sort(words[:n_words])]


def hold_out(
    bow: sp.csc_matrix, rng: np.random.Generator, share: float = 0.2
) -> tuple[sp.csc_matrix, sp.csc_matrix]:
    """Split the nonzero counts of `bow` at random into (1 − share) and share."""
    held = rng.random(bow.nnz) < share
    parts = []
    for keep in (~held, held):
        ends = np.concatenate(([0], np.cumsum(keep)))
        parts.append(
            sp.csc_matrix((bow.data[keep], bow.indices[keep], ends[bow.indptr]), shape=bow.shape)
        )
    return parts[0], parts[1]
