"""What newcomers to SAEBERTopic ran into: each test failed once."""

from __future__ import annotations

import copy
import logging
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from bertopic import BERTopic
from bertopic.backend import BaseEmbedder
from bertopic.dimensionality import BaseDimensionalityReduction
from bertopic.representation import VisualRepresentation
from bertopic.vectorizers import OnlineCountVectorizer
from PIL import Image
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from saetm_plugins.bertopic import SAEBERTopic, SAEClusterer, SAERepresentation

N = 400


@pytest.fixture(scope="module")
def docs(news) -> list[str]:
    return news.documents[:N]


@pytest.fixture(scope="module")
def fitted(news, docs) -> SAEBERTopic:
    return SAEBERTopic(8).fit(docs, news.embeddings[: len(docs)])


@pytest.fixture(scope="module")
def atoms(fitted):
    return fitted.sae_model_.sae_


@pytest.fixture
def model(fitted) -> SAEBERTopic:
    return copy.deepcopy(fitted, {id(fitted.embedding_model): fitted.embedding_model})


@pytest.fixture(scope="module")
def online(news, docs) -> SAEBERTopic:
    """BERTopic's recipe: batches, and the topics of all set at the end."""
    topic_model = SAEBERTopic(8, word_vectors="corpus")
    topics = []
    for first in range(0, len(docs), len(docs) // 3):
        rows = slice(first, first + len(docs) // 3)
        topic_model.partial_fit(docs[rows], news.embeddings[: len(docs)][rows])
        topics.extend(topic_model.topics_)
    topic_model.topics_ = topics
    return topic_model


def test_mixtures_come_by_default(fitted, docs, news):
    assert fitted.probabilities_.shape == (len(docs), 8)
    np.testing.assert_allclose(fitted.probabilities_.sum(axis=1), 1, atol=1e-5)
    _, mixtures = fitted.transform(docs[:3], news.embeddings[:3])
    assert mixtures.shape == (3, 8)
    one = SAEBERTopic(4, word_vectors="corpus", calculate_probabilities=False)
    assert one.fit_transform(docs[:60], news.embeddings[:60])[1].shape == (60,)


def test_texts_are_transformed_where_the_encoder_was_found_to_match(fitted, docs, news, tmp_path):
    row = next(row for row, text in enumerate(docs) if 100 < len(text) < 600)  # read whole
    topics, mixtures = fitted.transform(docs[row])
    assert topics == fitted.topics_[row : row + 1]
    np.testing.assert_allclose(mixtures, fitted.probabilities_[row : row + 1], atol=0.02)
    fitted.save(tmp_path / "model")
    assert SAEBERTopic.load(tmp_path / "model").transform(docs[row])[0] == topics
    rng = np.random.default_rng(0)
    other = SAEBERTopic(4).fit(docs[:80], rng.normal(size=(80, 384)).astype(np.float32))
    with pytest.raises(ValueError, match="texts need embeddings="):
        other.transform("text")
    refitted = copy.copy(fitted).fit(docs[:80], rng.normal(size=(80, 384)).astype(np.float32))
    assert refitted.embedding_model is None


def test_batches_are_analysed_together_by_bertopics_recipe(online, docs, news):
    info = online.get_document_info(docs)
    assert info.Topic.tolist() == online.topics_
    years = [2000 + row % 4 for row in range(len(docs))]
    over_time = online.topics_over_time(docs, years)
    assert over_time.Frequency.sum() == len(docs)
    per_class = online.topics_per_class(docs, news.classes[: len(docs)])
    assert per_class.Frequency.sum() == len(docs)
    assert set(per_class.Topic) == set(online.topics_)
    for frame in (over_time, per_class):  # words are of the documents that they stand for
        row = frame.loc[frame.Frequency.idxmax()]
        own = [d.lower() for d, t in zip(docs, online.topics_, strict=True) if t == row.Topic]
        assert all(any(word in text for text in own) for word in row.Words.split(", "))
    online.visualize_documents(docs, embeddings=news.embeddings[: len(docs)])
    with pytest.raises(ValueError, match="soft=True needs the mixtures"):
        online.topics_over_time(docs, years, soft=True)


def test_batches_are_edited_together(online, docs, tmp_path):
    online.save(tmp_path / "model")
    assert SAEBERTopic.load(tmp_path / "model").topics_ == online.topics_
    edited = copy.deepcopy(online)
    edited.merge_topics(docs, [0, 1])
    assert len(edited.topics_) == len(docs)
    assert edited.topic_sizes_ == Counter(edited.topics_)
    assert edited.topic_sizes_.keys() == set(range(7))
    edited.reduce_topics(docs, 4)
    assert sorted(edited.get_topics()) == [0, 1, 2, 3]
    assert len(edited.get_document_info(docs)) == len(docs)


def test_words_after_bertopic_fitted_the_vectorizer_anew(online, docs):
    described = copy.deepcopy(online)
    topics = np.arange(len(docs)) % 5 - 1
    frame = pd.DataFrame({"Document": docs, "ID": range(len(docs)), "Topic": topics})
    described._update_topic_size(frame)
    described._extract_topics(frame)  # of BERTopic, whose suite calls it: it fits the vectorizer
    assert all(len(described.get_topic(topic)) == 10 for topic in range(4))


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    scenes = rng.integers(0, 200, size=(5, 6, 6, 3))
    noise = rng.integers(0, 40, size=(150, 6, 6, 3))
    return [Image.fromarray((scenes[row % 5] + noise[row]).astype(np.uint8)) for row in range(150)]


def test_topics_of_images_alone_live_as_others_do(pictures, tmp_path):
    embeddings = np.stack([np.asarray(image, dtype=np.float32).ravel() for image in pictures])
    visual = {"Visual_Aspect": VisualRepresentation(nr_repr_images=4, image_height=30)}
    topic_model = SAEBERTopic(5, embedding_model=BaseEmbedder(), representation_model=visual)
    topic_model.fit(None, embeddings, images=pictures)
    collages = topic_model.topic_aspects_["Visual_Aspect"]
    assert sorted(collages) == list(range(5))
    assert all(isinstance(collage, Image.Image) for collage in collages.values())
    info = topic_model.get_topic_info()
    assert info.Count.sum() == 150
    assert "Visual_Aspect" in info
    scenes = [row % 5 for row in range(150)]
    per_class = topic_model.topics_per_class(None, scenes)
    assert per_class.Frequency.tolist() == [30] * 5
    over_time = topic_model.topics_over_time(None, list(range(150)), nr_bins=3)
    assert over_time.Frequency.sum() == 150
    assert topic_model.topics_per_class(None, scenes, soft=True).Frequency.sum() == pytest.approx(
        150, rel=1e-4
    )
    for figure in (
        topic_model.visualize_topics(),
        topic_model.visualize_hierarchy(),
        topic_model.visualize_heatmap(),
        topic_model.visualize_barchart(),
        topic_model.visualize_term_rank(),
        topic_model.visualize_topics_per_class(per_class),
        topic_model.visualize_topics_over_time(over_time),
        topic_model.visualize_distribution(topic_model.probabilities_[0], min_probability=0),
        topic_model.visualize_documents([""] * 150, embeddings=embeddings),
    ):
        assert figure.data
    assert len(topic_model.hierarchical_topics(None)) == 4
    assert len(topic_model.get_document_info(None)) == 150
    topic_model.save(tmp_path / "model")
    BERTopic.load(tmp_path / "model")
    loaded = SAEBERTopic.load(tmp_path / "model")
    assert isinstance(loaded.topic_aspects_["Visual_Aspect"][0], Image.Image)
    assert loaded.transform(None, embeddings[:9])[0] == topic_model.topics_[:9]
    topic_model.reduce_topics(None, 3, images=pictures)
    assert sorted(topic_model.topic_aspects_["Visual_Aspect"]) == [0, 1, 2]
    topic_model.merge_topics(None, [0, 1], images=pictures)
    topic_model.delete_topics([1])
    assert sorted(topic_model.topic_sizes_) == [-1, 0]


def test_names_given_by_hand_stay_with_topics_that_survive(model, docs, tmp_path):
    words = [{word for word, _ in model.get_topic(topic)} for topic in range(8)]
    model.set_topic_labels({topic: f"name {topic}" for topic in range(8)})
    model.merge_topics(docs, [0, 1])
    assert model.custom_labels_ is not None
    kept = {label: t for t, label in enumerate(model.custom_labels_) if label.startswith("name ")}
    assert {f"name {topic}" for topic in range(2, 8)} < set(kept)
    for topic in range(2, 8):
        now = {word for word, _ in model.get_topic(kept[f"name {topic}"])}
        assert now == words[topic]
    model.reduce_topics(docs, 7)
    again = {label for label in model.custom_labels_ if label.startswith("name ")}
    assert len(again) >= 4
    model.save(tmp_path / "model")
    loaded = SAEBERTopic.load(tmp_path / "model")
    assert loaded.custom_labels_ == model.custom_labels_
    assert loaded.reduce_topics(docs, 7).custom_labels_ == model.custom_labels_
    model.delete_topics([0])
    assert len(model.custom_labels_) == len(model.get_topic_info())
    model.set_topic_labels(model.generate_topic_labels())  # names that number the topics
    assert model.reduce_topics(docs, 6).custom_labels_ is None


def test_edits_of_the_model_behind_leave_the_tables_as_they_are(model, docs):
    topics = model.topics_
    assert model.sae_model_.split_topic(0).n_topics_ == 9
    model.sae_model_.set_topic_labels({0: "x"})
    assert model.topics_ is topics
    assert model.sae_model_.n_topics_ == 8
    assert set(model.sae_model_.topic_labels_) == {None}
    model.split_topic(docs, 0)
    assert model.sae_model_.n_topics_ == len(model.get_topics()) == 9


def test_without_outliers_there_is_nothing_to_reduce(model, docs):
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("BERTopic")
    log.addHandler(handler)
    try:
        for strategy in ("distributions", "probabilities", "c-tf-idf", "embeddings"):
            assert model.reduce_outliers(docs, model.topics_, strategy=strategy) == model.topics_
    finally:
        log.removeHandler(handler)
    assert len(lines) == 4
    assert "No document has topic -1" in lines[0]
    with pytest.raises(ValueError, match=r"call update_topics"):
        model.reduce_outliers(docs, [-1, *model.topics_[1:]])


def test_the_index_of_a_series_has_no_part(model, docs):
    years = [2000 + row % 3 for row in range(len(docs))]
    odd = pd.Series(years, index=np.arange(len(docs))[::-1] * 7 + 3)
    texts = pd.Series(docs, index=odd.index)
    pd.testing.assert_frame_equal(
        model.topics_over_time(texts, odd), model.topics_over_time(docs, years)
    )
    per_class = model.topics_per_class(texts, odd.astype(str))
    assert per_class.Frequency.sum() == len(docs)


def test_a_path_that_is_not_there_is_named(tmp_path, monkeypatch):
    import huggingface_hub

    def out_of_reach(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", out_of_reach)
    for path in ("models/topics", str(tmp_path / "nothing")):
        with pytest.raises(FileNotFoundError, match=f"path '{path}'"):
            SAEBERTopic.load(path)


def test_the_clusterers_labels_are_the_topics(model, docs):
    assert model.hdbscan_model.labels_.tolist() == model.topics_
    model.merge_topics(docs, [1, 2])
    mappings = model.topic_mapper_.get_mappings()
    assert [mappings[label] for label in model.hdbscan_model.labels_] == model.topics_
    model.delete_topics([0])
    assert model.hdbscan_model.labels_.tolist() == model.topics_


def test_a_first_batch_smaller_than_the_topics_asked_for_makes_fewer(docs, news):
    topic_model = SAEBERTopic(40, sae=None, word_vectors="corpus")
    with pytest.warns(UserWarning, match="n_topics=40 is more than the"):
        topic_model.partial_fit(docs[:50], news.embeddings[:50])
    topic_model.partial_fit(docs[50:100], news.embeddings[50:100])
    assert sum(topic_model.topic_sizes_.values()) == 100


def test_a_vectorizer_with_a_function_is_handed_to_load(atoms, docs, news, tmp_path):
    def make():
        return CountVectorizer(tokenizer=lambda text: text.lower().split(), min_df=5)

    embeddings = news.embeddings[: len(docs)]
    fitted = SAEBERTopic(6, sae=atoms, vectorizer_model=make(), word_vectors="corpus").fit(
        docs, embeddings
    )
    with pytest.warns(UserWarning, match="not saved"):
        fitted.save(tmp_path / "model", save_embedding_model=False)
    loaded = SAEBERTopic.load(tmp_path / "model")
    assert loaded.transform(docs[:5], embeddings[:5])[0] == fitted.topics_[:5]
    before = dict(vars(loaded))
    with pytest.raises(ValueError, match="pass load\\(…, vectorizer_model="):
        loaded.partial_fit(docs[:50], embeddings[:50])
    assert vars(loaded) == before
    loaded = SAEBERTopic.load(tmp_path / "model", vectorizer_model=make())
    loaded.partial_fit(docs[:50], embeddings[:50])
    fitted.partial_fit(docs[:50], embeddings[:50])
    assert [w for w, _ in loaded.get_topic(0)] == [w for w, _ in fitted.get_topic(0)]


def test_documents_below_the_outlier_threshold_stay_without_topic(atoms, docs, news, tmp_path):
    embeddings = news.embeddings[: len(docs)]
    fitted = SAEBERTopic(6, sae=atoms, outlier_threshold=0.4, word_vectors="corpus").fit(
        docs, embeddings
    )
    outliers = np.array(fitted.topics_) == -1
    assert 0 < outliers.mean() < 0.9
    np.testing.assert_array_equal(outliers, fitted.probabilities_.max(axis=1) < 0.4)
    assert fitted.get_topic_info().Count.sum() == len(docs)
    assert fitted.get_topic_info().Topic.tolist()[0] == -1
    for figure in (
        fitted.visualize_topics(),
        fitted.visualize_barchart(),
        fitted.visualize_heatmap(),
        fitted.visualize_hierarchy(),
        fitted.visualize_documents(docs, reduced_embeddings=embeddings[:, :2]),
    ):
        assert figure.data
    fitted.save(tmp_path / "model", save_embedding_model=False)
    loaded = SAEBERTopic.load(tmp_path / "model")
    assert loaded.topics_ == fitted.topics_
    assert loaded.transform(docs, embeddings)[0] == fitted.topics_
    loaded.reduce_topics(docs, 4)
    assert -1 in loaded.topics_


def test_the_clusterer_of_the_readme_has_words_without_stop_words(atoms, docs, news):
    from saetm_plugins.evaluation import topic_coherence

    topic_model = BERTopic(
        umap_model=BaseDimensionalityReduction(),
        hdbscan_model=SAEClusterer(n_topics=8, sae=atoms),
        vectorizer_model=CountVectorizer(stop_words="english"),
        representation_model=SAERepresentation(),
    ).fit(docs, news.embeddings[: len(docs)])
    words = [[word for word, _ in topic] for topic in topic_model.get_topics().values()]
    assert not {"the", "of", "to", "is", "and"} & {word for topic in words for word in topic}
    tokens = [re.findall(r"[^\W\d_]{3,}", text.lower()) for text in docs]
    # The clusterer sees no words: SAEBERTopic has 0.00 here, c-TF-IDF on these clusters -0.19.
    assert topic_coherence(words, tokens).mean() > -0.25


def test_another_ngram_range_after_load_and_settings_of_an_online_vectorizer(
    atoms, docs, news, tmp_path
):
    embeddings = news.embeddings[: len(docs)]
    online = OnlineCountVectorizer(stop_words="english", decay=0.01)
    fitted = SAEBERTopic(6, sae=atoms, vectorizer_model=online, word_vectors="corpus").fit(
        docs, embeddings
    )
    assert "the" not in fitted.sae_model_.vocabulary_
    fitted.save(tmp_path / "online", save_embedding_model=False)
    loaded = SAEBERTopic.load(tmp_path / "online")
    assert [w for w, _ in loaded.get_topic(0)] == [w for w, _ in fitted.get_topic(0)]
    loaded.partial_fit(docs[:50], embeddings[:50])
    assert BERTopic.load(tmp_path / "online").vectorizer_model.stop_words == "english"
    fitted = SAEBERTopic(6, sae=atoms, word_vectors="corpus").fit(docs, embeddings)
    fitted.save(tmp_path / "model", save_embedding_model=False)
    loaded = SAEBERTopic.load(tmp_path / "model")
    loaded.update_topics(docs, n_gram_range=(2, 2))
    assert all(" " in word for word, _ in loaded.get_topic(0))


@pytest.mark.parametrize("threshold", [None, 0.0, 0.3])
def test_zero_shot_topics_beside_documents_without_topic(docs, news, threshold, tmp_path):
    docs, embeddings = ["  ", *docs[1:200]], news.embeddings[:200]
    names, least = ["a match of two teams of players", "war and terrorism"], 0.25
    if news.n_topics == 20:  # 20 Newsgroups, where a data folder is
        names, least = ["religion and god", "computer graphics"], 0.3
    topic_model = SAEBERTopic(
        8,
        zeroshot_topic_list=names,
        zeroshot_min_similarity=least,
        outlier_threshold=threshold,
        word_vectors="corpus",
    )
    topics, mixtures = topic_model.fit_transform(docs, embeddings)
    assert [topic_model.topic_labels_[topic] for topic in (0, 1)] == names
    near = cosine_similarity(embeddings, topic_model.embedding_model.embed(names))
    named = near.max(axis=1) >= least
    assert np.array_equal(np.array(topics)[named], near[named].argmax(axis=1))
    others = np.array(topics)[~named]
    assert (others == -1).sum() > 1 if threshold == 0.3 else (others == -1).sum() <= 1
    np.testing.assert_allclose(mixtures.sum(axis=1), 1, atol=1e-5)
    topic_model.reduce_topics(docs, 5)
    assert set(names) <= set(topic_model.topic_labels_.values())
    assert Counter(topic_model.topics_) == +topic_model.topic_sizes_
    topic_model.save(tmp_path / "model")
    assert SAEBERTopic.load(tmp_path / "model").topics_ == topic_model.topics_


def test_zero_shot_topics_without_an_encoder_are_remarked_on(docs):
    other = np.random.default_rng(0).normal(size=(60, 24)).astype(np.float32)
    with pytest.warns(UserWarning, match="zeroshot_topic_list has no effect"):
        SAEBERTopic(3, zeroshot_topic_list=["cars"], n_atoms=8).fit(docs[:60], other)
