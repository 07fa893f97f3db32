"""What SAEBERTopic adds to BERTopic, and what users ran into, on real text."""

from __future__ import annotations

import copy
import json
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
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.pairwise import cosine_similarity

from saetm_plugins.bertopic import SAEBERTopic, SAEClusterer, SAERepresentation

N, N_TOPICS = 400, 8


@pytest.fixture(scope="module")
def docs(news) -> list[str]:
    return news.documents[:N]


@pytest.fixture(scope="module")
def embeddings(news, docs) -> np.ndarray:
    return news.embeddings[: len(docs)]


@pytest.fixture(scope="module")
def fitted(docs, embeddings, news_sae) -> SAEBERTopic:
    return SAEBERTopic(N_TOPICS, sae=news_sae).fit(docs, embeddings)


@pytest.fixture
def model(fitted) -> SAEBERTopic:
    return copy.copy(fitted)  # edits replace attributes


@pytest.fixture(scope="module")
def online(docs, embeddings, news_sae) -> SAEBERTopic:
    """BERTopic's recipe: batches, and the topics of all set at the end."""
    topic_model = SAEBERTopic(N_TOPICS, sae=news_sae, word_vectors="corpus")
    topics = []
    for rows in np.array_split(np.arange(len(docs)), 3):
        topic_model.partial_fit([docs[row] for row in rows], embeddings[rows])
        topics.extend(topic_model.topics_)
    topic_model.topics_ = topics
    return topic_model


def state_of(model: SAEBERTopic) -> tuple:
    sae_model = model.sae_model_
    return (
        list(model.topics_),
        dict(model.topic_sizes_),
        json.dumps(model.get_topics()),
        model.probabilities_.tobytes(),
        model.topic_embeddings_.tobytes(),
        sae_model.atom_topics_.toarray().tobytes(),
        sae_model.components_.tobytes(),
    )


