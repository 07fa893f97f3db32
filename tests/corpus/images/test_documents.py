"""A model of pictures and its life: fit, save, load, transform, more pictures, another fit."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from saetm_plugins import SAETopicModel
from saetm_plugins.corpus.images import embed_images, encode_images

COLORS = ["red", "green", "blue", "white"]
FITS = {"n_topics": 4, "n_atoms": 16, "k": 2}


@pytest.fixture(scope="module")
def model(scenes, captions):
    encoder = type("Pixels", (), {"encode": lambda self, pictures: _pixels(pictures)})()
    return SAETopicModel(**FITS, encoder=encoder).fit(captions, images=scenes)


def _pixels(pictures):
    return np.stack([np.asarray(p.resize((6, 6)), dtype=np.float32).ravel() for p in pictures])


def _agree(labels):
    """Tell whether topics are the four scenes."""
    return len({(row % 4, label) for row, label in enumerate(labels)}) == 4


def test_captions_are_the_words_of_topics(model):
    assert _agree(model.labels_)
    first = [words[0] for words in model.get_topics(1)]
    assert sorted(first) == sorted(COLORS)
    for topic, color in enumerate(first):
        assert model.labels_[COLORS.index(color)] == topic


def test_pictures_alone_have_topics_without_words(model, scenes, encoder):
    frozen = SAETopicModel(4, sae=model.sae_, encoder=encoder)
    np.testing.assert_array_equal(frozen.fit_transform(images=scenes), frozen.doc_topics_)
    assert _agree(frozen.labels_)
    assert frozen.components_ is None


def test_a_captioner_in_the_place_of_captions(scenes, captions, encoder, model):
    def describe(pictures):
        rows = np.abs(_pixels(pictures)[:, None] - scenes.reshape(160, -1)).sum(axis=2).argmin(1)
        return [captions[row] for row in rows]

    described = SAETopicModel(4, sae=model.sae_, encoder=encoder).fit(describe, images=scenes)
    np.testing.assert_array_equal(described.components_, model.components_)


def test_labels_of_a_classifier_are_whole_words(model, scenes, encoder, tmp_path):
    """The vectorizer that docs/images.md gives for them."""
    names = ["great white shark", "airliner", "wire-haired fox terrier", "moving van"]

    def classify(pictures):
        nearest = np.abs(_pixels(pictures)[:, None] - scenes[:4].reshape(4, -1)).sum(axis=2)
        return [[{"label": names[row]}, {"label": "tench"}] for row in nearest.argmin(axis=1)]

    labels = CountVectorizer(token_pattern="[^, ][^,]*")
    model = SAETopicModel(4, sae=model.sae_, encoder=encoder, vectorizer=labels)
    model.fit(classify, images=scenes)
    assert sorted(model.vocabulary_) == sorted([*names, "tench"])
    first = [words[0] for words in model.get_topics(1)]
    assert [first[label] for label in model.labels_[:4]] == names
    with pytest.warns(UserWarning, match="not saved.*encoder"):
        model.save(tmp_path / "model")
    loaded = SAETopicModel.load(tmp_path / "model", encoder=encoder)
    loaded.partial_fit(classify, images=scenes[:40])
    assert sorted(loaded.vocabulary_) == sorted([*names, "tench"])


def test_what_cannot_be_read_counts_towards_no_topic(folder, encoder, model, captions):
    fitted = SAETopicModel(4, sae=model.sae_, encoder=encoder)
    with pytest.warns(UserWarning, match="161") as told:
        fitted.fit([*captions, "a lie"], images=folder)
    assert any("zz.jpg" in str(warning.message) for warning in told)
    assert fitted.labels_[160] == -1
    assert _agree(fitted.labels_[:160])
    np.testing.assert_allclose(fitted.doc_topics_[160], fitted.topic_prevalence_, atol=1e-5)
    with pytest.warns(UserWarning, match="161"):
        mixtures = fitted.transform(images=folder)
    np.testing.assert_allclose(mixtures, fitted.doc_topics_, atol=1e-5)


def test_embeddings_made_before_give_the_same_topics(scenes, captions, encoder, model, tmp_path):
    shards = embed_images(scenes, tmp_path, encoder, dtype="float32", verbose=False)
    encoded = encode_images(encoder, scenes).embeddings
    for embeddings in (shards, encoded):
        fitted = SAETopicModel(4, sae=model.sae_)
        fitted.fit(captions, embeddings=embeddings, images=scenes)
        np.testing.assert_array_equal(fitted.doc_topics_, model.doc_topics_)


def test_life(model, scenes, captions, encoder, draw, tmp_path):
    with pytest.warns(UserWarning, match="not saved.*encoder"):
        model.save(tmp_path / "model")
    loaded = SAETopicModel.load(tmp_path / "model")
    with pytest.raises(ValueError, match="need the encoder the model was fitted with"):
        loaded.transform(images=scenes)
    loaded = SAETopicModel.load(tmp_path / "model", encoder=encoder)
    fresh = draw(40, seed=1)
    mixtures = loaded.transform(images=fresh)
    np.testing.assert_array_equal(mixtures, model.transform(images=fresh))
    np.testing.assert_array_equal(mixtures.argmax(axis=1), model.labels_[:40])
    loaded.retopic(2)
    loaded.retopic(4)
    np.testing.assert_array_equal(loaded.labels_, model.labels_)
    loaded.partial_fit(captions[:40], images=fresh)
    assert loaded.n_documents_seen_ == 200
    np.testing.assert_array_equal(loaded.labels_, model.labels_[:40])
    loaded.partial_fit(images=fresh, documents=lambda pictures: ["red"] * len(pictures))
    loaded.fit(images=fresh)
    assert loaded.n_documents_seen_ == 40
    assert loaded.components_ is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"documents": ["a"] * 9}, ValueError, "documents holds 9 captions for 160 images"),
        ({"embeddings": np.ones((9, 4))}, ValueError, "embeddings has 9 rows for 160 images"),
        ({"embeddings": "nowhere"}, FileNotFoundError, "holds no shards"),
        ({"bow": np.ones((9, 1)), "vocabulary": ["a"]}, ValueError, "bow has 9 rows"),
        ({"vocabulary": ["red"]}, TypeError, "embed words as well as images"),
        ({"images": []}, ValueError, "images is empty"),
        ({"images": "nowhere"}, FileNotFoundError, "no folder"),
        ({"documents": 3}, TypeError, "documents"),
    ],
)
def test_a_refused_fit_leaves_the_model_as_it_was(
    model, scenes, encoder, arguments, error, message
):
    before = {**vars(model)}
    with pytest.raises(error, match=message):
        model.fit(**{"images": scenes, **arguments})
    assert {name: id(value) for name, value in vars(model).items()} == {
        name: id(value) for name, value in before.items()
    }
