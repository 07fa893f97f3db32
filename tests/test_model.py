import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import normalized_mutual_info_score
from sklearn.pipeline import Pipeline

from saetm_plugins import SAETopicModel, train_sae
from saetm_plugins.files.folders import write_checksums

N_TOPICS = 5


class ThemeEncoder:
    """Embeds a planted document by the themes of its words: a real, if tiny, encoder."""

    def encode(self, texts):
        counts = [[text.count(f"theme{letter}") for letter in "abcde"] for text in texts]
        vectors = np.asarray(counts, dtype=np.float32) + 0.01
        spread = np.random.default_rng(0).normal(size=(5, 16)).astype(np.float32)
        noise = np.array([[len(t) % 7, len(t) % 11, len(t) % 13] for t in texts]) / 50
        return np.hstack([vectors @ spread, noise])


@pytest.fixture(scope="module")
def fitted(corpus):
    return SAETopicModel(n_topics=N_TOPICS).fit(corpus.documents, embeddings=corpus.embeddings)


def state_of(model):
    return {name: value for name, value in vars(model).items() if name != "_encoder_cache"}


def test_planted_themes_are_found(fitted, corpus):
    assert normalized_mutual_info_score(corpus.themes, fitted.labels_) > 0.8
    for words in fitted.get_topics(5):
        assert len({word[:6] for word in words}) == 1, "a topic mixes the words of two themes"


def test_fitted_attributes_have_the_promised_shapes(fitted, corpus):
    n, n_words = len(corpus.documents), len(fitted.vocabulary_)
    n_atoms = fitted.sae_.n_atoms
    assert fitted.components_.shape == (N_TOPICS, n_words)
    assert fitted.atom_words_.shape == (n_atoms, n_words)
    assert fitted.atom_prevalence_.shape == (n_atoms,)
    assert fitted.atom_topics_.shape == (n_atoms, N_TOPICS)
    assert fitted.doc_atoms_.shape == (n, n_atoms)
    assert fitted.doc_topics_.shape == (n, N_TOPICS)
    assert fitted.labels_.shape == (n,)
    for distribution in (fitted.components_, fitted.atom_words_, fitted.doc_topics_):
        np.testing.assert_allclose(distribution.sum(axis=1), 1, atol=1e-4)
        assert (distribution >= 0).all()
    live = fitted.atom_prevalence_ > 0
    np.testing.assert_allclose(fitted.atom_topics_.sum(axis=1).A1[live], 1, atol=1e-5)


def test_no_word_is_impossible_in_any_topic(fitted):
    assert (fitted.components_ > 0).all()
    assert (fitted.merge_topics([[0, 1]]).components_ > 0).all()
    fitted.undo()


def test_topics_are_numbered_by_prevalence(fitted):
    assert (np.diff(fitted.topic_prevalence_) <= 1e-7).all()


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


def test_two_fits_with_one_seed_are_equal_bit_for_bit(fitted, corpus):
    again = SAETopicModel(n_topics=N_TOPICS).fit(corpus.documents, embeddings=corpus.embeddings)
    for name in ("components_", "doc_topics_", "atom_words_", "atom_prevalence_"):
        np.testing.assert_array_equal(getattr(again, name), getattr(fitted, name))


@pytest.mark.parametrize("merge", ["nmf", "kmeans", "ward"])
def test_retopic_changes_the_count_and_nothing_else(corpus, merge):
    model = SAETopicModel(n_topics=N_TOPICS, merge=merge).fit(
        corpus.documents, embeddings=corpus.embeddings
    )
    atom_words, first = model.atom_words_.copy(), model.components_.copy()
    assert model.retopic(8) is model
    assert model.components_.shape[0] == model.doc_topics_.shape[1] == model.n_topics_ == 8
    np.testing.assert_array_equal(model.atom_words_, atom_words)
    np.testing.assert_array_equal(model.retopic(N_TOPICS).components_, first)


def test_a_hard_merge_has_one_topic_for_each_live_atom(corpus):
    model = SAETopicModel(n_topics=N_TOPICS, merge="ward").fit(
        corpus.documents, embeddings=corpus.embeddings
    )
    per_atom = np.diff(model.atom_topics_.indptr)
    np.testing.assert_array_equal(per_atom, model.atom_prevalence_ > 0)
    assert set(model.atom_topics_.data) == {1.0}


