"""What SAEBERTopic adds to BERTopic, and what it refuses, on real text."""

from __future__ import annotations

import copy
import json
import os
import pickle

import numpy as np
import pandas as pd
import pytest
from bertopic import BERTopic
from bertopic.backend import BaseEmbedder
from bertopic.dimensionality import BaseDimensionalityReduction
from gensim.models import CoherenceModel
from gensim.utils import simple_preprocess
from PIL import Image
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import normalized_mutual_info_score

from saetm_plugins.bertopic import SAEBERTopic, SAEClusterer


@pytest.fixture(scope="module")
def fitted(news, encoder) -> SAEBERTopic:
    model = SAEBERTopic(news.n_topics, embedding_model=encoder, calculate_probabilities=True)
    model.fit(news.documents, news.embeddings)
    return model


@pytest.fixture
def model(fitted) -> SAEBERTopic:
    return copy.deepcopy(fitted, {id(fitted.embedding_model): fitted.embedding_model})


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


def test_our_matrices_are_in_the_order_of_the_topics(fitted):
    sae_model = fitted.sae_model_
    assert sae_model.labels_.tolist() == fitted.topics_
    assert sae_model.n_topics_ == len(fitted.get_topics())
    words = sae_model.get_topics(fitted.top_n_words)
    assert words == [[word for word, _ in fitted.get_topic(t)] for t in range(len(words))]
    np.testing.assert_array_equal(sae_model.doc_topics_, fitted.probabilities_)


@pytest.mark.parametrize("factor", [0.3, 2])
def test_a_recut_can_be_coarser_or_finer(model, fitted, news, factor):
    n_topics = int(factor * news.n_topics)
    atoms = fitted.sae_model_.atom_words_
    model.reduce_topics(news.documents, n_topics)
    assert len(model.get_topics()) == n_topics
    assert model.probabilities_.shape == (len(news.documents), n_topics)
    np.testing.assert_array_equal(model.sae_model_.atom_words_, atoms)
    model.reduce_topics(news.documents, news.n_topics)
    assert model.topics_ == fitted.topics_
    assert model.get_topics() == fitted.get_topics()


def test_deleted_topics_stay_out_of_later_cuts(model, news):
    shares = model.probabilities_[:, :2].sum(axis=1)
    model.delete_topics([0, 1])
    model.reduce_topics(news.documents, 6)
    np.testing.assert_allclose(model.probabilities_.sum(axis=1), 1 - shares, atol=1e-4)
    topics, mixtures = model.transform(news.documents, news.embeddings)
    assert topics == model.topics_
    assert -1 in topics
    np.testing.assert_allclose(mixtures, model.probabilities_, atol=1e-5)
    assert sum(model.topic_sizes_.values()) == len(news.documents)
    assert len([topic for topic in model.get_topics() if topic >= 0]) == 6


def test_soft_counts_add_mixtures_up(fitted, news):
    frame = fitted.topics_over_time(news.documents, news.timestamps, soft=True)
    years = pd.to_datetime(news.timestamps)
    for year in set(years):
        of_year = frame[frame.Timestamp == year].sort_values("Topic").Frequency
        expected = fitted.probabilities_[years == year].sum(axis=0)
        np.testing.assert_allclose(of_year, expected, rtol=1e-4)
    by_class = fitted.topics_per_class(news.documents, news.classes, soft=True)
    assert by_class.Frequency.sum() == pytest.approx(len(news.documents), rel=1e-5)
    fitted.visualize_topics_per_class(by_class, top_n_topics=3)
    with pytest.raises(ValueError, match="topics="):
        fitted.topics_over_time(news.documents, news.timestamps, topics=fitted.topics_, soft=True)


def test_the_door_to_gensim(fitted, news):
    import saetm_plugins.gensim  # noqa: F401, enters to_gensim

    wrapped = fitted.to_gensim()
    for topic in range(fitted.sae_model_.n_topics_):
        words = {word for word, _ in wrapped.show_topic(topic)}
        assert len(words & {word for word, _ in fitted.get_topic(topic)}) >= 8  # but for ties
    corpus = [wrapped.id2word.doc2bow(simple_preprocess(text)) for text in news.documents]
    topics = [[word for word, _ in fitted.get_topic(topic)] for topic in range(news.n_topics)]
    settings = {"corpus": corpus, "dictionary": wrapped.id2word, "coherence": "u_mass", "topn": 5}
    of_model = CoherenceModel(wrapped, **settings)
    of_words = CoherenceModel(topics=topics, **settings)
    assert of_model.get_coherence() == pytest.approx(of_words.get_coherence(), abs=0.05)


