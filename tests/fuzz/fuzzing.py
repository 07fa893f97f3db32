"""What must hold of a call with generated input, and the small fitted model that all calls share.

The call raises an error and changes nothing, or it returns finite numbers, and mixtures that sum
to 1. ``make test`` tries a few inputs for each entry, ``make fuzz`` 20,000 (``SAETM_FUZZ``); they
are the same ones each time.
"""

import copy
import inspect
import os
import warnings
from collections import Counter
from datetime import timedelta
from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import scipy.sparse as sp
from hypothesis import HealthCheck, Phase, given, settings
from strategies import Choice, Only, values_like

from saetm_plugins import SAETopicModel, SparseAutoencoder, train_sae
from saetm_plugins.emission import Emissions, fit_emissions

EXAMPLES = int(os.environ.get("SAETM_FUZZ", "10"))
LEAST_ACCEPTED = 0.1  # of the inputs; else an entry tests only the checks of arguments
LONGEST = timedelta(seconds=30)  # for one call, on a machine shared with others

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
    """Of the result; None where only its numbers are looked at."""
    part: float
    """The share of the inputs that are tried: small where each is slow."""


def entry(call, legal, given="", check=None, part=1.0, of=None, **own):
    """Return the entry of `call`: its arguments are looked up in `legal` by name, or are `own`.

    The arguments without a default, and those named in `given`, are given in every call. The
    signature is that of `of` where `call` takes keyword arguments and passes them on.
    """
    signature = inspect.signature(of or call).parameters
    known = {**{name: legal[name] for name in signature if name in legal}, **own}
    always = {name for name, each in signature.items() if each.default is each.empty} & known.keys()
    always |= {*given.split()}
    values = {name: known[name] if name in known else legal[name] for name in sorted(always)}
    options = {name: value for name, value in known.items() if name not in values}
    return Entry(call, values, options, check, part)


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


def run(entry):
    """Call an entry with generated input."""
    calls = Counter()

    @settings(
        max_examples=max(2, int(EXAMPLES * entry.part)), deadline=LONGEST, derandomize=True,
        database=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(arguments(entry))
    def all_inputs(made):
        calls[is_accepted(entry, made)] += 1

    all_inputs()
    if calls.total() >= 100:  # few inputs of hypothesis are alike
        assert calls[True] >= LEAST_ACCEPTED * calls.total(), calls


def is_accepted(entry, made):
    """Call with `made`, check the result, and return whether the input was accepted."""
    before, kept = fingerprint(), {name: content(value) for name, value in made.items()}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found, accepted = entry.call(**made), True
        except AssertionError:
            raise
        except Exception:
            accepted = False
    assert fingerprint() == before, "a fitted model was changed"
    for name, value in made.items():
        assert content(value) == kept[name], f"{name} was changed in place"
        if accepted:
            assert not np.ma.is_masked(value), f"{name} is masked, and was accepted"
            assert str(getattr(value, "device", "")) != "meta", f"{name} holds no numbers"
    if accepted:
        check_numbers(found)
        if entry.check is not None:
            entry.check(found)
    return accepted


def content(value):
    """Return the bytes of an array or of a sparse matrix."""
    held = getattr(value, "data", None) if sp.issparse(value) else value
    return held.tobytes() if isinstance(held, np.ndarray) else None


SHARED = [EMBEDDINGS, THETA, COUNTS, SAE.decoder_, SAE.encoder_, EMISSIONS.atom_words, BOW.data]
SHARED += [getattr(model, name) for model in (FITTED, CURATED)
           for name in ("components_", "doc_topics_", "labels_", "atom_words_")]  # fmt: skip


def fingerprint():
    """Return everything that no call may change."""
    attributes = [(name, id(value)) for model in (FITTED, CURATED) for name, value in state(model)]
    names = [*FITTED.topic_labels_, *CURATED.topic_labels_]
    return attributes, names, list(TEXTS), [hash(array.tobytes()) for array in SHARED]


def state(model):
    """Return the attributes of a model, without the encoder that it may load at any time."""
    return [(name, value) for name, value in vars(model).items() if name != "_loaded_encoder"]


def unchanged_if_it_raises(call, model, made):
    """Call with `made`; where that raises, check that the model has the same attributes."""
    before = state(model)
    try:
        return call(**made)
    except BaseException:
        after = state(model)
        assert len(before) == len(after)
        assert all(a == b and x is y for (a, x), (b, y) in zip(before, after, strict=True))
        raise


def on_a_copy(model, name, **parameters):
    """Return a call of a method on a copy of `model`."""

    def call(**made):
        subject = copy.copy(model)
        vars(subject).update(parameters)
        return unchanged_if_it_raises(getattr(subject, name), subject, made)

    return call


SHARES = {"share", "coverage", "share_a", "share_b", "mean"}


def check_numbers(found):
    """Check that all numbers of a result are finite, and shares within 0 and 1."""
    if isinstance(found, SAETopicModel):
        check_model(found)
    elif isinstance(found, SparseAutoencoder):
        check_numbers([found.encoder_, found.decoder_, found.thresholds_, found.mean_])
        if found.n_features == EMBEDDINGS.shape[1]:
            assert (found.transform(EMBEDDINGS).data >= 0).all()
    elif isinstance(found, Emissions):
        check_mixtures(np.vstack([found.atom_words, found.background]))
        assert np.isfinite(found.log_likelihood_).all()
        assert found.background_mass >= 0
    elif isinstance(found, pd.DataFrame):
        for name in SHARES & set(found.columns):
            assert found[name].dropna().between(0, 1 + 1e-6).all(), name
        assert not np.isinf(found.select_dtypes("number").to_numpy(dtype=float)).any()
    elif sp.issparse(found):
        assert np.isfinite(found.data).all()
    elif isinstance(found, (float, np.floating, np.ndarray)):
        if np.asarray(found).dtype.kind in "fc":
            assert np.isfinite(found).all()
    elif isinstance(found, (dict, list, tuple)):
        for value in list(found.values() if isinstance(found, dict) else found)[:50]:
            check_numbers(value)


def check_mixtures(doc_topics):
    """Check that rows are mixtures."""
    if sp.issparse(doc_topics):
        doc_topics = doc_topics.toarray()
    assert (doc_topics >= 0).all()
    np.testing.assert_allclose(doc_topics.sum(axis=1), 1, atol=1e-3)


def check_model(model):
    if model.topics_.deleted is None:
        check_mixtures(model.doc_topics_)
    check_mixtures(model.topic_prevalence_[None])
    assert len(model.labels_) == len(model.doc_topics_)
    assert ((model.labels_ >= -1) & (model.labels_ < model.n_topics_)).all()
    assert len(model.topic_labels_) == model.n_topics_
    if model.components_ is not None:
        check_mixtures(model.components_)
        check_mixtures(model.atom_words_)


def between(low, high):
    def check(found):
        found = np.asarray(found, dtype=float)
        assert ((found >= low - 1e-6) & (found <= high + 1e-6)).all()

    return check