def test_the_number_of_topics_can_be_found(corpus):
    model = SAETopicModel(n_topics="auto").fit(corpus.documents, embeddings=corpus.embeddings)
    assert 2 <= model.n_topics_ <= 20


def test_too_many_topics_leave_the_model_unchanged(fitted):
    before = state_of(fitted)
    live = int((fitted.atom_prevalence_ > 0).sum())
    with pytest.raises(ValueError, match=rf"n_topics={live + 1} .* {live} live atoms"):
        fitted.retopic(live + 1)
    after = state_of(fitted)
    assert before.keys() == after.keys()
    assert all(before[name] is after[name] for name in before)


def test_a_failed_fit_leaves_the_model_unchanged(corpus):
    model = SAETopicModel(n_topics=N_TOPICS).fit(corpus.documents, embeddings=corpus.embeddings)
    before = state_of(model)
    model.n_topics = before["n_topics"] = 10_000
    with pytest.raises(ValueError, match="live atoms"):
        model.fit(corpus.documents, embeddings=corpus.embeddings)
    after = state_of(model)
    assert all(before[name] is after[name] for name in before)


def test_a_frozen_autoencoder_is_reused(corpus, plant_corpus):
    sae = train_sae(corpus.embeddings, random_state=1)
    other = plant_corpus(n_documents=200, seed=5)
    model = SAETopicModel(n_topics=N_TOPICS, sae=sae).fit(
        other.documents, embeddings=other.embeddings
    )
    assert model.sae_ is sae
    assert normalized_mutual_info_score(other.themes, model.labels_) > 0.7


def test_without_documents_there_are_topics_but_no_words(corpus):
    model = SAETopicModel(n_topics=N_TOPICS).fit(None, embeddings=corpus.embeddings)
    assert model.components_ is None
    assert model.atom_words_ is None
    assert normalized_mutual_info_score(corpus.themes, model.labels_) > 0.7
    with pytest.raises(ValueError, match="without documents"):
        model.get_topics()
    soft = model.retopic(N_TOPICS, merge="nmf")
    assert (soft.atom_topics_.data < 1).any()
    assert normalized_mutual_info_score(corpus.themes, soft.labels_) > 0.7


def test_counts_may_come_ready_made(fitted, corpus):
    vectorizer = fitted.vectorizer_
    bow = vectorizer.transform(corpus.documents)
    model = SAETopicModel(n_topics=N_TOPICS).fit(
        None, embeddings=corpus.embeddings, bow=bow, vocabulary=vectorizer.get_feature_names_out()
    )
    np.testing.assert_array_equal(model.components_, fitted.components_)


def test_documents_without_words_keep_a_mixture_and_are_counted(corpus):
    documents = ["zebra", "42 42"] + corpus.documents[2:]
    model = SAETopicModel(n_topics=N_TOPICS)
    with pytest.warns(UserWarning, match="2 of 400 documents hold no word"):
        model.fit(documents, embeddings=corpus.embeddings)
    np.testing.assert_allclose(model.doc_topics_.sum(axis=1), 1, atol=1e-5)


def test_a_generator_of_documents_is_read_once(corpus, fitted):
    model = SAETopicModel(n_topics=N_TOPICS).fit(
        (d for d in corpus.documents), embeddings=corpus.embeddings
    )
    np.testing.assert_array_equal(model.components_, fitted.components_)


def test_any_encoder_embeds_texts(corpus):
    model = SAETopicModel(n_topics=N_TOPICS, encoder=ThemeEncoder()).fit(corpus.documents)
    assert normalized_mutual_info_score(corpus.themes, model.labels_) > 0.6
    assert model.transform(corpus.documents[:3]).shape == (3, N_TOPICS)


