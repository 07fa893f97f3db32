import copy
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import normalized_mutual_info_score

from saetm_plugins import SAETopicModel, train_sae
from saetm_plugins.files.folders import write_checksums
from saetm_plugins.model_encoder import encoder_of

N_TOPICS = 5


class ThemeEncoder:
    """Embeds a planted document by the themes of its words: a real, if tiny, encoder."""

    def encode(self, texts):
        counts = [[text.count(f"theme{letter}") for letter in "abcde"] for text in texts]
        vectors = np.asarray(counts, dtype=np.float32) + 0.01
        spread = np.random.default_rng(0).normal(size=(5, 16)).astype(np.float32)
        noise = np.array([[len(t) % 7, len(t) % 11, len(t) % 13] for t in texts]) / 50
        return np.hstack([vectors @ spread, noise])


def fit_with_defaults(corpus):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an ordinary fit warns of nothing
        return SAETopicModel(N_TOPICS).fit(corpus.documents, embeddings=corpus.embeddings)


@pytest.fixture(scope="module")
def trained(corpus):
    """A model of the default parameters, which trains atoms of its own."""
    return fit_with_defaults(corpus)


@pytest.fixture(scope="module")
def encoded(corpus):
    """A model that embeds the texts itself."""
    return SAETopicModel(N_TOPICS, encoder=ThemeEncoder()).fit(corpus.documents)


def test_planted_themes_are_found(trained, corpus):
    assert normalized_mutual_info_score(corpus.themes, trained.labels_) > 0.8
    for words in trained.get_topics(5):
        assert len({word[:6] for word in words}) == 1, "a topic mixes the words of two themes"


def test_two_fits_with_one_seed_are_equal_bit_for_bit(trained, corpus):
    again = fit_with_defaults(corpus)
    for name in ("components_", "doc_topics_", "atom_words_", "atom_prevalence_"):
        np.testing.assert_array_equal(getattr(again, name), getattr(trained, name))


def test_fitted_attributes_have_the_promised_shapes(fitted, corpus):
    n, n_words, n_atoms = len(corpus.documents), len(fitted.vocabulary_), fitted.sae_.n_atoms
    shapes = {
        "components_": (N_TOPICS, n_words),
        "atom_words_": (n_atoms, n_words),
        "atom_prevalence_": (n_atoms,),
        "atom_topics_": (n_atoms, N_TOPICS),
        "doc_atoms_": (n, n_atoms),
        "doc_topics_": (n, N_TOPICS),
        "labels_": (n,),
    }
    assert {name: getattr(fitted, name).shape for name in shapes} == shapes
    for distribution in (fitted.components_, fitted.atom_words_, fitted.doc_topics_):
        np.testing.assert_allclose(distribution.sum(axis=1), 1, atol=1e-4)
        assert (distribution >= 0).all()
    live = fitted.atom_prevalence_ > 0
    np.testing.assert_allclose(fitted.atom_topics_.sum(axis=1).A1[live], 1, atol=1e-5)


def test_no_word_is_impossible_in_any_topic(model):
    assert (model.components_ > 0).all()
    assert (model.merge_topics([[0, 1]]).components_ > 0).all()


def test_transform_of_the_fitted_documents_gives_their_mixtures(fitted, corpus):
    mixtures = fitted.transform(corpus.documents, corpus.embeddings)
    np.testing.assert_array_equal(mixtures, fitted.doc_topics_)


def test_atoms_of_new_documents_add_up_to_their_topics(fitted, corpus):
    doc_atoms = fitted.transform_atoms(None, corpus.embeddings[:5])
    np.testing.assert_allclose(
        (doc_atoms @ fitted.atom_topics_).toarray(), fitted.doc_topics_[:5], atol=1e-5
    )


def test_a_document_does_not_depend_on_its_neighbours(fitted, corpus):
    together = fitted.transform(None, corpus.embeddings[:50])
    alone = np.vstack([fitted.transform(None, row[None]) for row in corpus.embeddings[:50]])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("merge", ["nmf", "kmeans", "ward"])
