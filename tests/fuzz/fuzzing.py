"""What the tests with generated input share: a small corpus and its model, one oracle, a tally.

A call with generated input is refused by a ValueError or TypeError that names an argument, and
nothing has changed; or gives a result that is whole. ``make test`` tries 300 inputs for each entry,
``make fuzz`` 20,000 (``SAETM_FUZZ``); the same ones each time. A test of which too few inputs reach
the work fails as well (``conftest.py``): what is refused at the door tries nothing else.
"""

import contextlib
import copy
import hashlib
import os
import signal
import threading
import warnings
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import scipy.sparse as sp
from hypothesis import HealthCheck, Phase, event, settings
from strategies import Choice, Only, values_like

from saetm_plugins import SAETopicModel, train_sae
from saetm_plugins.emission import fit_emissions

SECONDS = 30  # for one call: a hang, on a machine shared with others
EXAMPLES = int(os.environ.get("SAETM_FUZZ", "300"))


def examples(part=1):
    """Return settings that try so large a part of the inputs: where each is slow."""
    return settings(
        max_examples=max(1, int(EXAMPLES * part)),
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )


fuzz = examples()

RNG = np.random.default_rng(0)
THEMES = RNG.integers(4, size=40)
EMBEDDINGS = (np.eye(4, 6)[THEMES] + 0.2 * RNG.normal(size=(40, 6))).astype(np.float32)
TEXTS = [" ".join(f"{'abcd'[t]}{'klmno'[i]}word" for i in RNG.integers(5, size=6)) for t in THEMES]
GROUPS = ["a", "b"] * 20
SAE = train_sae(EMBEDDINGS, n_atoms=10, k=2, n_steps=60)
THETA = RNG.dirichlet(np.full(4, 0.3), size=12).astype(np.float32)
COUNTS = RNG.poisson(0.7, size=(12, 6)).astype(np.float32)
EMISSIONS = fit_emissions(THETA, COUNTS)


class Encoder:
    """Embeds any text in six dimensions, by its letters."""

    max_seq_length = 32

    def encode(self, texts, **_):
        return np.array([np.bincount([ord(c) % 6 for c in text[:99]], minlength=6) + 0.1
                         for text in texts], dtype=np.float32)  # fmt: skip


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    FITTED = SAETopicModel(4, sae=SAE, encoder=Encoder(), word_vectors="corpus")
    FITTED.fit(TEXTS, embeddings=EMBEDDINGS)
    CURATED = copy.copy(FITTED).merge_topics([0, 1]).set_topic_labels({0: "first"})
BOW = sp.csr_matrix(FITTED.vectorizer_.transform(TEXTS), dtype=np.float32)
WORDS = list(FITTED.vocabulary_)

TALLY, FIRST_TALLY = Counter(), Counter()
FIRST = 1000  # inputs; later an argument's few legal values may all have been tried
REFUSED = (ValueError, TypeError, FileNotFoundError)