def test_matrices_are_in_the_order_of_the_topics(fitted, docs, embeddings, news_sae):
    sae_model = fitted.sae_model_
    assert sae_model.labels_.tolist() == fitted.topics_ == fitted.hdbscan_model.labels_.tolist()
    words = sae_model.get_topics(fitted.top_n_words)
    assert words == [[word for word, _ in fitted.get_topic(t)] for t in range(N_TOPICS)]
    assert fitted.probabilities_.shape == (len(docs), N_TOPICS)
    np.testing.assert_allclose(fitted.probabilities_.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(sae_model.doc_topics_, fitted.probabilities_)
    one = SAEBERTopic(4, sae=news_sae, word_vectors="corpus", calculate_probabilities=False)
    assert one.fit_transform(docs[:60], embeddings[:60])[1].shape == (60,)


def test_texts_are_transformed_where_the_encoder_was_found_to_match(
    fitted, docs, embeddings, news_sae, tmp_path
):
    row = next(row for row, text in enumerate(docs) if 100 < len(text) < 600)  # read whole
    topics, mixtures = fitted.transform(docs[row])
    assert topics == fitted.topics_[row : row + 1]
    np.testing.assert_allclose(mixtures, fitted.probabilities_[row : row + 1], atol=0.02)
    fitted.save(tmp_path / "model")
    assert SAEBERTopic.load(tmp_path / "model").transform(docs[row])[0] == topics
    assert fitted.sae_model_.atoms_.word_vectors is not None
    refitted = copy.copy(fitted).fit(docs[:80], embeddings[:80, ::-1].copy())
    assert refitted.embedding_model is None
    assert refitted.sae_model_.atoms_.word_vectors is None
    with pytest.raises(ValueError, match="texts need embeddings="):
        refitted.transform("text")


def test_words_of_a_given_encoder_are_those_of_one_that_was_found(
    fitted, docs, embeddings, encoder, news_sae
):
    given = SAEBERTopic(N_TOPICS, sae=news_sae, embedding_model=encoder).fit(docs, embeddings)
    assert given.topic_representations_ == fitted.topic_representations_
    given.update_topics(docs, n_gram_range=(1, 2))
    assert given.sae_model_.atoms_.word_vectors.shape[0] == len(given.sae_model_.vocabulary_)


@pytest.mark.parametrize("n_topics", [3, 16])
def test_a_recut_can_be_coarser_or_finer(model, fitted, docs, n_topics):
    atoms = fitted.sae_model_.atom_words_
    model.reduce_topics(docs, n_topics)
    assert (
        model.probabilities_.shape == (len(docs), n_topics) == (len(docs), len(model.get_topics()))
    )
    np.testing.assert_array_equal(model.sae_model_.atom_words_, atoms)
    model.reduce_topics(docs, N_TOPICS)
    assert state_of(model)[:4] == state_of(fitted)[:4]


def test_deleted_topics_stay_out_of_later_cuts(model, docs, embeddings):
    shares = model.probabilities_[:, :2].sum(axis=1)
    model.delete_topics([0, 1])
    assert model.hdbscan_model.labels_.tolist() == model.topics_
    model.reduce_topics(docs, 5)
    # Where the cut leaves out a document's main atom, its other atoms share the mixture.
    np.testing.assert_allclose(model.probabilities_.sum(axis=1), 1 - shares, atol=1e-4)
    topics, mixtures = model.transform(docs, embeddings)
    assert topics == model.topics_
    assert -1 in topics
    np.testing.assert_allclose(mixtures, model.probabilities_, atol=1e-5)
    assert sum(model.topic_sizes_.values()) == len(docs)
    assert len([topic for topic in model.get_topics() if topic >= 0]) == 5


def test_soft_counts_add_mixtures_up(fitted, news, docs):
    times, classes = news.timestamps[: len(docs)], news.classes[: len(docs)]
    frame = fitted.topics_over_time(docs, times, soft=True)
    years = pd.to_datetime(times)
    for year in set(years):
        of_year = frame[frame.Timestamp == year].sort_values("Topic").Frequency
        expected = fitted.probabilities_[years == year].sum(axis=0)
        np.testing.assert_allclose(of_year, expected, rtol=1e-4)
    by_class = fitted.topics_per_class(docs, classes, soft=True)
    assert by_class.Frequency.sum() == pytest.approx(len(docs), rel=1e-5)
    fitted.visualize_topics_per_class(by_class, top_n_topics=3)
    with pytest.raises(ValueError, match="topics="):
        fitted.topics_over_time(docs, times, topics=fitted.topics_, soft=True)


def test_the_index_of_a_series_has_no_part(model, docs):
    years = [2000 + row % 3 for row in range(len(docs))]
    odd = pd.Series(years, index=np.arange(len(docs))[::-1] * 7 + 3)
    texts = pd.Series(docs, index=odd.index)
    pd.testing.assert_frame_equal(
        model.topics_over_time(texts, odd), model.topics_over_time(docs, years)
    )
    per_class = model.topics_per_class(texts, odd.astype(str))
    assert per_class.Frequency.sum() == len(docs)


def test_the_door_to_gensim(fitted):
    import saetm_plugins.gensim  # noqa: F401, enters to_gensim

    wrapped = fitted.to_gensim()
    for topic in range(N_TOPICS):
        words = {word for word, _ in wrapped.show_topic(topic)}
        assert len(words & {word for word, _ in fitted.get_topic(topic)}) >= 8  # but for ties


def test_a_document_is_explained_by_its_atoms(fitted, docs):
    atoms = fitted.explain_document(3)
    assert atoms.Weight.sum() == pytest.approx(1, abs=1e-5)
    assert atoms.Weight.is_monotonic_decreasing
    assert set(atoms.Atom) == set(fitted.sae_model_.doc_atoms_[3].indices)
    shares = fitted.sae_model_.atom_topics_[atoms.Atom].T @ atoms.Weight.to_numpy()
    np.testing.assert_allclose(shares, fitted.probabilities_[3], atol=1e-5)
    assert all(len(words) == 10 for words in atoms.Words)
    assert fitted.explain_document(docs[3]).Atom[0] in set(atoms.Atom)
    with pytest.raises(IndexError, match="document"):
        fitted.explain_document(len(docs))


def test_batches_are_analysed_together_by_bertopics_recipe(online, news, docs, embeddings):
    assert online.get_document_info(docs).Topic.tolist() == online.topics_
    years = [2000 + row % 4 for row in range(len(docs))]
    over_time = online.topics_over_time(docs, years)
    per_class = online.topics_per_class(docs, news.classes[: len(docs)])
    assert set(per_class.Topic) == set(online.topics_)
    for frame in (over_time, per_class):  # words are of the documents that they stand for
        assert frame.Frequency.sum() == len(docs)
        row = frame.loc[frame.Frequency.idxmax()]
        own = [d.lower() for d, t in zip(docs, online.topics_, strict=True) if t == row.Topic]
        assert all(any(word in text for text in own) for word in row.Words.split(", "))
    online.visualize_documents(docs, reduced_embeddings=embeddings[:, :2])
    with pytest.raises(ValueError, match="soft=True needs the mixtures"):
        online.topics_over_time(docs, years, soft=True)


def test_batches_are_edited_together(online, docs, tmp_path):
    online.save(tmp_path / "model")
    assert SAEBERTopic.load(tmp_path / "model").topics_ == online.topics_
    edited = copy.copy(online)
    edited.merge_topics(docs, [0, 1])
    assert edited.topic_sizes_ == Counter(edited.topics_)
    assert edited.topic_sizes_.keys() == set(range(N_TOPICS - 1))
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


def test_names_given_by_hand_stay_with_topics_that_survive(model, docs, tmp_path):
    words = [{word for word, _ in model.get_topic(topic)} for topic in range(N_TOPICS)]
    model.set_topic_labels({topic: f"name {topic}" for topic in range(N_TOPICS)})
    model.merge_topics(docs, [0, 1])
    kept = {label: t for t, label in enumerate(model.custom_labels_) if label.startswith("name ")}
    assert {f"name {topic}" for topic in range(2, N_TOPICS)} < set(kept)
    for topic in range(2, N_TOPICS):
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
    assert model.sae_model_.split_topic(0).n_topics_ == N_TOPICS + 1
    model.sae_model_.set_topic_labels({0: "x"})
    assert model.topics_ is topics
    assert model.sae_model_.n_topics_ == N_TOPICS
    assert set(model.sae_model_.topic_labels_) == {None}
    model.split_topic(docs, 0)
    assert model.sae_model_.n_topics_ == len(model.get_topics()) == N_TOPICS + 1
    model.merge_topics(docs, [1, 2])
    mappings = model.topic_mapper_.get_mappings()
    assert [mappings[label] for label in model.hdbscan_model.labels_] == model.topics_


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


def test_documents_below_the_outlier_threshold_stay_without_topic(
    docs, embeddings, news_sae, tmp_path
):
    topic_model = SAEBERTopic(6, sae=news_sae, outlier_threshold=0.4, word_vectors="corpus")
    topic_model.fit(docs, embeddings)
    outliers = np.array(topic_model.topics_) == -1
    assert 0 < outliers.mean() < 0.9
    np.testing.assert_array_equal(outliers, topic_model.probabilities_.max(axis=1) < 0.4)
    info = topic_model.get_topic_info()
    assert info.Count.sum() == len(docs)
    assert info.Topic.tolist()[0] == -1
    for figure in (
        topic_model.visualize_topics(),
        topic_model.visualize_barchart(),
        topic_model.visualize_heatmap(),
        topic_model.visualize_hierarchy(),
        topic_model.visualize_documents(docs, reduced_embeddings=embeddings[:, :2]),
    ):
        assert figure.data
    topic_model.save(tmp_path / "model", save_embedding_model=False)
    loaded = SAEBERTopic.load(tmp_path / "model")
    assert loaded.topics_ == loaded.transform(docs, embeddings)[0] == topic_model.topics_
    loaded.reduce_topics(docs, 4)
    assert -1 in loaded.topics_


@pytest.mark.parametrize("threshold", [None, 0.0, 0.3])
def test_zero_shot_topics_beside_documents_without_topic(
    news, docs, embeddings, news_sae, threshold, tmp_path
):
    docs, embeddings = ["  ", *docs[1:200]], embeddings[:200]
    names, least = ["a match of two teams of players", "war and terrorism"], 0.25
    if news.n_topics == 20:  # 20 Newsgroups, where a data folder is
        names, least = ["religion and god", "computer graphics"], 0.3
    topic_model = SAEBERTopic(
        N_TOPICS,
        sae=news_sae,
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


def test_arguments_without_effect_are_named_in_a_warning(docs):
    other = np.random.default_rng(0).normal(size=(60, 24)).astype(np.float32)
    with pytest.warns(UserWarning, match="zeroshot_topic_list has no effect"):
        SAEBERTopic(3, zeroshot_topic_list=["cars"], n_atoms=8).fit(docs[:60], other)
    with pytest.warns(UserWarning, match="hdbscan_model is not used"):
        SAEBERTopic(hdbscan_model=SAEClusterer())


@pytest.mark.parametrize("serialization", ["safetensors", "pytorch", "pickle"])
def test_a_loaded_model_predicts_and_cuts_as_the_saved_one(
    model, docs, encoder, tmp_path, serialization
):
    model.delete_topics([3])
    path = tmp_path / "model"
    model.save(path, serialization=serialization)
    loaded = SAEBERTopic.load(path, encoder, allow_pickle=serialization == "pickle")
    assert state_of(loaded) == state_of(model)
    assert loaded.get_representative_docs() == model.get_representative_docs()
    expected, mixtures = model.transform(docs[:9])
    topics, found = loaded.transform(docs[:9])
    assert topics == expected
    np.testing.assert_array_equal(found, mixtures)
    for either in (model, loaded):
        either.reduce_topics(docs, 6)
    assert state_of(loaded) == state_of(model)
    if serialization != "pickle":
        names = {file.suffix for file in path.rglob("*") if file.is_file()}
        assert names <= {".json", ".safetensors", ".bin", ".md"}
        model.save(path, serialization=serialization)  # over the one before
        assert state_of(SAEBERTopic.load(path)) == state_of(model)
        assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_a_model_of_stock_bertopic_opens_as_one(fitted, docs, encoder, tmp_path):
    merged = BERTopic.merge_models([fitted, fitted])
    merged.save(tmp_path / "stock", serialization="safetensors")
    with pytest.warns(UserWarning, match="without atoms, and is opened as a BERTopic"):
        opened = SAEBERTopic.load(tmp_path / "stock", embedding_model=encoder)
    assert type(opened) is BERTopic
    assert opened.topics_ == merged.topics_
    assert len(opened.transform(docs[:5])[0]) == 5


def test_a_hub_folder_is_any_folder(fitted, embeddings, tmp_path, monkeypatch):
    fitted.save(tmp_path / "repository")
    import huggingface_hub

    def snapshot_download(name, dry_run=False, **_):
        if name != "someone/topics":
            raise OSError("no network")
        return [] if dry_run else str(tmp_path / "repository")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    loaded = SAEBERTopic.load("someone/topics")
    assert loaded.transform(None, embeddings[:9])[0] == fitted.topics_[:9]
    for path in ("models/topics", str(tmp_path / "nothing")):
        with pytest.raises(FileNotFoundError, match=f"path '{path}'"):
            SAEBERTopic.load(path)


def test_a_vectorizer_with_a_function_is_handed_to_load(docs, embeddings, news_sae, tmp_path):
    def make():
        return CountVectorizer(tokenizer=lambda text: text.lower().split(), min_df=5)

    options = {"sae": news_sae, "vectorizer_model": make(), "word_vectors": "corpus"}
    fitted = SAEBERTopic(6, **options).fit(docs, embeddings)
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


def test_settings_of_an_online_vectorizer_and_another_ngram_range_after_load(
    fitted, docs, embeddings, news_sae, tmp_path
):
    vectorizer = OnlineCountVectorizer(stop_words="english", decay=0.01)
    options = {"sae": news_sae, "vectorizer_model": vectorizer, "word_vectors": "corpus"}
    online = SAEBERTopic(6, **options).fit(docs, embeddings)
    assert "the" not in online.sae_model_.vocabulary_
    online.save(tmp_path / "online", save_embedding_model=False)
    loaded = SAEBERTopic.load(tmp_path / "online")
    assert [w for w, _ in loaded.get_topic(0)] == [w for w, _ in online.get_topic(0)]
    loaded.partial_fit(docs[:50], embeddings[:50])
    assert BERTopic.load(tmp_path / "online").vectorizer_model.stop_words == "english"
    fitted.save(tmp_path / "model")
    loaded = SAEBERTopic.load(tmp_path / "model")
    loaded.update_topics(docs, n_gram_range=(2, 2))
    assert all(" " in word for word, _ in loaded.get_topic(0))


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda m, d: m.reduce_topics(d, 0), ValueError, "n_topics"),
        (lambda m, d: m.reduce_topics(d[:-1], 5), ValueError, "docs holds"),
        (lambda m, d: m.reduce_topics("text", 5), TypeError, "list of strings"),
        (lambda m, d: m.merge_topics(d, [0, 999]), ValueError, "999"),
        (lambda m, d: m.delete_topics([999]), ValueError, "999"),
        (lambda m, d: m.delete_topics(list(m.get_topics())), ValueError, "all"),
        (lambda m, d: m.update_topics(d, topics=[0, 1]), ValueError, "topics"),
        (lambda m, d: m.update_topics(d, topics=[-1] * len(d)), ValueError, "topics"),
        (lambda m, d: m.fit(d[:50], np.zeros((49, 384), "f")), ValueError, "len"),
        (lambda m, d: m.fit(d[:50], np.full((50, 384), np.nan, "f")), ValueError, "NaN"),
        (lambda m, d: m.transform(d[:2], np.zeros((2, 7), "f")), ValueError, "dimensions"),
        (lambda m, d: m.transform(None, images=["a.png"]), ValueError, "images need"),
        (lambda m, d: m.partial_fit(d[:2], np.full((2, 384), np.inf, "f")), ValueError, "infinity"),
        (lambda m, d: m.save("x", serialization="json"), ValueError, "serialization"),
    ],
)
def test_a_refused_call_leaves_the_model_as_it_was(model, docs, act, error, message):
    before = state_of(model)
    with pytest.raises(error, match=message):
        act(model, docs)
    assert state_of(model) == before