def test_retopic_changes_the_count_and_nothing_else(corpus, sae, merge):
    model = SAETopicModel(N_TOPICS, sae=sae, merge=merge)
    model.fit(corpus.documents, embeddings=corpus.embeddings)
    atom_words, first = model.atom_words_.copy(), model.components_.copy()
    assert model.retopic(8) is model
    assert model.components_.shape[0] == model.doc_topics_.shape[1] == model.n_topics_ == 8
    assert (np.diff(model.topic_prevalence_) <= 1e-7).all(), "the most prevalent topic is topic 0"
    np.testing.assert_array_equal(model.atom_words_, atom_words)
    np.testing.assert_array_equal(model.retopic(N_TOPICS).components_, first)
    if merge == "ward":  # a hard merge puts each live atom into one topic
        per_atom = np.diff(model.atom_topics_.indptr)
        np.testing.assert_array_equal(per_atom, model.atom_prevalence_ > 0)
        assert set(model.atom_topics_.data) == {1.0}


def test_the_number_of_topics_can_be_found(corpus, sae):
    model = SAETopicModel("auto", sae=sae).fit(corpus.documents, embeddings=corpus.embeddings)
    assert 2 <= model.n_topics_ <= 20


def test_a_frozen_autoencoder_is_reused(sae, plant_corpus):
    other = plant_corpus(n_documents=200, seed=5)
    model = SAETopicModel(N_TOPICS, sae=sae).fit(other.documents, embeddings=other.embeddings)
    assert model.sae_ is sae
    assert normalized_mutual_info_score(other.themes, model.labels_) > 0.7


def test_without_documents_there_are_topics_but_no_words(wordless, corpus, tmp_path):
    assert wordless.components_ is None
    assert wordless.atom_words_ is None
    assert normalized_mutual_info_score(corpus.themes, wordless.labels_) > 0.7
    with pytest.raises(ValueError, match="without documents"):
        wordless.get_topics()
    wordless.save(tmp_path / "model")
    loaded, same = SAETopicModel.load(tmp_path / "model"), copy.copy(wordless)
    for merge in ("auto", "nmf"):
        loaded.retopic(8, merge)
        np.testing.assert_array_equal(loaded.doc_topics_, same.retopic(8, merge).doc_topics_)
    assert (loaded.atom_topics_.data < 1).any(), "an atom may be of several topics"
    soft = loaded.retopic(N_TOPICS, "nmf")
    assert normalized_mutual_info_score(corpus.themes, soft.labels_) > 0.7


def test_counts_may_come_ready_made_and_documents_from_a_generator(fitted, corpus, sae):
    bow = fitted.vectorizer_.transform(corpus.documents)
    counted, read = (SAETopicModel(N_TOPICS, sae=sae) for _ in range(2))
    counted.fit(None, embeddings=corpus.embeddings, bow=bow, vocabulary=fitted.vocabulary_)
    read.fit((text for text in corpus.documents), embeddings=corpus.embeddings)
    np.testing.assert_array_equal(counted.components_, fitted.components_)
    np.testing.assert_array_equal(read.components_, fitted.components_)


def test_documents_without_words_keep_a_mixture_and_are_counted(corpus, sae):
    documents = ["zebra", "42 42"] + corpus.documents[2:]
    model = SAETopicModel(N_TOPICS, sae=sae)
    with pytest.warns(UserWarning, match="2 of 400 documents hold no word"):
        model.fit(documents, embeddings=corpus.embeddings)
    np.testing.assert_allclose(model.doc_topics_.sum(axis=1), 1, atol=1e-5)


def test_any_encoder_embeds_texts(encoded, corpus):
    assert normalized_mutual_info_score(corpus.themes, encoded.labels_) > 0.6
    assert encoded.transform(corpus.documents[:3]).shape == (3, N_TOPICS)


