"""What a person or a step decided about documents outlasts every call of SAEBERTopic."""

from __future__ import annotations

import copy
from collections import Counter

import numpy as np
import pytest
from bertopic.backend import BaseEmbedder

from saetm_plugins.bertopic import SAEBERTopic
from saetm_plugins.numerics.arrays import unit_rows

NAMES = ["themeaworda themeawordb", "themebworda themebwordb", "themeawordc themebwordc"]
NEAR = 0.9  # half of the documents of the first two names; none of the third


class ThemeEmbedder(BaseEmbedder):
    """Embeds the themes of words, as the planted corpus has them."""

    def embed(self, documents, verbose=False):
        directions = np.linalg.qr(np.random.default_rng(99).normal(size=(24, 5)))[0].T
        rows = [[directions["abcde".index(word[5])] for word in text.split()] for text in documents]
        return unit_rows(np.array([np.mean(row, axis=0) for row in rows]))


@pytest.fixture(scope="module")
def encoder() -> ThemeEmbedder:
    return ThemeEmbedder()


@pytest.fixture(scope="module")
def named(corpus, encoder, sae) -> SAEBERTopic:
    return SAEBERTopic(
        7,
        sae=sae,
        embedding_model=encoder,
        zeroshot_topic_list=NAMES,
        zeroshot_min_similarity=NEAR,
    ).fit(corpus.documents, corpus.embeddings)


@pytest.fixture(scope="module")
def strict(corpus, sae) -> SAEBERTopic:
    """A model whose documents of topic -1 were all given one."""
    model = SAEBERTopic(6, sae=sae, word_vectors="corpus")
    model.fit(corpus.documents, corpus.embeddings)
    model.outlier_threshold = float(np.quantile(model.probabilities_.max(axis=1), 0.2))
    model.fit(corpus.documents, corpus.embeddings)
    assert 20 < model.topics_.count(-1) < 300
    given = model.reduce_outliers(corpus.documents, model.topics_, strategy="probabilities")
    model.update_topics(corpus.documents, topics=given)
    assert model.topics_ == given
    return model


def near_names(corpus, encoder) -> np.ndarray:
    cosines = unit_rows(corpus.embeddings) @ encoder.embed(NAMES).T
    return np.where(cosines.max(axis=1) >= NEAR, cosines.argmax(axis=1), -1)


def check_names(model, corpus, nearest):
    """Names keep exactly their documents, and new documents get them by the same rule."""
    labels = np.asarray(model.topics_)
    for name in np.unique(nearest[nearest >= 0]):
        topic = next(t for t, label in model.topic_labels_.items() if label == NAMES[name])
        np.testing.assert_array_equal(labels == topic, nearest == name)
    check_tables(model, corpus)
    assert model.transform(corpus.documents, corpus.embeddings)[0] == model.topics_


def check_tables(model, corpus):
    """All that BERTopic keeps of its topics agrees with the topics of documents."""
    labels = np.asarray(model.topics_)
    np.testing.assert_array_equal(labels, model.sae_model_.labels_)
    assert dict(model.topic_sizes_) == Counter(model.topics_)
    assert model.get_topic_info().set_index("Topic").Count.to_dict() == Counter(model.topics_)
    assert model.get_document_info(corpus.documents).Topic.tolist() == model.topics_
    for topic, texts in model.representative_docs_.items():
        own = [corpus.documents[row] for row in np.flatnonzero(labels == topic)]
        assert set(texts) <= set(own)
    words = model.vectorizer_model.transform(corpus.documents)
    first = int(-1 in model.topic_sizes_)
    for topic in model.topic_sizes_:
        counted = words[labels == topic].sum(axis=0)
        np.testing.assert_allclose(model._topic_counts[topic + first].toarray(), counted)
    assert model.probabilities_.shape == (len(labels), model.sae_model_.n_topics_)