def test_a_first_batch_smaller_than_the_topics_asked_for_makes_fewer(docs, embeddings):
    topic_model = SAEBERTopic(40, sae=None, word_vectors="corpus")
    with pytest.warns(UserWarning, match="n_topics=40 is more than the 25 live atoms"):
        topic_model.partial_fit(docs[:50], embeddings[:50])
    assert 2 <= len(topic_model.get_topics()) <= 25
    topic_model.partial_fit(docs[50:100], embeddings[50:100])
    assert sum(topic_model.topic_sizes_.values()) == 100


def test_the_clusterer_of_the_readme_has_words_without_stop_words(docs, embeddings, news_sae):
    from saetm_plugins.evaluation import topic_coherence

    topic_model = BERTopic(
        umap_model=BaseDimensionalityReduction(),
        hdbscan_model=SAEClusterer(n_topics=N_TOPICS, sae=news_sae),
        vectorizer_model=CountVectorizer(stop_words="english"),
        representation_model=SAERepresentation(),
    ).fit(docs, embeddings)
    words = [[word for word, _ in topic] for topic in topic_model.get_topics().values()]
    assert not {"the", "of", "to", "is", "and"} & {word for topic in words for word in topic}
    tokens = [re.findall(r"[^\W\d_]{3,}", text.lower()) for text in docs]
    # The clusterer sees no words: SAEBERTopic has 0.00 here, c-TF-IDF on these clusters -0.19.
    assert topic_coherence(words, tokens).mean() > -0.25


