"""SAEBERTopic's calls in any order: what BERTopic keeps of its topics agrees after each."""

import tempfile
import warnings
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
from bertopic import BERTopic
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sklearn.feature_extraction.text import CountVectorizer

from saetm_plugins import train_sae
from saetm_plugins.bertopic import SAEBERTopic

RNG = np.random.default_rng(0)
THEMES = RNG.integers(5, size=150)
EMBEDDINGS = (np.eye(5, 12)[THEMES] + 0.2 * RNG.normal(size=(150, 12))).astype(np.float32)
DOCUMENTS = [
    " ".join(f"{'abcde'[theme]}{'klmnop'[i] * 2}" for i in RNG.integers(6, size=8)) + " common"
    for theme in THEMES
]
SAE = train_sae(EMBEDDINGS, n_atoms=40, k=3, n_steps=120)
WORDS = sorted({word for document in DOCUMENTS for word in document.split()})

topics = st.integers(0, 7)
batches = st.tuples(st.integers(0, 100), st.integers(20, 50)).map(lambda p: slice(p[0], sum(p)))


class Life(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.model = self.rows = None
        self.seen, self.online = 0, False

    def do(self, act):
        """Call; where it raises, BERTopic's tables and the model behind stay as they were."""
        kept = (self.model.topics_, self.model.sae_model_ and self.model.sae_model_.topics_)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                act(self.model)
        except (ValueError, TypeError):
            now = (self.model.topics_, self.model.sae_model_ and self.model.sae_model_.topics_)
            assert now[0] is kept[0]
            assert now[1] is kept[1]
            return False
        return True

    @property
    def docs(self):
        return DOCUMENTS[self.rows]

    @initialize(rows=batches, n_topics=st.integers(2, 7), all_shares=st.booleans())
    def start(self, rows, n_topics, all_shares):
        self.model = SAEBERTopic(
            n_topics,
            sae=SAE,
            vectorizer_model=CountVectorizer(vocabulary=WORDS),
            calculate_probabilities=all_shares,
        )
        self.fit(rows)

    @rule(rows=batches)
    def fit(self, rows):
        if self.do(lambda m: m.fit(DOCUMENTS[rows], EMBEDDINGS[rows])):
            self.rows, self.seen, self.online = rows, len(DOCUMENTS[rows]), False

    @rule(rows=batches)
    def partial_fit(self, rows):
        if self.do(lambda m: m.partial_fit(DOCUMENTS[rows], EMBEDDINGS[rows])):
            self.rows, self.online = rows, True
            self.seen += len(DOCUMENTS[rows])

    @rule(n_topics=st.one_of(st.integers(1, 12), st.just("auto")))
    def reduce_topics(self, n_topics):
        self.do(lambda m: m.reduce_topics(self.docs, n_topics))

    @rule(group=st.lists(topics, min_size=2, max_size=3, unique=True))
    def merge_topics(self, group):
        self.do(lambda m: m.merge_topics(self.docs, group))

    @rule(topic=topics, n=st.integers(1, 3))
    def split_topic(self, topic, n):
        self.do(lambda m: m.split_topic(self.docs, topic, n))

    @rule(gone=st.lists(topics, min_size=1, max_size=2, unique=True))
    def delete_topics(self, gone):
        self.do(lambda m: m.delete_topics(gone))

    @rule(seed=st.integers(0, 9), n_topics=st.integers(1, 5))
    def update_topics(self, seed, n_topics):
        labels = np.random.default_rng(seed).integers(-1, n_topics, size=len(self.docs))
        self.do(lambda m: m.update_topics(self.docs, topics=labels.tolist()))

    @rule()
    def reload(self):
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model.save(Path(folder) / "model")
            loaded = SAEBERTopic.load(Path(folder) / "model")
            BERTopic.load(Path(folder) / "model")  # stock BERTopic opens it too
        for name in ("topics_", "topic_sizes_", "topic_labels_", "representative_docs_"):
            assert getattr(loaded, name) == getattr(self.model, name), name
        np.testing.assert_array_equal(
            loaded.sae_model_.doc_topics_, self.model.sae_model_.doc_topics_
        )
        loaded.calculate_probabilities = self.model.calculate_probabilities
        loaded.probabilities_ = self.model.probabilities_
        self.model = loaded

    @invariant()
    def tables_agree(self):
        model = self.model
        if model is None or model.topics_ is None:
            return
        sae_model, labels = model.sae_model_, np.asarray(model.topics_)
        assert len(labels) == len(self.docs)
        np.testing.assert_array_equal(labels, sae_model.labels_)
        n_topics, outliers = sae_model.n_topics_, int(-1 in model.topic_sizes_)
        names = list(range(-outliers, n_topics))
        assert sorted(model.get_topics()) == names
        assert sorted(model.topic_labels_) == names
        if not self.online:
            counted = {t: int((labels == t).sum()) for t in names}
            assert dict(model.topic_sizes_) == {t: c for t, c in counted.items() if c or t >= 0}
            assert min(counted[t] for t in range(n_topics)) > 0
            for topic, texts in model.representative_docs_.items():
                own = {self.docs[row] for row in np.flatnonzero(labels == topic)}
                assert set(texts) <= own
        else:
            assert abs(sum(model.topic_sizes_.values()) - self.seen) <= n_topics + 1
        assert model.c_tf_idf_.shape == (n_topics + outliers, len(WORDS))
        assert np.isfinite(model.c_tf_idf_.data).all()
        assert model.topic_embeddings_.shape == (n_topics + outliers, 12)
        assert np.isfinite(model.topic_embeddings_).all()
        if model.calculate_probabilities:
            np.testing.assert_array_equal(model.probabilities_, sae_model.doc_topics_)
        else:
            assert model.probabilities_.shape == labels.shape
        info = model.get_topic_info()
        assert info.Topic.tolist() == sorted(names) or set(info.Topic) == set(names)


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=25,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