@pytest.mark.parametrize("word_vectors", ["encoder", "dict", "keyed"])
def test_word_vectors_come_from_where_they_are_asked_for(corpus, word_vectors):
    from gensim.models import KeyedVectors

    vocabulary = sorted({word for text in corpus.documents for word in text.split()})
    vectors = ThemeEncoder().encode(vocabulary)
    source = dict(zip(vocabulary, vectors, strict=True))
    if word_vectors == "keyed":
        source = KeyedVectors(vectors.shape[1])
        source.add_vectors(vocabulary, vectors)
    model = SAETopicModel(
        n_topics=N_TOPICS,
        encoder=ThemeEncoder(),
        word_vectors="encoder" if word_vectors == "encoder" else source,
        merge="kmeans",
    ).fit(corpus.documents)
    assert all(len({word[:6] for word in words}) == 1 for words in model.get_topics(4))


def test_scikit_learn_contract(corpus, fitted):
    copy = clone(SAETopicModel(n_topics=7, sharpening=1.5))
    assert (copy.n_topics, copy.sharpening) == (7, 1.5)
    assert not hasattr(copy, "components_")
    model = SAETopicModel(n_topics=N_TOPICS).set_output(transform="pandas")
    frame = model.fit(corpus.documents, embeddings=corpus.embeddings).transform(
        None, corpus.embeddings
    )
    assert list(frame.columns) == list(fitted.get_feature_names_out())
    assert len(frame) == len(corpus.documents)
    with pytest.raises(NotFittedError):
        SAETopicModel().retopic(3)
    with pytest.raises(NotFittedError):
        SAETopicModel().transform(["a"])


def test_a_pipeline_classifies_by_mixtures(corpus):
    pipeline = Pipeline(
        [
            ("topics", SAETopicModel(n_topics=N_TOPICS, encoder=ThemeEncoder())),
            ("classifier", LogisticRegression()),
        ]
    )
    pipeline.fit(corpus.documents, corpus.themes)
    assert pipeline.score(corpus.documents, corpus.themes) > 0.7


def test_representative_documents_have_the_largest_share(fitted):
    typical = fitted.get_representative_indices(2)
    assert typical.shape == (N_TOPICS, 2)
    for topic, (first, second) in enumerate(typical):
        shares = fitted.doc_topics_[:, topic]
        assert shares[first] == shares.max()
        assert shares[first] >= shares[second]


def test_a_saved_model_transforms_and_recuts_as_before(fitted, corpus, plant_corpus, tmp_path):
    fitted.save(tmp_path / "model")
    files = [path for path in (tmp_path / "model").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".md"}
    loaded = SAETopicModel.load(tmp_path / "model")
    new = plant_corpus(50, seed=3)
    np.testing.assert_array_equal(
        loaded.transform(None, new.embeddings), fitted.transform(None, new.embeddings)
    )
    np.testing.assert_array_equal(loaded.doc_topics_, fitted.doc_topics_)
    assert loaded.get_topics() == fitted.get_topics()
    assert loaded.get_params()["n_topics"] == N_TOPICS
    twin = SAETopicModel(n_topics=8).fit(corpus.documents, embeddings=corpus.embeddings)
    np.testing.assert_array_equal(loaded.retopic(8).components_, twin.components_)


def test_a_saved_model_without_words_recuts_as_before(corpus, tmp_path):
    model = SAETopicModel(n_topics=N_TOPICS).fit(None, embeddings=corpus.embeddings)
    model.save(tmp_path / "model")
    loaded = SAETopicModel.load(tmp_path / "model")
    for merge in ("auto", "nmf"):
        one, other = loaded.retopic(8, merge), model.retopic(8, merge)
        np.testing.assert_array_equal(one.doc_topics_, other.doc_topics_)


def test_a_frozen_autoencoder_and_a_vectorizer_survive_saving(corpus, tmp_path):
    sae = train_sae(corpus.embeddings, random_state=1)
    model = SAETopicModel(N_TOPICS, sae=sae, vectorizer=CountVectorizer(min_df=3))
    model.fit(corpus.documents, embeddings=corpus.embeddings).save(tmp_path / "model")
    loaded = SAETopicModel.load(tmp_path / "model")
    assert loaded.sae is loaded.sae_
    assert loaded.vectorizer_.get_params()["min_df"] == 3
    counts = model.vectorizer_.transform(corpus.documents[:5])
    assert (loaded.vectorizer_.transform(corpus.documents[:5]) != counts).nnz == 0