def test_merged_models_of_the_same_atoms_are_one_model_of_all_documents(
    fitted, docs, embeddings, news_sae
):
    def make():  # by the corpus alone: each model has an encoder embed the words of its documents
        counting = CountVectorizer(vocabulary=fitted.vectorizer_model.vocabulary_)
        return SAEBERTopic(N_TOPICS, sae=news_sae, word_vectors="corpus", vectorizer_model=counting)

    half = len(docs) // 2
    models = [
        make().fit(docs[:half], embeddings[:half]),
        make().fit(docs[half:], embeddings[half:]),
    ]
    merged = SAEBERTopic.merge_models(models)
    assert isinstance(merged, SAEBERTopic)
    one = make().fit(docs, embeddings)
    assert len(merged.topics_) == len(docs)
    # Documents keep what they were near to among those of their own model.
    assert normalized_mutual_info_score(merged.topics_, one.topics_) > 0.8
    new = [model.transform(docs, embeddings)[0] for model in (merged, one)]
    assert normalized_mutual_info_score(*new) > 0.99
    np.testing.assert_allclose(merged.sae_model_.atom_words_, one.sae_model_.atom_words_, atol=1e-5)
    assert set(merged.representative_docs_) == set(range(N_TOPICS))
    merged.reduce_topics(docs, 5)
    merged.visualize_barchart()
    assert len(models[0].topics_) == half, "the parts stay as they were"


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    scenes = rng.integers(0, 200, size=(5, 6, 6, 3))
    noise = rng.integers(0, 40, size=(150, 6, 6, 3))
    return [Image.fromarray((scenes[row % 5] + noise[row]).astype(np.uint8)) for row in range(150)]


class PixelEmbedder(BaseEmbedder):
    """Embeds images by their pixels, with MultiModalBackend's interface."""

    def embed(self, documents, images=None, verbose=False):
        return self.embed_images(images)

    def embed_images(self, images, verbose=False):
        return np.stack([np.asarray(image, dtype=np.float32).ravel() for image in images])


def test_images_with_captions_have_words(pictures):
    colours = ["red", "green", "blue", "white", "black"]
    captions = [f"scene {colours[row % 5]}" for row in range(150)]
    topic_model = SAEBERTopic(5, sae=None, embedding_model=PixelEmbedder())
    topic_model.fit(captions, images=pictures)
    assert {topic_model.get_topic(topic)[0][0] for topic in range(5)} == set(colours)
    topics, _ = topic_model.transform(None, images=pictures[:8])
    assert topics == topic_model.topics_[:8]


def test_topics_of_images_alone_live_as_others_do(pictures, tmp_path):
    embeddings = PixelEmbedder().embed_images(pictures)
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
        topic_model.visualize_documents([""] * 150, reduced_embeddings=embeddings[:, :2]),
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
