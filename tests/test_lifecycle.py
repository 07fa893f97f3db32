"""A model's life in any order: invariants hold after each, and refused calls change nothing."""

import copy
import os
import pickle
import tempfile
import warnings
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer

from saetm_plugins import SAETopicModel, train_sae

RNG = np.random.default_rng(0)
THEMES = RNG.integers(4, size=160)
EMBEDDINGS = (np.eye(4, 12)[THEMES] + 0.2 * RNG.normal(size=(160, 12))).astype(np.float32)
DOCUMENTS = [
    " ".join(f"{'abcd'[theme]}{'klmnop'[i]}" for i in RNG.integers(6, size=8)) + " common"
    for theme in THEMES
]
SAE = train_sae(EMBEDDINGS, n_atoms=40, k=3, n_steps=120)
EXAMPLES = min(2000, int(os.environ.get("SAETM_FUZZ", "10")))
VECTORIZER = CountVectorizer(vocabulary=sorted({w for d in DOCUMENTS for w in d.split()}))

batches = st.tuples(st.integers(0, 120), st.integers(4, 40)).map(lambda p: slice(p[0], sum(p)))
singles = st.integers(0, 159).map(lambda row: slice(row, row + 1))
merges = st.sampled_from(["auto", "nmf", "kmeans", "ward"])


class Life(RuleBasedStateMachine):
    """Calls in any order, on the model and on nothing else."""

    def __init__(self):
        super().__init__()
        self.model, self.history = None, []

    def do(self, name, *args, **kwargs):
        """Call a method; where it raises, check the error and that nothing has changed."""
        before = dict(vars(self.model))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                getattr(self.model, name)(*args, **kwargs)
        except (ValueError, TypeError):
            after = vars(self.model)
            assert before.keys() == after.keys()
            assert all(before[key] is after[key] for key in before), f"{name} changed the model"
        else:
            self.history.append((name, args, kwargs))

    @initialize(rows=batches, n_topics=st.integers(2, 9), merge=merges, words=st.booleans())
    def start(self, rows, n_topics, merge, words):
        self.words = words
        self.model = SAETopicModel(n_topics, sae=SAE, merge=merge, vectorizer=VECTORIZER)
        self.first = (n_topics, merge)
        self.fit(rows)

    @rule(rows=batches)
    def fit(self, rows):
        texts = DOCUMENTS[rows] if self.words else None
        self.do("fit", texts, embeddings=EMBEDDINGS[rows])

    @rule(
        rows=st.one_of(batches, singles),
        decay=st.sampled_from([1.0, 0.5, 0.0, -1.0, float("inf"), float("nan")]),
    )
    def partial_fit(self, rows, decay):
        texts = DOCUMENTS[rows] if self.words else None
        self.do("partial_fit", texts, embeddings=EMBEDDINGS[rows], decay=decay)

    @rule(rows=batches)
    def partial_fit_wrongly(self, rows):
        self.do("partial_fit", DOCUMENTS[rows], embeddings=EMBEDDINGS[rows][:-1])

    @rule(n_topics=st.one_of(st.integers(1, 60), st.just("auto"), st.just(0)), merge=merges)
    def retopic(self, n_topics, merge):
        self.do("retopic", n_topics, merge)

    @rule(topics=st.lists(st.integers(0, 9), min_size=2, max_size=4))
    def merge_topics(self, topics):
        self.do("merge_topics", [topics])

    @rule(topic=st.integers(0, 9), n=st.integers(1, 4))
    def split_topic(self, topic, n):
        self.do("split_topic", topic, n)

    @rule(atoms=st.lists(st.integers(0, 41), min_size=1, max_size=12))
    def drop_atoms(self, atoms):
        self.do("drop_atoms", atoms)

    @rule(topics=st.lists(st.integers(0, 9), min_size=1, max_size=2))
    def delete_topics(self, topics):
        self.do("delete_topics", topics)

    @rule(labels=st.dictionaries(st.integers(0, 5), st.sampled_from(["x", "y", None, 3, b"z"])))
    def set_topic_labels(self, labels):
        self.do("set_topic_labels", labels)

    @rule()
    def undo(self):
        self.do("undo")

    @rule(how=st.sampled_from(["save", "copy", "deepcopy", "pickle"]))
    def go_on_with_a_copy(self, how):
        before = self.model
        if how == "save":
            with tempfile.TemporaryDirectory() as folder:
                before.save(Path(folder) / "model")
                self.model = SAETopicModel.load(Path(folder) / "model")
        else:
            made = {"copy": copy.copy, "deepcopy": copy.deepcopy}
            self.model = made.get(how, lambda m: pickle.loads(pickle.dumps(m)))(before)
        assert_equal(self.model, before)

    @rule()
    def a_clone_knows_nothing(self):
        assert not hasattr(clone(self.model), "topics_")

    @invariant()
    def holds_together(self):
        model = self.model
        if model is None or not hasattr(model, "topics_"):
            return
        n_topics = model.n_topics_
        kept = model.topics_.deleted is None
        sums = model.doc_topics_.sum(axis=1)
        np.testing.assert_allclose(sums if kept else sums[sums > 1], 1, atol=1e-4)
        np.testing.assert_allclose(model.topic_prevalence_.sum(), 1, atol=1e-4)
        assert (model.topic_prevalence_ >= 0).all()
        assert model.doc_topics_.shape == (len(model.labels_), n_topics)
        assert model.atom_topics_.shape == (SAE.n_atoms, n_topics)
        assert len(model.topic_labels_) == n_topics
        assert all(label is None or isinstance(label, str) for label in model.topic_labels_)
        labelled = (model.labels_ >= 0) | kept
        largest = model.doc_topics_.argmax(axis=1)
        np.testing.assert_array_equal(model.labels_[labelled], largest[labelled])
        sums = np.asarray(model.atom_topics_.sum(axis=1)).ravel()
        sums += 0 if kept else np.asarray(model.topics_.deleted.sum(axis=1)).ravel()
        assert ((sums < 1e-4) | (np.abs(sums - 1) < 1e-4)).all()
        if self.words:
            assert model.components_.shape == (n_topics, len(model.vocabulary_))
            for words in (model.components_, model.atom_words_):
                assert np.isfinite(words).all()
                np.testing.assert_allclose(words.sum(axis=1), 1, atol=1e-3)
        else:
            assert model.components_ is None
        again = model.topics_of(model.doc_atoms_)[1]
        np.testing.assert_array_equal(again, model.doc_topics_)

    def teardown(self):
        if self.model is None or not self.history:
            return
        n_topics, merge = self.first
        twin = SAETopicModel(n_topics, sae=SAE, merge=merge, vectorizer=VECTORIZER)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name, args, kwargs in self.history:
                getattr(twin, name)(*args, **kwargs)
        if hasattr(twin, "topics_"):
            assert_equal(self.model, twin)