def test_words_are_merged_by_meaning_where_the_encoder_is_known(news, encoder):
    texts, embeddings = news.documents[:400], news.embeddings[:400]
    found = SAEBERTopic(n_topics=5).fit(texts, embeddings)
    given = SAEBERTopic(n_topics=5, embedding_model=encoder).fit(texts, embeddings)
    other = SAEBERTopic(n_topics=5).fit(texts, embeddings[:, ::-1].copy())
    assert found.sae_model_.atoms_.word_vectors is not None
    assert found.topic_representations_ == given.topic_representations_
    assert other.sae_model_.atoms_.word_vectors is None, "another encoder made these embeddings"
    given.update_topics(texts, n_gram_range=(1, 2))
    assert given.sae_model_.atoms_.word_vectors.shape[0] == len(given.sae_model_.vocabulary_)


def test_a_document_is_explained_by_its_atoms(fitted, news):
    atoms = fitted.explain_document(3)
    assert atoms.Weight.sum() == pytest.approx(1, abs=1e-5)
    assert atoms.Weight.is_monotonic_decreasing
    row = fitted.sae_model_.doc_atoms_[3]
    assert set(atoms.Atom) == set(row.indices)
    np.testing.assert_allclose(
        fitted.sae_model_.atom_topics_[atoms.Atom].T @ atoms.Weight.to_numpy(),
        fitted.probabilities_[3],
        atol=1e-5,
    )
    assert all(len(words) == 10 for words in atoms.Words)
    told = fitted.explain_document(news.documents[3])
    assert told.Atom[0] in set(atoms.Atom)
    with pytest.raises(IndexError, match="document"):
        fitted.explain_document(len(news.documents))


@pytest.mark.parametrize("serialization", ["safetensors", "pytorch", "pickle"])
def test_a_loaded_model_predicts_and_cuts_as_the_saved_one(
    model, news, encoder, tmp_path, serialization
):
    model.delete_topics([3])
    path = tmp_path / "model"
    model.save(path, serialization=serialization)
    loaded = SAEBERTopic.load(path, encoder, allow_pickle=serialization == "pickle")
    assert state_of(loaded) == state_of(model)
    assert loaded.get_representative_docs() == model.get_representative_docs()
    expected, mixtures = model.transform(news.documents[:40])
    topics, found = loaded.transform(news.documents[:40])
    assert topics == expected
    np.testing.assert_array_equal(found, mixtures)
    for either in (model, loaded):
        either.reduce_topics(news.documents, 7)
    assert state_of(loaded) == state_of(model)
    if serialization != "pickle":
        names = {file.suffix for file in path.rglob("*") if file.is_file()}
        assert names <= {".json", ".safetensors", ".bin", ".md"}


def test_no_code_runs_on_load(model, tmp_path, monkeypatch):
    planted = Planted(str(tmp_path / "ran"))
    (tmp_path / "pickled").write_bytes(pickle.dumps(planted))
    with pytest.raises(ValueError, match="allow_pickle=True"):
        SAEBERTopic.load(tmp_path / "pickled")
    model.save(tmp_path / "model", serialization="pytorch")
    (tmp_path / "model" / "topic_embeddings.bin").write_bytes(pickle.dumps(planted))
    with pytest.raises(ValueError, match="not the file that was saved"):
        SAEBERTopic.load(tmp_path / "model")
    for listed in (tmp_path / "model").rglob("checksums.json"):
        listed.unlink()  # as in a folder that stock BERTopic saved
    for switch in ("0", "1"):
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", switch)
        with pytest.raises(ValueError, match="no whole model of BERTopic"):
            SAEBERTopic.load(tmp_path / "model")
    assert not (tmp_path / "ran").exists()


class Planted:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_a_model_of_stock_bertopic_opens_as_one(fitted, news, encoder, tmp_path):
    merged = BERTopic.merge_models([fitted, fitted])
    merged.save(tmp_path / "stock", serialization="safetensors")
    with pytest.warns(UserWarning, match="without atoms, and is opened as a BERTopic"):
        opened = SAEBERTopic.load(tmp_path / "stock", embedding_model=encoder)
    assert type(opened) is BERTopic
    assert opened.topics_ == merged.topics_
    topics, _ = opened.transform(news.documents[:5])
    assert len(topics) == 5


def test_a_hub_folder_is_any_folder(fitted, tmp_path, monkeypatch, news):
    fitted.save(tmp_path / "repository")
    import huggingface_hub

    def snapshot_download(name, dry_run=False, **_):
        return [] if dry_run else str(tmp_path / "repository")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    loaded = SAEBERTopic.load("someone/topics")
    assert loaded.transform(None, news.embeddings[:9])[0] == fitted.topics_[:9]
    with pytest.raises(FileNotFoundError, match="does not exist"):
        SAEBERTopic.load(str(tmp_path / "nowhere" / "model"))


