import numpy as np
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer

from saetm_plugins import SAETopicModel

SEEDS = {"second": ["themebworda", "themebwordb"], "fifth": ["themeewordc"]}


class ThemeEncoder:
    """Embeds a text at the mean direction of the planted themes it names."""

    def __init__(self, corpus):
        self.directions = np.stack(
            [corpus.embeddings[corpus.themes == theme].mean(axis=0) for theme in range(5)]
        )

    def encode(self, texts):
        named = np.array([[text.count(f"theme{letter}") for letter in "abcde"] for text in texts])
        return named @ self.directions + 0.01


def guided(corpus, seed_topics=SEEDS, **parameters):
    model = SAETopicModel(n_topics=6, seed_topics=seed_topics, **parameters)
    return model.fit(corpus.documents, embeddings=corpus.embeddings)


def share_of_theme(model, corpus, label, theme):
    """Mean share that the topic `label` has of documents of `theme`, and of all others."""
    shares = model.doc_topics_[:, model.topic_labels_.index(label)]
    return shares[corpus.themes == theme].mean(), shares[corpus.themes != theme].mean()


def test_seed_words_are_found_in_any_case(corpus):
    texts = [text.replace("themebworda", "NASA") for text in corpus.documents]
    model = SAETopicModel(
        5, vectorizer=CountVectorizer(lowercase=False), word_vectors="corpus",
        seed_topics={"space": ["NASA"], "fifth": ["THEMEEWORDC"]},
    ).fit(texts, embeddings=corpus.embeddings)  # fmt: skip
    assert model.atoms_.label_targets.words == [["NASA"], ["themeewordc"]]
    assert "NASA" in model.get_topics(5)[model.topic_labels_.index("space")]


def says(model, corpus, label, theme):
    own, other = share_of_theme(model, corpus, label, theme)
    return own > 4 * other


@pytest.mark.parametrize("merge", ["nmf", "kmeans", "ward"])
def test_documents_speak_the_labels(corpus, merge):
    model = guided(corpus, merge=merge)
    assert model.n_topics_ == 6
    assert sorted(filter(None, model.topic_labels_)) == ["fifth", "second"]
    assert says(model, corpus, "second", 1)
    assert says(model, corpus, "fifth", 4)
    words = model.get_topics(5)[model.topic_labels_.index("second")]
    assert all(word.startswith("themeb") for word in words)


def test_labels_stay_at_every_cut_and_after_loading(corpus, tmp_path):
    model = guided(corpus)
    model.save(tmp_path / "model")
    loaded = SAETopicModel.load(tmp_path / "model")
    assert loaded.topic_labels_ == model.topic_labels_
    for each in (model, loaded):
        each.retopic(12)
        assert set(filter(None, each.topic_labels_)) == set(SEEDS)
    assert loaded.topic_labels_ == model.topic_labels_
    np.testing.assert_array_equal(loaded.components_, model.components_)
    model.retopic("auto")
    assert set(filter(None, model.topic_labels_)) == set(SEEDS)
    before = model.components_
    with pytest.raises(ValueError, match="2 labels of seed_topics"):
        model.retopic(1)
    assert model.components_ is before


def test_a_phrase_is_embedded_by_the_encoder(corpus):
    model = guided(corpus, {"third": "all about themec"}, encoder=ThemeEncoder(corpus))
    assert says(model, corpus, "third", 2)
    without_words = clone(model).fit(None, embeddings=corpus.embeddings)
    assert says(without_words, corpus, "third", 2)


def test_words_outside_the_vocabulary_are_named(corpus):
    with pytest.warns(UserWarning, match=r"outside the vocabulary \(second: nosuchword\)"):
        guided(corpus, {"second": ["themebworda", "nosuchword"]})


@pytest.mark.parametrize(
    ("seed_topics", "error", "message"),
    [
        ({}, ValueError, "seed_topics is empty"),
        ({"space": []}, ValueError, r"seed_topics\['space'\] is empty"),
        ({str(i): "space" for i in range(7)}, ValueError, "7 labels for n_topics=6"),
        ({"space": "outer space"}, ValueError, r"seed_topics\['space'\] has no word .*encoder="),
    ],
)
def test_illegal_seeds_are_named_before_any_work(corpus, seed_topics, error, message):
    model = SAETopicModel(n_topics=6, seed_topics=seed_topics)
    with pytest.raises(error, match=message):
        model.fit(corpus.documents, embeddings=corpus.embeddings)
    assert not hasattr(model, "sae_")