@pytest.mark.parametrize("source", ["encoder", "dict", "keyed"])
def test_word_vectors_come_from_where_they_are_asked_for(encoded, corpus, source):
    from gensim.models import KeyedVectors

    vocabulary = sorted({word for text in corpus.documents for word in text.split()})
    vectors = ThemeEncoder().encode(vocabulary)
    keyed = KeyedVectors(vectors.shape[1])
    keyed.add_vectors(vocabulary, vectors)
    sources = {"dict": dict(zip(vocabulary, vectors, strict=True)), "keyed": keyed}
    model = clone(encoded).set_params(
        sae=encoded.sae_, word_vectors=sources.get(source, source), merge="kmeans"
    )
    topics = model.fit(corpus.documents).get_topics(4)
    assert all(len({word[:6] for word in words}) == 1 for words in topics)


def test_scikit_learn_contract(corpus, model):
    twin = clone(SAETopicModel(n_topics=7, sharpening=1.5))
    assert (twin.n_topics, twin.sharpening) == (7, 1.5)
    assert not hasattr(twin, "components_")
    frame = model.set_output(transform="pandas").transform(None, corpus.embeddings)
    assert list(frame.columns) == list(model.get_feature_names_out())
    assert len(frame) == len(corpus.documents)
    for call in (lambda: twin.retopic(3), lambda: twin.transform(["a"])):
        with pytest.raises(NotFittedError):
            call()


def test_representative_documents_have_the_largest_share(fitted):
    typical = fitted.get_representative_indices(2)
    assert typical.shape == (N_TOPICS, 2)
    for topic, (first, second) in enumerate(typical):
        shares = fitted.doc_topics_[:, topic]
        assert shares[first] == shares.max()
        assert shares[first] >= shares[second]


def test_a_saved_model_transforms_and_recuts_as_before(model, plant_corpus, tmp_path):
    model.save(tmp_path / "model")
    files = [path for path in (tmp_path / "model").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".md"}
    loaded = SAETopicModel.load(tmp_path / "model")
    new = plant_corpus(50, seed=3).embeddings
    np.testing.assert_array_equal(loaded.transform(None, new), model.transform(None, new))
    np.testing.assert_array_equal(loaded.doc_topics_, model.doc_topics_)
    assert loaded.get_topics() == model.get_topics()
    assert loaded.get_params()["n_topics"] == N_TOPICS
    assert loaded.sae is loaded.sae_, "atoms that were given are given again"
    np.testing.assert_array_equal(loaded.retopic(8).components_, model.retopic(8).components_)


def test_a_vectorizer_is_saved(corpus, sae, tmp_path):
    model = SAETopicModel(N_TOPICS, sae=sae, vectorizer=CountVectorizer(min_df=3))
    model.fit(corpus.documents, embeddings=corpus.embeddings).save(tmp_path / "model")
    loaded = SAETopicModel.load(tmp_path / "model")
    assert loaded.vectorizer_.get_params()["min_df"] == 3
    counts = model.vectorizer_.transform(corpus.documents[:5])
    assert (loaded.vectorizer_.transform(corpus.documents[:5]) != counts).nnz == 0


def test_an_encoder_object_is_not_saved_and_asked_for_at_need(encoded, corpus, tmp_path):
    with pytest.warns(UserWarning, match="encoder"):
        encoded.save(tmp_path / "model")
    with pytest.raises(ValueError, match=r"load\(path, encoder=…\)"):
        SAETopicModel.load(tmp_path / "model").transform(corpus.documents[:2])
    again = SAETopicModel.load(tmp_path / "model", encoder=ThemeEncoder())
    np.testing.assert_array_equal(
        again.transform(corpus.documents[:2]), encoded.transform(corpus.documents[:2])
    )


