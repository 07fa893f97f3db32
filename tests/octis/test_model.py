"""The OCTIS adapter: OCTIS' contract, what each mode returns, what is kept, what is refused."""

import re
import sys
import warnings
from functools import partial

import numpy as np
import pytest
from octis.dataset.dataset import Dataset
from sklearn.feature_extraction.text import HashingVectorizer

from saetm_plugins.atoms import choice
from saetm_plugins.corpus import Passages
from saetm_plugins.octis import SAETM
from saetm_plugins.octis.compat import INSTALL, import_octis
from saetm_plugins.octis.data import encode_cached

N_TRAIN, N_VALIDATION = 280, 320
SMALL = {"n_atoms": 32, "k": 4, "num_topics": 5}


def make_dataset(planted, /, **changes):
    tokens = [text.split() for text in planted.documents]
    parts = {
        "corpus": tokens,
        "vocabulary": sorted({word for words in tokens for word in words}, reverse=True),
        "labels": planted.themes.tolist(),
        "metadata": {"last-training-doc": N_TRAIN, "last-validation-doc": N_VALIDATION},
    }
    return Dataset(**{**parts, **changes})


@pytest.fixture(scope="module", autouse=True)
def quick_atoms():
    """Atoms are trained for few steps, which is enough for the planted corpus."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "train_sae", partial(choice.train_sae, n_steps=150))
        yield


@pytest.fixture(scope="module")
def dataset(corpus):
    return make_dataset(corpus)


@pytest.fixture
def model(corpus):
    return SAETM(**SMALL, embeddings=corpus.embeddings)


@pytest.fixture(scope="module")
def trained(corpus, dataset):
    """A model that has trained; tests only call what is kept between calls anyway."""
    model = SAETM(**SMALL, embeddings=corpus.embeddings)
    return model, model.train_model(dataset)


@pytest.fixture
def trainings(monkeypatch):
    """The number of documents of each training of an autoencoder."""
    found, train = [], choice.train_sae

    def counted(embeddings, **options):
        found.append(len(embeddings))
        return train(embeddings, **options)

    monkeypatch.setattr(choice, "train_sae", counted)
    return found


def test_output_has_octis_names_and_shapes(trained, dataset):
    _, output = trained
    assert set(output) == {
        "topics",
        "topic-word-matrix",
        "topic-document-matrix",
        "test-topic-document-matrix",
    }
    assert [len(words) for words in output["topics"]] == [10] * 5
    assert output["topic-word-matrix"].shape == (5, len(dataset.get_vocabulary()))
    assert output["topic-document-matrix"].shape == (5, N_TRAIN)
    assert output["test-topic-document-matrix"].shape == (5, 400 - N_VALIDATION)
    np.testing.assert_allclose(output["topic-word-matrix"].sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(output["topic-document-matrix"].sum(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(output["test-topic-document-matrix"].sum(axis=0), 1, rtol=1e-5)
    assert (output["topic-word-matrix"] > 0).all()


def test_columns_follow_the_dataset_vocabulary(trained, dataset):
    _, output = trained
    vocabulary = dataset.get_vocabulary()
    for words, row in zip(output["topics"], output["topic-word-matrix"], strict=True):
        assert [vocabulary[column] for column in np.argsort(-row, kind="stable")[:10]] == words


def test_topics_are_the_planted_themes(trained, corpus):
    _, output = trained
    themes = {tuple({word[:6] for word in words[:6]}) for words in output["topics"]}
    assert themes == {(f"theme{letter}",) for letter in "abcde"}
    test_topics = output["test-topic-document-matrix"].argmax(axis=0)
    pairs = set(zip(test_topics, corpus.themes[N_VALIDATION:], strict=True))
    assert len(pairs) < 12  # nearly one to one; second themes blur it


def test_update_with_test_keeps_the_autoencoder(model, dataset, trainings):
    model.partitioning(True, update_with_test=True)
    output = model.train_model(dataset)
    assert trainings == [N_TRAIN]
    assert output["topic-document-matrix"].shape == (5, N_TRAIN)
    assert output["test-topic-document-matrix"].shape == (5, N_TRAIN + 400 - N_VALIDATION)
    assert output["test-topic-word-matrix"].shape == output["topic-word-matrix"].shape
    assert len(output["test-topics"]) == 5


def test_top_words_zero_leaves_out_topics(trained, dataset):
    model, _ = trained
    assert "topics" not in model.train_model(dataset, top_words=0)
    assert len(model.train_model(dataset, top_words=3)["topics"][0]) == 3


def test_a_search_trains_again_for_other_atoms_only(model, dataset, trainings):
    for num_topics, merge in ((3, "nmf"), (8, "kmeans"), (5, "ward")):
        output = model.train_model(dataset, {"num_topics": num_topics, "merge": merge})
        assert len(output["topics"]) == num_topics
    fits = [
        model.train_model(dataset, {"emission_n_iter": n})["topic-word-matrix"] for n in (1, 20)
    ]
    assert not np.array_equal(*fits)
    model.train_model(dataset, {"sharpening": 1.0})
    assert trainings == [N_TRAIN]
    for n_atoms in (48, 32):
        model.train_model(dataset, {"n_atoms": n_atoms})
    assert trainings == [N_TRAIN, N_TRAIN]


def test_kept_stages_give_what_a_new_model_gives(model, dataset, corpus):
    for settings in ({"num_topics": 8}, {"emission_n_iter": 3}, {"num_topics": 4}):
        model.train_model(dataset, settings)
    fresh = SAETM(**SMALL, embeddings=corpus.embeddings)
    wanted = {"num_topics": 6, "emission_n_iter": 2}
    one, other = model.train_model(dataset, wanted), fresh.train_model(dataset, wanted)
    assert one["topics"] == other["topics"]
    for name in ("topic-word-matrix", "topic-document-matrix", "test-topic-document-matrix"):
        np.testing.assert_array_equal(one[name], other[name])


def test_dataset_changed_in_place_is_seen(model, corpus, trainings):
    changing = make_dataset(corpus)
    before = model.train_model(changing)
    changing.get_corpus()[0].append(changing.get_vocabulary()[0])
    model.train_model(changing)
    changing.get_metadata()["last-training-doc"] = N_TRAIN - 20
    after = model.train_model(changing)
    assert trainings == [N_TRAIN, N_TRAIN, N_TRAIN - 20]
    name = "test-topic-document-matrix"  # of the same documents, by another autoencoder
    assert before[name].shape == after[name].shape
    assert not np.array_equal(before[name], after[name])


def test_runs_without_a_seed_differ_and_can_be_had_again(dataset, corpus):
    series = []
    for _ in range(2):
        model = SAETM(**SMALL, random_state=None, embeddings=corpus.embeddings)
        series.append([model.train_model(dataset)["topic-document-matrix"] for _ in range(2)])
    assert not np.array_equal(series[0][0], series[0][1])
    np.testing.assert_array_equal(series[0], series[1])


def test_hyperparameters_are_taken_over_and_checked(model):
    model.set_hyperparameters(num_topics=np.int64(7), sharpening=np.float64(1.5))
    assert model.hyperparameters["num_topics"] == 7
    assert type(model.hyperparameters["num_topics"]) is int
    assert "num_topics" in model.hyperparameters_info()
    assert "Girrbach" in model.info()["citation"]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"n_topics": 5}, ValueError, "unknown hyperparameter 'n_topics'"),
        ({"num_topics": 2.5}, TypeError, "num_topics must be an integer; found 2.5"),
        ({"num_topics": 0}, ValueError, "num_topics must be at least 1"),
        ({"k": "4"}, TypeError, "'k'.* must be an int"),
        ({"activation": "gelu"}, ValueError, "activation.* must be"),
        ({"merge": None}, ValueError, "merge.* must be"),
        ({"sharpening": 51.0}, ValueError, r"sharpening.* \(0.0, 50.0\]"),
        ({"random_state": -1}, ValueError, "random_state.* must be an int"),
        ({"device": None}, TypeError, "device.* must be"),
    ],
)
def test_wrong_hyperparameter_is_named_and_none_is_changed(model, dataset, given, error, message):
    before = dict(model.hyperparameters)
    for call in (
        lambda: model.set_hyperparameters(**given),
        lambda: model.train_model(dataset, given),
    ):
        with pytest.raises(error, match=message):
            call()
        assert model.hyperparameters == before


def test_more_topics_than_atoms_is_refused_without_losing_the_training(model, dataset, trainings):
    with pytest.raises(ValueError, match="n_topics"):
        model.train_model(dataset, {"num_topics": 33})
    assert model.hyperparameters["num_topics"] == 5
    assert len(model.train_model(dataset)["topics"]) == 5
    assert trainings == [N_TRAIN]


@pytest.mark.parametrize("metadata", [None, {}, {"last-training-doc": 400}])
def test_dataset_without_partitions(model, corpus, metadata):
    dataset = make_dataset(corpus, metadata=metadata)
    if metadata:  # as OCTIS' loader leaves a folder without partitions: nothing to test on
        assert model.train_model(dataset)["test-topic-document-matrix"].shape == (5, 0)
    else:
        with pytest.raises(ValueError, match=r"no partitions; call partitioning\("):
            model.train_model(dataset)
    model.partitioning(False)
    output = model.train_model(dataset)
    assert set(output) == {"topics", "topic-word-matrix", "topic-document-matrix"}
    assert output["topic-document-matrix"].shape == (5, 400)


def test_empty_documents_get_a_mixture(model, corpus):
    tokens = [text.split() for text in corpus.documents]
    tokens[3] = tokens[399] = []
    with pytest.warns(UserWarning, match="1 of 280 documents are blank"):
        output = model.train_model(make_dataset(corpus, corpus=tokens))
    assert output["topic-document-matrix"][:, 3].sum() == pytest.approx(1, rel=1e-5)
    assert output["test-topic-document-matrix"][:, -1].sum() == pytest.approx(1, rel=1e-5)


def test_vocabulary_larger_or_smaller_than_the_corpus(model, corpus, dataset):
    own = dataset.get_vocabulary()
    words = ["neverseen", *own, "notonce"]
    output = model.train_model(make_dataset(corpus, vocabulary=words, labels=None))
    assert output["topic-word-matrix"].shape == (5, len(words))
    assert (output["topic-word-matrix"][:, [0, -1]] < 1e-6).all()
    words = [word for word in own if not word.startswith("common")]
    output = model.train_model(make_dataset(corpus, vocabulary=words))
    assert output["topic-word-matrix"].shape == (5, len(words))
    assert {word for topic in output["topics"] for word in topic} <= set(words)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"corpus": None}, "holds no documents"),
        ({"corpus": []}, "holds no documents"),
        ({"corpus": ["a b c"]}, "document 0 must be a list of words"),
        ({"vocabulary": ["themeaworda", "themeaworda"]}, "Duplicate term in vocabulary"),
        ({"vocabulary": ["other", "words"]}, "no document holds a word"),
    ],
)
def test_unusable_dataset_is_refused(model, corpus, changes, message):
    with pytest.raises(ValueError, match=message):
        model.train_model(make_dataset(corpus, **changes))


def test_embeddings_of_other_documents_or_in_another_order(corpus, dataset):
    shuffled = np.random.default_rng(0).permutation(corpus.embeddings)
    with pytest.raises(ValueError, match="embeddings has 399 rows for 400 documents"):
        SAETM(**SMALL, embeddings=corpus.embeddings[1:]).train_model(dataset)
    with pytest.warns(UserWarning, match="in the dataset's order"):
        SAETM(**SMALL, embeddings=shuffled).train_model(dataset)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        SAETM(**SMALL, embeddings=corpus.embeddings).train_model(dataset)


def test_embeddings_may_be_a_file(corpus, dataset, trained, tmp_path):
    np.save(tmp_path / "vectors.npy", corpus.embeddings)
    model = SAETM(**SMALL, embeddings_path=str(tmp_path / "vectors.npy"))
    assert model.train_model(dataset)["topics"] == trained[1]["topics"]
    with pytest.raises(FileNotFoundError):
        SAETM(**SMALL, embeddings_path=str(tmp_path / "none.npy")).train_model(dataset)


def test_raw_documents_are_what_is_encoded(corpus, dataset):
    seen = []

    class Encoder:
        def encode(self, texts, **_):
            seen.extend(texts)
            return HashingVectorizer(n_features=24).transform(texts).toarray()

    raw = [text.title() for text in corpus.documents]
    SAETM(**SMALL, encoder=Encoder(), documents=raw).train_model(dataset)
    assert seen[:400] == raw  # then words
    with pytest.raises(ValueError, match="documents has 1 texts for 400"):
        SAETM(**SMALL, encoder=Encoder(), documents=raw[:1]).train_model(dataset)


def test_words_are_encoded_once_for_a_search_and_remembered_on_disk(corpus, tmp_path, monkeypatch):
    few = corpus._replace(documents=corpus.documents[:60], themes=corpus.themes[:60])
    metadata = {"last-training-doc": 50, "last-validation-doc": 50}
    small = {**SMALL, "k": 2, "cache_folder": str(tmp_path), "word_vectors": "encoder"}
    dataset = make_dataset(few, metadata=metadata)
    first = SAETM(**small).train_model(dataset)
    assert len(list(tmp_path.iterdir())) == 2  # documents and words
    for module in ("saetm_plugins.octis.data", "saetm_plugins.model_encoder"):
        monkeypatch.setattr(f"{module}.load_encoder", None)  # must not be needed
    model = SAETM(**small)
    second = model.train_model(dataset)
    assert first["topics"] == second["topics"]
    model.train_model(dataset, {"sharpening": 1.5})


def test_long_texts_are_read_in_passages(long_texts):
    rng = np.random.default_rng(0)
    pairs = [("abcde"[i % 5], "abcde"[(i + 1 + i // 5 % 4) % 5]) for i in range(120)]
    texts = [f"{long_texts.write(rng, a, 6)} {long_texts.write(rng, b, 6)}" for a, b in pairs]
    tokens = [re.findall(r"\w+", text.lower()) for text in texts]
    dataset = Dataset(
        corpus=tokens,
        vocabulary=sorted({word for words in tokens for word in words}),
        metadata={"last-training-doc": 100, "last-validation-doc": 100},
    )
    settings = {"num_topics": 5, "n_atoms": 16, "word_vectors": "corpus"}
    settings |= {"encoder": long_texts.Encoder(), "documents": texts}
    model = SAETM(**settings)
    with pytest.warns(UserWarning, match="120 of 120 documents are longer than the 30 tokens"):
        output = model.train_model(dataset)
    for theme, topic in zip("abcde", long_texts.theme_topics(model.trained_model), strict=True):
        assert sum(word.startswith(f"theme{theme}") for word in output["topics"][topic]) >= 9
    assert output["topic-document-matrix"].shape == (5, 100)
    assert np.median(np.sort(output["test-topic-document-matrix"], axis=0)[-2]) > 0.3
    model.partitioning(use_partitions=True, update_with_test=True)
    assert model.train_model(dataset)["test-topic-document-matrix"].shape == (5, 120)
    cut = SAETM(**settings, chunk=None).train_model(dataset)
    assert np.median(np.sort(cut["test-topic-document-matrix"], axis=0)[-2]) < 0.1


@pytest.mark.filterwarnings("ignore:.*are longer")
@pytest.mark.parametrize("first", ["the cat sat", "The cat sat on the mat and slept. " * 40])
def test_embeddings_and_passages_are_cached_by_content(tmp_path, monkeypatch, first):
    texts = [first, "taxes rise again"]
    made = encode_cached(texts, None, "cpu", str(tmp_path))
    monkeypatch.setattr("saetm_plugins.octis.data.load_encoder", None)  # must not be needed
    again = encode_cached(texts, None, "cpu", str(tmp_path))
    if isinstance(made, Passages):
        np.testing.assert_array_equal(again.places, made.places)
        made, again = made.embeddings, again.embeddings
    np.testing.assert_array_equal(again, made)
    with pytest.raises(TypeError):
        encode_cached(texts[::-1], None, "cpu", str(tmp_path))


@pytest.mark.parametrize("damage", ["version", "truncated", "foreign"])
def test_unusable_cache_is_made_anew(tmp_path, damage):
    texts = ["the cat sat", "taxes rise again"]
    first = encode_cached(texts, None, "cpu", str(tmp_path))
    (folder,) = tmp_path.iterdir()
    config = folder / "config.json"
    if damage == "version":
        config.write_text(config.read_text().replace('"format": 1', '"format": 99'))
    elif damage == "truncated":
        tensors = folder / "model.safetensors"
        tensors.write_bytes(tensors.read_bytes()[:100])
    else:
        config.write_text(config.read_text().replace("embeddings", "something-else"))
    with pytest.warns(UserWarning, match="not usable"):
        again = encode_cached(texts, None, "cpu", str(tmp_path))
    np.testing.assert_array_equal(again, first)


def test_missing_octis_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "octis", None)
    with pytest.raises(ImportError, match=re.escape(INSTALL)):
        import_octis("octis.missing")