def test_an_encoder_object_is_not_saved_and_asked_for_at_need(corpus, tmp_path):
    model = SAETopicModel(N_TOPICS, encoder=ThemeEncoder()).fit(corpus.documents)
    with pytest.warns(UserWarning, match="encoder"):
        model.save(tmp_path / "model")
    loaded = SAETopicModel.load(tmp_path / "model")
    with pytest.raises(ValueError, match=r"load\(path, encoder=…\)"):
        loaded.transform(corpus.documents[:2])
    again = SAETopicModel.load(tmp_path / "model", encoder=ThemeEncoder())
    np.testing.assert_array_equal(
        again.transform(corpus.documents[:2]), model.transform(corpus.documents[:2])
    )


def test_saving_over_something_is_refused(fitted, tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(FileExistsError, match="model"):
        fitted.save(tmp_path / "model")


def test_damaged_and_foreign_files_are_refused(fitted, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        SAETopicModel.load(tmp_path / "nowhere")
    fitted.sae_.save_pretrained(tmp_path / "sae")
    with pytest.raises(ValueError, match="topic-model"):
        SAETopicModel.load(tmp_path / "sae")
    fitted.save(tmp_path / "model")
    tensors = tmp_path / "model" / "model.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:1000])
    with pytest.raises(ValueError, match="truncated"):
        SAETopicModel.load(tmp_path / "model")


def test_a_missing_vocabulary_is_a_damaged_model(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    Path(tmp_path / "model" / "vocabulary.json").write_text("[]")
    write_checksums(tmp_path / "model")
    with pytest.raises(ValueError, match="words; the model has 0"):
        SAETopicModel.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_topics": 0}, "n_topics.* must be an int in the range"),
        ({"n_topics": "many"}, "n_topics.* must be .*Got 'many'"),
        ({"sae": "magic"}, "sae.* must be .*SparseAutoencoder.*Got 'magic'"),
        ({"sae": "default", "encoder": "e5"}, "sae=.default. is for all-MiniLM"),
        ({"sae": "default"}, "found embeddings of 24 dimensions, not 384"),
        ({"merge": "magic"}, "merge.* must be .*Got 'magic'"),
        ({"activation": "magic"}, "activation.* must be .*Got 'magic'"),
        ({"solver": "magic"}, "solver.* must be .*Got 'magic'"),
        ({"sharpening": 0}, "sharpening.* must be a float in the range"),
        ({"word_vectors": "magic"}, "word_vectors must be one of auto, corpus, encoder"),
    ],
)
def test_illegal_parameters_are_named(corpus, parameters, message):
    with pytest.raises(ValueError, match=message):
        SAETopicModel(**parameters).fit(corpus.documents, embeddings=corpus.embeddings)


def test_wrong_types_are_named(corpus):
    with pytest.raises(TypeError, match="encode"):
        SAETopicModel(encoder=object()).fit(corpus.documents)
    with pytest.raises(TypeError, match=r"sae.* must be .*SparseAutoencoder"):
        SAETopicModel(sae=object()).fit(corpus.documents, embeddings=corpus.embeddings)
    with pytest.raises(TypeError, match="one string"):
        SAETopicModel().fit("text", embeddings=corpus.embeddings)
    with pytest.raises(TypeError, match=r"documents\[1\] must be a string; found None"):
        SAETopicModel().fit(["text", None], embeddings=corpus.embeddings[:2])


def test_input_that_no_model_can_be_fitted_to_is_named(corpus):
    documents, embeddings = corpus.documents, corpus.embeddings
    model = SAETopicModel()
    with pytest.raises(ValueError, match="documents is empty"):
        model.fit([])
    with pytest.raises(ValueError, match="at least 2; found 1"):
        model.fit(documents[:1], embeddings=embeddings[:1])
    with pytest.raises(ValueError, match="399 rows for 400 documents"):
        model.fit(documents, embeddings=embeddings[:-1])
    with pytest.raises(ValueError, match="NaN"):
        model.fit(documents, embeddings=np.where(np.arange(400)[:, None] == 7, np.nan, embeddings))
    with pytest.raises(ValueError, match="identical"):
        model.fit(documents, embeddings=np.ones_like(embeddings))
    with pytest.raises(ValueError, match="vocabulary"):
        model.fit(["", "the of", "!"], embeddings=embeddings[:3])
    with pytest.raises(ValueError, match="at least one"):
        model.fit(None)
    assert not hasattr(model, "sae_")


def test_embeddings_of_another_width_are_refused_at_transform(fitted):
    with pytest.raises(ValueError, match="7 dimensions; the sparse autoencoder was trained on 24"):
        fitted.transform(None, np.ones((2, 7)))


def test_importing_the_core_imports_no_adapter():
    import subprocess
    import sys

    code = "import sys, saetm_plugins; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240
    ).stdout.split()
    assert not {"bertopic", "gensim", "octis", "sentence_transformers", "numba"} & set(loaded)