def test_foreign_and_damaged_folders_are_refused(fitted, tmp_path):
    fitted.sae_.save_pretrained(tmp_path / "sae")
    with pytest.raises(ValueError, match="topic-model"):
        SAETopicModel.load(tmp_path / "sae")
    fitted.save(tmp_path / "model")
    Path(tmp_path / "model" / "vocabulary.json").write_text("[]")
    write_checksums(tmp_path / "model")
    with pytest.raises(ValueError, match="words; the model has 0"):
        SAETopicModel.load(tmp_path / "model")


def test_input_that_no_model_can_be_fitted_to_is_named(corpus):
    documents, embeddings = corpus.documents, corpus.embeddings
    model = SAETopicModel()
    for texts, rows, words in [
        ([], None, "documents is empty"),
        (documents[:1], embeddings[:1], "at least 2; found 1"),
        (documents, embeddings[:-1], "399 rows for 400 documents"),
        (documents, np.ones_like(embeddings), "identical"),
        (["", "the of", "!"], embeddings[:3], "vocabulary"),
        (None, None, "at least one"),
    ]:
        with pytest.raises(ValueError, match=words):
            model.fit(texts, embeddings=rows)
    with pytest.raises(TypeError, match="encode"):
        SAETopicModel(encoder=object()).fit(documents)
    with pytest.raises(TypeError, match="one string"):
        model.fit("text", embeddings=embeddings)
    assert not hasattr(model, "sae_")


def test_importing_the_core_imports_no_adapter():
    code = "import sys, saetm_plugins; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240
    ).stdout.split()
    assert not {"bertopic", "gensim", "octis", "sentence_transformers", "numba"} & set(loaded)


def test_the_first_batch_trains_atoms_and_later_ones_keep_them_and_the_topics(corpus):
    first, second = slice(0, 300), slice(300, None)
    model = SAETopicModel(N_TOPICS, vectorizer=CountVectorizer())
    model.partial_fit(corpus.documents[first], embeddings=corpus.embeddings[first])
    themes, sae = [words[0][:6] for words in model.get_topics(3)], model.sae_
    model.partial_fit(corpus.documents[second], embeddings=corpus.embeddings[second])
    assert model.n_documents_seen_ == 400
    assert model.sae_ is sae
    assert len(model.labels_) == 100
    assert [words[0][:6] for words in model.get_topics(3)] == themes


def test_a_hard_cut_has_the_renewed_words_of_its_atoms(model, corpus):
    before = model.retopic(N_TOPICS, "ward").components_
    model.partial_fit(corpus.documents[:50], embeddings=corpus.embeddings[:50], decay=0.1)
    weights = model.atom_topics_.toarray() * model.atoms_.weights[:, None]
    mixed = weights.T @ model.atom_words_
    mixed /= mixed.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.components_, mixed, atol=1e-5)
    assert not np.array_equal(before, model.components_)


def test_bags_alone_teach_words(model, corpus):
    bow = model.vectorizer_.transform(corpus.documents[:20])
    words = model.atom_words_
    model.partial_fit(None, bow=bow, doc_atoms=model.doc_atoms_[:20])
    assert model.n_documents_seen_ == 420
    assert not np.array_equal(model.atom_words_, words)


def test_three_themes_of_chinese_texts_are_found(chinese_corpus):
    sae = train_sae(chinese_corpus.embeddings, n_steps=300)
    model = SAETopicModel(3, sae=sae)
    model.fit(chinese_corpus.documents, embeddings=chinese_corpus.embeddings)
    assert normalized_mutual_info_score(chinese_corpus.themes, model.labels_) > 0.95


def test_the_default_encoder_is_loaded_once(monkeypatch):
    loaded = []
    monkeypatch.setattr(
        "saetm_plugins.model_encoder.load_encoder", lambda *args: loaded.append(args) or object()
    )
    model, sae = SAETopicModel(), SimpleNamespace(encoder_name="all-MiniLM-L6-v2")
    assert encoder_of(model, None) is encoder_of(model, sae) is encoder_of(model, None)
    assert len(loaded) == 1