def test_names_keep_their_documents_through_edits(named, corpus, encoder, tmp_path):
    nearest = near_names(corpus, encoder)
    assert (nearest == 0).sum() > 20
    assert (nearest == 1).sum() > 20
    model = copy.deepcopy(named)
    check_names(model, corpus, nearest)
    model.merge_topics(corpus.documents, [3, 4])
    check_names(model, corpus, nearest)
    model.save(tmp_path / "model", save_embedding_model=False)
    model = SAEBERTopic.load(tmp_path / "model")
    check_names(model, corpus, nearest)
    model.split_topic(corpus.documents, 3)
    check_names(model, corpus, nearest)
    model.reduce_topics(corpus.documents, 4)
    assert len(model.get_topics()) == 4
    check_names(model, corpus, nearest)
    model.partial_fit(corpus.documents[:200], corpus.embeddings[:200])
    labels = np.asarray(model.topics_)
    assert all(len(np.unique(labels[nearest[:200] == name])) == 1 for name in (0, 1))
    with pytest.raises(ValueError, match="must exceed the 2 zero-shot topics"):
        model.reduce_topics(corpus.documents[:200], 2)


def test_a_name_goes_where_its_topic_goes(named, corpus, encoder):
    nearest = near_names(corpus, encoder)
    model = copy.deepcopy(named)
    model.merge_topics(corpus.documents, [0, 4])  # a name's, and another one
    topics, _ = model.transform(corpus.documents, corpus.embeddings)
    assert topics == model.topics_
    assert len(set(np.asarray(topics)[nearest == 0])) == 1
    gone = topics[int(np.flatnonzero(nearest == 1)[0])]
    model.delete_topics([gone])
    assert set(np.asarray(model.topics_)[nearest == 1]) == {-1}
    assert model.transform(corpus.documents, corpus.embeddings)[0] == model.topics_
    model.reduce_topics(corpus.documents, 3)
    assert set(np.asarray(model.topics_)[nearest == 1]) == {-1}
    assert len(set(np.asarray(model.topics_)[nearest == 0])) == 1


def test_merged_models_keep_names_and_moves(named, corpus, encoder):
    nearest = near_names(corpus, encoder)
    other = copy.deepcopy(named)
    merged = SAEBERTopic.merge_models([named, other])
    labels = np.asarray(merged.topics_)
    for name in (0, 1):
        topic = next(t for t, label in merged.topic_labels_.items() if label == NAMES[name])
        np.testing.assert_array_equal(labels == topic, np.tile(nearest == name, 2))


def test_merged_models_with_topic_minus_one_list_it_in_every_table(strict):
    model = copy.copy(strict)
    model.delete_topics([2])
    model.set_topic_labels({0: "first", -1: "none"})
    merged = SAEBERTopic.merge_models([model, copy.copy(model)])
    topics = sorted(merged.topic_sizes_)
    assert topics[0] == -1
    assert sorted(merged.get_topics()) == topics
    assert merged.custom_labels_[0] == "none"
    assert merged.c_tf_idf_.shape[0] == len(merged.topic_embeddings_) == len(topics)


@pytest.mark.parametrize("edit", ["merge", "delete", "split", "reduce", "load", "update"])
def test_outliers_that_were_given_topics_are_none_again(strict, corpus, edit, tmp_path):
    model = copy.deepcopy(strict)
    before = np.asarray(model.topics_)
    expected = 0
    match edit:
        case "merge":
            model.merge_topics(corpus.documents, [0, 1])
        case "delete":
            model.delete_topics([2])
            expected = int((before == 2).sum())
        case "split":
            model.split_topic(corpus.documents, 0)
        case "reduce":
            model.reduce_topics(corpus.documents, 4)
        case "load":
            model.save(tmp_path / "model", save_embedding_model=False)
            model = SAEBERTopic.load(tmp_path / "model")
            model.reduce_topics(corpus.documents, 4)
        case "update":
            model.update_topics(corpus.documents, n_gram_range=(1, 2))
            assert model.topics_ == before.tolist()
    assert model.topics_.count(-1) == expected
    if edit != "delete":
        check_tables(model, corpus)