def assert_equal(one, other):
    """The same history gives the same bits."""
    for name in ("doc_topics_", "labels_", "topic_prevalence_", "atom_prevalence_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.topic_labels_ == other.topic_labels_
    if one.components_ is not None:
        np.testing.assert_array_equal(one.components_, other.components_)


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),  # shrinking a failure takes minutes; its calls are printed
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def model():
    return SAETopicModel(5, sae=SAE, word_vectors="corpus").fit(DOCUMENTS, embeddings=EMBEDDINGS)


def test_a_refit_is_a_fit(model):
    components = model.components_
    model.merge_topics([0, 1]).set_topic_labels({0: "x"})
    np.testing.assert_array_equal(
        model.fit(DOCUMENTS, embeddings=EMBEDDINGS).components_, components
    )
    assert model.topic_labels_ == [None] * 5
    with pytest.raises(ValueError, match="no edit"):
        model.undo()


@pytest.mark.usefixtures("quick_atoms")
def test_a_refit_at_another_width_is_a_fit():
    model, fresh = (SAETopicModel(5, n_atoms=20, k=2, word_vectors="corpus") for _ in range(2))
    model.fit(DOCUMENTS, embeddings=EMBEDDINGS).fit(DOCUMENTS, embeddings=EMBEDDINGS[:, :8])
    fresh.fit(DOCUMENTS, embeddings=EMBEDDINGS[:, :8])
    np.testing.assert_array_equal(model.components_, fresh.components_)


def test_the_vectorizer_is_as_it_was_after_a_call_that_raises(model):
    vectorizer, words = model.vectorizer_, dict(model.vectorizer_.vocabulary_)
    with pytest.raises(ValueError, match="decay"):
        model.partial_fit(["new words"], embeddings=EMBEDDINGS[:1], decay=np.inf)
    with pytest.raises(ValueError, match="embeddings"):
        model.fit(["new words"] * 3, embeddings=EMBEDDINGS[:2])
    assert model.vectorizer_ is vectorizer
    assert vectorizer.vocabulary_ == words


def test_batches_after_adam_are_one_fit_of_all():
    options = {"sae": SAE, "solver": "adam", "emission_n_iter": 5, "vectorizer": VECTORIZER}
    whole, batches = (SAETopicModel(5, **options) for _ in range(2))
    whole.fit(DOCUMENTS, embeddings=EMBEDDINGS)
    batches.fit(DOCUMENTS[:80], embeddings=EMBEDDINGS[:80]).partial_fit(
        DOCUMENTS[80:], embeddings=EMBEDDINGS[80:]
    )
    np.testing.assert_allclose(whole.atom_words_, batches.atom_words_, atol=1e-5)