def test_no_warning_is_raised_by_an_ordinary_fit(corpus):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SAETopicModel(n_topics=N_TOPICS).fit(corpus.documents, embeddings=corpus.embeddings)


class TestPartialFit:
    def test_batches_add_up_to_all_documents(self, corpus):
        first, second = slice(0, 300), slice(300, None)
        model = SAETopicModel(N_TOPICS, vectorizer=CountVectorizer())
        model.partial_fit(corpus.documents[first], embeddings=corpus.embeddings[first])
        topics, sae = model.get_topics(3), model.sae_
        model.partial_fit(corpus.documents[second], embeddings=corpus.embeddings[second])
        assert model.n_documents_seen_ == 400
        assert model.sae_ is sae
        assert len(model.labels_) == 100
        whole = SAETopicModel(N_TOPICS, sae=sae).fit(corpus.documents, embeddings=corpus.embeddings)
        np.testing.assert_allclose(model.atom_prevalence_, whole.atom_prevalence_, atol=1e-5)
        np.testing.assert_allclose(model.components_.sum(axis=1), 1, atol=1e-4)
        themes = [words[0][:6] for words in topics]
        assert [words[0][:6] for words in model.get_topics(3)] == themes

    def test_a_hard_cut_has_the_renewed_words_of_its_atoms(self, corpus):
        model = SAETopicModel(N_TOPICS, merge="ward").fit(
            corpus.documents, embeddings=corpus.embeddings
        )
        before = model.components_
        model.partial_fit(corpus.documents[:50], embeddings=corpus.embeddings[:50], decay=0.1)
        weights = model.atom_topics_.toarray() * model.atoms_.weights[:, None]
        mixed = weights.T @ model.atom_words_
        mixed /= mixed.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(model.components_, mixed, atol=1e-5)
        assert not np.array_equal(before, model.components_)

    def test_bags_alone_teach_words(self, corpus):
        model = SAETopicModel(N_TOPICS).fit(corpus.documents, embeddings=corpus.embeddings)
        bow = model.vectorizer_.transform(corpus.documents[:20])
        model.partial_fit(None, bow=bow, doc_atoms=model.doc_atoms_[:20])
        assert model.n_documents_seen_ == 420

    def test_a_loaded_model_goes_on(self, fitted, corpus, tmp_path):
        fitted.save(tmp_path / "model")
        loaded = SAETopicModel.load(tmp_path / "model")
        loaded.partial_fit(corpus.documents[:20], embeddings=corpus.embeddings[:20])
        assert loaded.n_documents_seen_ == 420

    def test_a_failure_leaves_the_model_unchanged(self, fitted, corpus):
        before = state_of(fitted)
        with pytest.raises(ValueError, match="3 rows for 4 documents"):
            fitted.partial_fit(corpus.documents[:4], embeddings=corpus.embeddings[:3])
        with pytest.raises(ValueError, match="give documents or bow"):
            fitted.partial_fit(None, embeddings=corpus.embeddings[:3])
        with pytest.raises(ValueError, match="decay"):
            fitted.partial_fit(corpus.documents[:4], embeddings=corpus.embeddings[:4], decay=-1)
        after = state_of(fitted)
        assert all(before[name] is after[name] for name in before)


def test_three_themes_of_chinese_texts_are_found(chinese_corpus):
    texts, embeddings = chinese_corpus.documents, chinese_corpus.embeddings
    model = SAETopicModel(n_topics=3).fit(texts, embeddings=embeddings)
    assert normalized_mutual_info_score(chinese_corpus.themes, model.labels_) > 0.95