def test_topics_set_by_hand_are_edited_as_they_were_set(corpus, sae):
    model = SAEBERTopic(6, sae=sae, word_vectors="corpus").fit(corpus.documents, corpus.embeddings)
    hand = np.arange(400) // 100  # of no theme
    model.update_topics(corpus.documents, topics=hand.tolist())
    model.merge_topics(corpus.documents, [0, 1])
    check_tables(model, corpus)
    assert sorted(Counter(model.topics_).values()) == [100, 100, 200]
    model.split_topic(corpus.documents, 0)
    pieces = np.asarray(model.topics_)
    assert not set(pieces[hand < 2]) & set(pieces[hand >= 2])
    model.reduce_topics(corpus.documents, 2)
    check_tables(model, corpus)
    labels = np.asarray(model.topics_)
    assert len(model.get_topics()) == 2
    assert all(len(set(labels[pieces == piece])) == 1 for piece in set(pieces))
    with pytest.warns(UserWarning, match="given them by hand"):
        model.reduce_topics(corpus.documents, 5)
    assert model.topics_ == labels.tolist()


def test_a_few_moves_leave_words_and_mixtures_as_they_are(named, corpus):
    model = copy.deepcopy(named)
    topics = list(model.topics_)
    topics[5] = (topics[5] + 1) % 7
    topics[6] = -1
    model.update_topics(corpus.documents, topics=topics)
    assert model.topics_ == topics
    np.testing.assert_array_equal(model.probabilities_, named.probabilities_)
    model.merge_topics(corpus.documents, [4, 5])
    assert model.topics_[6] == -1


def test_topics_of_several_batches_are_edited_as_they_were_found(corpus, sae):
    model = SAEBERTopic(6, sae=sae, word_vectors="corpus")
    topics = []
    for rows in (slice(0, 200), slice(200, 400)):
        model.partial_fit(corpus.documents[rows], corpus.embeddings[rows])
        topics += model.topics_
    topics[:9] = [0] * 9
    model.topics_ = list(topics)
    model.update_topics(corpus.documents, top_n_words=5)
    assert model.topics_ == topics
    model.merge_topics(corpus.documents, [0, 1])
    assert len(set(model.topics_[:9])) == 1


@pytest.mark.parametrize("seed", range(2))
def test_decisions_outlast_calls_in_any_order(named, corpus, encoder, tmp_path, seed):
    rng = np.random.default_rng(seed)
    nearest = near_names(corpus, encoder)
    model = copy.deepcopy(named)
    topics = np.asarray(model.topics_)
    open_topics = np.arange(2, model.sae_model_.n_topics_)
    moved = rng.choice(np.flatnonzero(nearest < 0), 20, replace=False)
    topics[moved] = 2 + (topics[moved] - 1) % len(open_topics)
    given = [moved[topics[moved] == topic] for topic in set(topics[moved])]
    model.update_topics(corpus.documents, topics=topics.tolist())
    for step in range(6):
        before, n_topics = np.asarray(model.topics_), len(model.topic_sizes_)
        act = str(rng.choice(["merge", "split", "reduce", "load", "update"]))
        if act == "merge" and n_topics > 4:
            model.merge_topics(corpus.documents, [2, n_topics - 1])
        elif act == "split":
            model.split_topic(corpus.documents, 2)
        elif act == "reduce":
            model.reduce_topics(corpus.documents, int(rng.integers(4, 9)))
        elif act == "load":
            model.save(tmp_path / str(step), save_embedding_model=False)
            model = SAEBERTopic.load(tmp_path / str(step))
            assert model.topics_ == before.tolist()
        elif act == "update":
            model.update_topics(corpus.documents, top_n_words=5)
            assert model.topics_ == before.tolist()
        after = np.asarray(model.topics_)
        for rows in given:  # what was given one topic stays together, but where that is split
            if act == "reduce" or (
                len(set(before[rows])) == 1 and (act, before[rows][0]) != ("split", 2)
            ):
                assert len(set(after[rows])) == 1, (act, step)
        for name in (0, 1):
            assert len(set(after[nearest == name])) == 1
        predicted = np.asarray(model.transform(corpus.documents, corpus.embeddings)[0])
        others = np.setdiff1d(np.arange(400), moved)
        np.testing.assert_array_equal(predicted[others], after[others])
        check_tables(model, corpus)
