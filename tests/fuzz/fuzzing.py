"""The oracle of the tests with generated input, and the small fitted model that they share.

A call with generated input raises an error and changes nothing, or gives a whole result: finite
numbers, mixtures that sum to 1. ``make test`` tries a few inputs for each entry, ``make fuzz``
20,000 (``SAETM_FUZZ``); they are the same ones each time.
"""

import contextlib
import copy
import hashlib
import inspect
import os
import signal
import threading
import warnings
from collections import Counter
from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import scipy.sparse as sp
from hypothesis import HealthCheck, Phase, event, settings
from strategies import Choice, Only, values_like

from saetm_plugins import SAETopicModel, train_sae
from saetm_plugins.emission import fit_emissions

SECONDS = 30  # for one call: longer is a hang, even on a machine shared with others
EXAMPLES = int(os.environ.get("SAETM_FUZZ", "25"))
LEAST_TAKEN = 0.1  # of the inputs must reach the work; else the entry tests only its checks


def examples(part=1.0):
    """Return hypothesis' settings for a share of the inputs: `part` is small where each is slow."""
    return settings(
        max_examples=max(2, int(EXAMPLES * part)), deadline=None, derandomize=True, database=None,
        phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck),
    )  # fmt: skip


RNG = np.random.default_rng(0)
THEMES = RNG.integers(4, size=40)
EMBEDDINGS = (np.eye(4, 6)[THEMES] + 0.2 * RNG.normal(size=(40, 6))).astype(np.float32)
TEXTS = [" ".join(f"{'abcd'[t]}{'klmno'[i]}word" for i in RNG.integers(5, size=6)) for t in THEMES]
TOKENS = [text.split() for text in TEXTS]
GROUPS = ["a", "b"] * 20
THETA = RNG.dirichlet(np.full(4, 0.3), size=12).astype(np.float32)
COUNTS = RNG.poisson(0.7, size=(12, 6)).astype(np.float32)


class Encoder:
    """Embeds any text in six dimensions by its letters, and a picture by its colours."""

    max_seq_length = 32

    def encode(self, items, **_):
        if isinstance(items[0], str):
            return np.array([np.bincount([ord(c) % 6 for c in text[:99]], minlength=6) + 0.1
                             for text in items], dtype=np.float32)  # fmt: skip
        colors = [np.asarray(item, dtype=np.float32).reshape(-1, 3).mean(axis=0) for item in items]
        return np.hstack([colors, 300 - np.array(colors)]).astype(np.float32)


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    SAE = train_sae(EMBEDDINGS, n_atoms=10, k=2, n_steps=60)
    EMISSIONS = fit_emissions(THETA, COUNTS)
    FITTED = SAETopicModel(4, sae=SAE, encoder=Encoder(), word_vectors="corpus")
    FITTED.fit(TEXTS, embeddings=EMBEDDINGS)
    CURATED = copy.copy(FITTED).merge_topics([0, 1]).set_topic_labels({0: "first"})
BOW = sp.csr_matrix(FITTED.vectorizer_.transform(TEXTS), dtype=np.float32)
WORDS = list(FITTED.vocabulary_)
WORD_VECTORS = {word: EMBEDDINGS[row] for row, word in enumerate(WORDS)}


class Entry(NamedTuple):
    """A callable with legal values of its arguments."""

    call: Any
    given: dict[str, Any]
    """Arguments of every call; one or two arguments are changed each time."""
    options: dict[str, Any]
    """Arguments that a call may have besides."""
    check: Any
    """Of the result and the arguments; None where only its numbers are looked at."""
    part: float


def entry(call, legal, given="", check=None, part=1.0, of=None, **own):
    """Return the entry of `call`: its arguments are looked up in `legal` by name, or are `own`.

    The signature is that of `of` where `call` takes keyword arguments and hands them on.
    """
    known = {**{name: legal[name] for name in inspect.signature(of or call).parameters
                if name in legal}, **own}  # fmt: skip
    always = {name: known[name] if name in known else legal[name] for name in given.split()}
    options = {name: value for name, value in known.items() if name not in always}
    return Entry(call, always, options, check, part)


@st.composite
def arguments(draw, entry):
    """Draw legal arguments of which one or two are changed."""
    legal = {**entry.given, **entry.options}
    made = {name: draw(_legal(value)) for name, value in entry.given.items()}
    for name in draw(st.lists(st.sampled_from(sorted(legal)), min_size=1, max_size=2, unique=True)):
        made[name] = draw(values_like(legal[name]))
    return made


def _legal(value):
    if isinstance(value, (st.SearchStrategy, Only)):
        return getattr(value, "strategy", value)
    return st.just(value[0] if isinstance(value, Choice) else value)


TALLY = Counter()


def taken(act):
    """Return the result of `act` in a tuple, or None where it raises."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), time_limit():
        warnings.simplefilter("ignore")
        try:
            found = (act(),)
        except AssertionError:
            raise
        except Exception:
            found = None
    TALLY["refused" if found is None else "taken"] += 1
    event("refused" if found is None else "taken")
    return found


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


def check_call(entry, made):
    """Call with `made`: shared models, and arguments, must be as they were in any case."""
    before, kept = fingerprint(), {name: content(value) for name, value in made.items()}
    found = taken(lambda: entry.call(**made))
    assert fingerprint() == before, "a fitted model was changed"
    for name, value in made.items():
        assert content(value) == kept[name], f"{name} was changed in place"
    if found is None:
        return
    for name, value in made.items():
        assert not np.ma.is_masked(value), f"{name} is masked, and was taken in silence"
        assert str(getattr(value, "device", "")) != "meta", f"{name} holds no numbers"
    check_whole(found[0])
    if entry.check is not None:
        entry.check(found[0], made)


def content(value):
    """Return the bytes of an array or of a sparse matrix."""
    held = getattr(value, "data", None) if sp.issparse(value) else value
    return held.tobytes() if isinstance(held, np.ndarray) else None


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


def check_whole(found):
    """Check that all numbers of a result are finite, and shares within 0 and 1."""
    if isinstance(found, pd.DataFrame):
        for name in SHARES & set(found.columns):
            assert found[name].dropna().between(0, 1 + 1e-6).all(), name
        assert not np.isinf(found.select_dtypes("number").to_numpy(dtype=float)).any()
    elif sp.issparse(found):
        assert np.isfinite(found.data).all()
    elif isinstance(found, np.ndarray) and found.dtype.kind in "fc":
        assert np.isfinite(found).all()
    elif isinstance(found, (float, np.floating)):
        assert np.isfinite(found)
    elif isinstance(found, dict):
        check_whole(list(found.values()))
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


def on_a_copy(model, name, **parameters):
    """Return a call of a method on a copy of `model`, which is as it was where the call raises."""

    def call(**made):
        subject = copy.copy(model)
        vars(subject).update(parameters)
        before = state(subject)
        try:
            return getattr(subject, name)(**made)
        except BaseException:
            check_unchanged(subject, before)
            raise

    return call


def check_mixtures(doc_topics, *_):
    """Check that rows are mixtures."""
    if sp.issparse(doc_topics):
        doc_topics = doc_topics.toarray()
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
        check_mixtures(model.components_)
        check_mixtures(model.atom_words_)


def between(low, high):
    def check(found, _):
        found = np.asarray(found, dtype=float)
        assert ((found >= low - 1e-6) & (found <= high + 1e-6)).all()

    return check