def clear(act, *names, errors=REFUSED):
    """Return what a call gives, or None where it is refused by a clear error."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), time_limit():
        warnings.simplefilter("ignore")
        try:
            found = act()
        except errors as error:
            refusal = error
        else:
            tell("taken")
            return found
    tell("refused")
    if not any(name in str(refusal) for name in names):
        raise AssertionError(f"{refusal!r} names none of {names}") from refusal
    return None


@contextlib.contextmanager
def time_limit():
    """Fail where a call hangs."""

    def stop(*_):
        raise AssertionError(f"a call takes more than {SECONDS} s")

    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def tell(outcome):
    """Count what became of an input."""
    TALLY[outcome] += 1
    if TALLY.total() <= FIRST:
        FIRST_TALLY[outcome] += 1
    event(outcome)


class Entry(NamedTuple):
    """A function or method, and arguments that are legal for it."""

    call: Any
    """Of keyword arguments."""
    given: Mapping[str, Any] = MappingProxyType({})
    """What it is given always; each is changed in its turn."""
    options: Mapping[str, Any] = MappingProxyType({})
    """What it may be given beside: legal values."""
    also: tuple[str, ...] = ()
    """What an error may name, whichever argument was changed."""
    check: Any = None
    """Of the result, and the arguments by name."""


REPEATED = {
    "emission_n_iter", "n_iter", "n_resamples", "n_permutations", "n_repeats", "bootstraps",
    "seeds", "n_splits", "n_steps", "iterations", "inference_passes", "n_attempts", "n_documents",
}  # fmt: skip
"""Arguments that say how often something is done."""


@st.composite
def arguments(draw, entry):
    """Return legal arguments of which one, or two, are changed; and the names of these."""
    legal = {**entry.given, **entry.options}
    if not legal:
        return {}, []
    chosen = draw(st.lists(st.sampled_from(sorted(legal)), min_size=1, max_size=2, unique=True))
    made = {name: draw(legal_value(value)) for name, value in entry.given.items()}
    for name in chosen:
        value = draw(values_like(legal[name]))
        if name in REPEATED and isinstance(value, (int, float, np.number)) and 100 < value < 2**62:
            value = 7  # what is asked for would be done
        made[name] = value
    return made, chosen


def legal_value(value):
    """Draw what stands for an argument that is not changed."""
    if isinstance(value, (st.SearchStrategy, Only)):
        return getattr(value, "strategy", value)
    return st.just(value[0] if isinstance(value, Choice) else value)


def check_call(entry, made, chosen, errors=REFUSED):
    """Call with `made`; the shared model and arrays must be as they were in any case."""
    before = fingerprint()
    drawn = [
        name for name, value in entry.given.items() if isinstance(value, (st.SearchStrategy, Only))
    ]
    found = clear(lambda: (entry.call(**made),), *chosen, *drawn, *entry.also, errors=errors)
    assert fingerprint() == before, "an argument or a model was changed in place"
    if found is not None:
        assert not any(holds_nothing(made[name]) for name in chosen), "values that are none"
        check_whole(found[0])
        if entry.check is not None:
            entry.check(found[0], made)
    return found


def holds_nothing(value):
    """Tell values that must not be taken in silence: masked ones, and tensors of no device."""
    return bool(np.ma.is_masked(value)) or str(getattr(value, "device", "")) == "meta"


SHARED = [EMBEDDINGS, THETA, COUNTS, SAE.decoder_, SAE.encoder_, EMISSIONS.atom_words, BOW.data]


PARAMETERS = list(FITTED.get_params(deep=False))


def fingerprint():
    """Return a digest of everything that no call may change."""
    total = hashlib.blake2b(digest_size=16)
    for array in SHARED:
        total.update(array.tobytes())
    for model in (FITTED, CURATED):
        for array in (model.components_, model.doc_topics_, model.labels_, model.atom_words_):
            total.update(array.tobytes())
        parameters = [getattr(model, name) for name in PARAMETERS]
        total.update(repr((model.topic_labels_, len(model.vocabulary_), parameters)).encode())
    total.update("".join(TEXTS).encode())
    return total.digest()


SHARES = {"share", "coverage", "share_a", "share_b", "mean"}
"""Columns that hold shares; missing for a period without documents, and coverage without atoms."""


def check_whole(found):
    """Refuse numbers that are not finite, and shares that are none, anywhere in a result."""
    if isinstance(found, pd.DataFrame):
        for name in SHARES & set(found.columns):
            assert found[name].dropna().between(0, 1 + 1e-6).all(), name
        numeric = found.select_dtypes("number").to_numpy(dtype=float)
        assert not np.isinf(numeric).any()
    elif sp.issparse(found):
        assert np.isfinite(found.data).all()
    elif isinstance(found, np.ndarray) and found.dtype.kind in "fc":
        assert np.isfinite(found).all()
    elif isinstance(found, (float, np.floating)):
        assert np.isfinite(found)
    elif isinstance(found, dict):
        for value in found.values():
            check_whole(value)
    elif isinstance(found, (list, tuple)):
        for value in found[:50]:
            check_whole(value)


def state(model):
    return {key: value for key, value in vars(model).items() if key != "_loaded_encoder"}


def check_unchanged(model, before):
    """Check that the attributes of `model` are the very objects they were."""
    now = state(model)
    assert now.keys() == before.keys()
    assert all(before[key] is kept for key, kept in now.items())


def check_mixtures(doc_topics, *_):
    """Check that rows are whole mixtures."""
    if sp.issparse(doc_topics):
        doc_topics = doc_topics.toarray()
    assert np.isfinite(doc_topics).all()
    assert (doc_topics >= 0).all()
    np.testing.assert_allclose(doc_topics.sum(axis=1), 1, atol=1e-3)


def check_model(model, *_):
    check_mixtures(model.doc_topics_)
    np.testing.assert_allclose(model.topic_prevalence_.sum(), 1, atol=1e-3)
    assert (model.topic_prevalence_ >= 0).all()
    assert len(model.labels_) == len(model.doc_topics_)
    assert ((model.labels_ >= -1) & (model.labels_ < model.n_topics_)).all()
    assert len(model.topic_labels_) == model.n_topics_
    if model.components_ is not None:
        assert (model.components_ >= 0).all()
        np.testing.assert_allclose(model.components_.sum(axis=1), 1, atol=1e-3)
        np.testing.assert_allclose(model.atom_words_.sum(axis=1), 1, atol=1e-3)