def test_saving_over_a_model_replaces_it_whole(model, news, tmp_path):
    model.save(tmp_path / "model")
    model.reduce_topics(news.documents, 5)
    model.save(tmp_path / "model")
    assert state_of(SAEBERTopic.load(tmp_path / "model")) == state_of(model)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda m, d: m.reduce_topics(d, 0), ValueError, "n_topics"),
        (lambda m, d: m.reduce_topics(d[:-1], 5), ValueError, "docs holds"),
        (lambda m, d: m.reduce_topics("text", 5), TypeError, "list of strings"),
        (lambda m, d: m.merge_topics(d, [0, 999]), ValueError, "999"),
        (lambda m, d: m.merge_topics([None] * len(d), [0, 1]), TypeError, r"docs\[0\] must be"),
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
def test_a_refused_call_leaves_the_model_as_it_was(model, news, act, error, message):
    before = state_of(model)
    with pytest.raises(error, match=message):
        act(model, news.documents)
    assert state_of(model) == before


def test_more_topics_than_a_small_corpus_carries_are_fewer_with_a_warning(news):
    for topic_model in (
        SAEBERTopic(40, sae=None),
        BERTopic(
            hdbscan_model=SAEClusterer(40, sae=None), umap_model=BaseDimensionalityReduction()
        ),
    ):
        with pytest.warns(UserWarning, match="n_topics=40 is more than the 25 live atoms"):
            topic_model.fit(news.documents[:50], news.embeddings[:50])
        assert 2 <= len(topic_model.get_topics()) <= 25


def test_slots_that_atoms_replace_are_named_in_a_warning():
    with pytest.warns(UserWarning, match="hdbscan_model is not used"):
        SAEBERTopic(hdbscan_model=SAEClusterer())


class PixelEmbedder(BaseEmbedder):
    """Embeds images by their pixels, with MultiModalBackend's interface."""

    def embed(self, documents, images=None, verbose=False):
        return self.embed_images(images)

    def embed_images(self, images, verbose=False):
        return np.stack([np.asarray(image, dtype=np.float32).ravel() for image in images])


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    scenes = rng.integers(0, 200, size=(4, 6, 6, 3))
    noise = rng.integers(0, 40, size=(120, 6, 6, 3))
    return [Image.fromarray((scenes[row % 4] + noise[row]).astype(np.uint8)) for row in range(120)]


def test_images_have_topics_with_captions_and_without(pictures):
    captions = [f"scene {['red', 'green', 'blue', 'white'][row % 4]}" for row in range(120)]
    model = SAEBERTopic(4, embedding_model=PixelEmbedder(), calculate_probabilities=True)
    model.fit(captions, images=pictures)
    assert {model.get_topic(topic)[0][0] for topic in range(4)} == {"red", "green", "blue", "white"}
    alone = SAEBERTopic(4, embedding_model=PixelEmbedder()).fit(None, images=pictures)
    groups = {(row % 4, topic) for row, topic in enumerate(alone.topics_)}
    assert len(groups) == 4
    topics, _ = alone.transform(None, images=pictures[:8])
    assert topics == alone.topics_[:8]


def test_images_in_an_unmodified_bertopic(pictures):
    from bertopic.representation import VisualRepresentation

    captions = [f"scene {['red', 'green', 'blue', 'white'][row % 4]}" for row in range(120)]
    model = BERTopic(
        umap_model=BaseDimensionalityReduction(),
        hdbscan_model=SAEClusterer(4),
        representation_model={"Visual": VisualRepresentation(nr_repr_images=4)},
    )
    embeddings = PixelEmbedder().embed_images(pictures)
    model.fit(captions, embeddings, images=pictures)
    assert sorted(model.topic_sizes_.values()) == [30] * 4
    assert all(isinstance(image, Image.Image) for image in model.topic_aspects_["Visual"].values())


def test_merged_models_of_the_same_atoms_are_one_model_of_all_documents(news, fitted):
    # By the corpus alone: each model has an encoder embed the words that matter in its documents.
    sae, half = fitted.sae_model_.sae_, len(news.documents) // 2
    vectorizer = fitted.vectorizer_model
    parts = [slice(0, half), slice(half, None)]
    words = vectorizer.vocabulary_
    models = [
        SAEBERTopic(
            20,
            sae=sae,
            word_vectors="corpus",
            vectorizer_model=CountVectorizer(vocabulary=words),
        ).fit(news.documents[rows], news.embeddings[rows])
        for rows in parts
    ]  # fmt: skip
    merged = SAEBERTopic.merge_models(models)
    assert isinstance(merged, SAEBERTopic)
    whole = SAEBERTopic(
        20,
        sae=sae,
        word_vectors="corpus",
        vectorizer_model=CountVectorizer(vocabulary=vectorizer.vocabulary_),
    ).fit(news.documents, news.embeddings)
    assert len(merged.topics_) == len(news.documents)
    agreement = normalized_mutual_info_score(merged.topics_, whole.topics_)
    assert agreement > 0.99
    np.testing.assert_allclose(
        merged.sae_model_.atom_words_, whole.sae_model_.atom_words_, atol=1e-5
    )
    assert set(merged.representative_docs_) == set(range(20))
    merged.reduce_topics(news.documents, 8)
    merged.visualize_barchart()
    assert len(models[0].topics_) == half, "the parts stay as they were"
