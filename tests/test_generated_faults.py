"""Faults that generated input found (``tests/fuzz``), each by a call that showed it."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from saetm_plugins import SAETopicModel, SparseAutoencoder, analysis, evaluation, train_sae
from saetm_plugins.atoms import atom_stability, match_directions, sample_ctm
from saetm_plugins.emission import fit_emissions, infer_doc_atoms
from saetm_plugins.persistence import pack_csr, unpack_csr
from saetm_plugins.plotting import map_documents
from saetm_plugins.validation import one_hot_classes


@pytest.fixture(scope="module")
def sae(corpus):
    return train_sae(corpus.embeddings, n_atoms=32, k=3, n_steps=100)


@pytest.fixture
def model(corpus, sae):
    return SAETopicModel(5, sae=sae, word_vectors="corpus").fit(
        corpus.documents, embeddings=corpus.embeddings
    )


@pytest.mark.parametrize("sharpening", [2, 3, 5])
def test_vectors_of_a_single_word_leave_topics_their_words(sharpening):
    rng = np.random.default_rng(0)
    themes = rng.integers(4, size=40)
    embeddings = (np.eye(4, 6)[themes] + 0.2 * rng.normal(size=(40, 6))).astype(np.float32)
    texts = [" ".join(f"{'abcd'[t]}{'klmno'[i]}word" for i in rng.integers(5, size=6))
             for t in themes]  # fmt: skip
    sae = train_sae(embeddings, n_atoms=10, k=2, n_steps=60)
    vectors = {"akword": embeddings[0]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = SAETopicModel(4, sae=sae, word_vectors=vectors, sharpening=sharpening)
        made.fit(texts, embeddings=embeddings)
    np.testing.assert_allclose(made.components_.sum(axis=1), 1, atol=1e-4)


def test_a_topic_whose_atoms_no_document_has_any_more_can_be_split(corpus, model):
    model.partial_fit(corpus.documents[:2], embeddings=corpus.embeddings[:2], decay=0)
    model.partial_fit(corpus.documents[:2], embeddings=corpus.embeddings[:2], decay=0)
    sizes = np.diff(model.atom_topics_.tocsc().indptr)
    for topic in np.flatnonzero(sizes >= 2)[::-1]:
        model.split_topic(int(topic))
    assert np.isfinite(model.components_).all()


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int64])
def test_counts_may_be_numpys_integers_of_any_width(corpus, model, kind):
    groups = np.where(corpus.themes > 2, "a", "b")
    assert model.get_topics(kind(3)) == model.get_topics(3)
    assert len(model.topic_table(n_words=kind(2))) == 5
    found = analysis.topic_shares(model, groups, n_resamples=kind(20))
    assert found.equals(analysis.topic_shares(model, groups, n_resamples=20))
    again = SAETopicModel(kind(5), sae=model.sae_, word_vectors="corpus")
    again.fit(corpus.documents, embeddings=corpus.embeddings)
    np.testing.assert_array_equal(again.components_, model.components_)
    assert sample_ctm(kind(5), kind(3), kind(4), n_contributions=kind(9)).embeddings.shape == (5, 4)


def test_texts_in_none_of_the_languages_named_are_fitted(corpus, sae):
    made = SAETopicModel(5, sae=sae, word_vectors="corpus", language=["th", "ja"])
    made.fit(corpus.documents, embeddings=corpus.embeddings)
    assert np.isfinite(made.components_).all()


@pytest.mark.parametrize("last", [0, -1])
def test_a_matrix_that_says_it_has_no_entries_is_looked_at_all_the_same(last):
    matrix = sp.csr_matrix(np.eye(4, dtype=np.float32))
    matrix.indptr[:] = [0, 10**6, 10**6, 10**6, last]
    with pytest.raises(ValueError, match="bow is a damaged sparse matrix"):
        fit_emissions(np.eye(4, dtype=np.float32), matrix)
    with pytest.raises(ValueError, match="damaged"):
        unpack_csr("saved", pack_csr("saved", matrix))


MASKED = np.ma.masked_equal([1.0, 2.0, 3.0], 2.0)
LABELS = np.ma.masked_equal([0, 1, 1], 0)


def refusals(corpus, model):
    """Calls that must be refused, by what the error must say."""
    documents, embeddings = corpus.documents, corpus.embeddings
    eye = np.eye(3, dtype=np.float32)
    return {
        "word_weights is a masked": lambda: fit_emissions(eye, eye, word_weights=MASKED),
        "labels is a masked": lambda: evaluation.coverage(LABELS),
        "classes is a masked": lambda: evaluation.purity(LABELS, [0, 1, 1]),
        "topic_words is a masked": lambda: evaluation.topic_significance(
            np.ma.masked_equal(eye, 1), eye
        ),
        "doc_topics holds zeros": lambda: evaluation.topic_significance(eye, eye * 0),
        "random_state": lambda: evaluation.classification_f1(
            np.tile(eye, (4, 1)), [0, 1, 1] * 4, n_folds=2, random_state=eye
        ),
        "classes must hold one": lambda: model.fit(
            documents, embeddings=embeddings, classes=[[]] + [1] * (len(documents) - 1)
        ),
        r"classes\[1\]": lambda: model.fit(
            documents, embeddings=embeddings, classes=[1, sp.eye(2)] * (len(documents) // 2)
        ),
        "languages": lambda: model.fit(
            documents, embeddings=embeddings, languages=[3] * len(documents)
        ),
        "models": lambda: SAETopicModel.merge_models(sp.eye(3)),
        "chunker": lambda: model.embed_passages(documents, 3),
        "vocabulary": lambda: model.relearn_words(sp.eye(len(documents)), sp.eye(3)),
        "ids": lambda: model.document_table(ids=["\ud800"] * len(documents)),
        "n_topics": lambda: model.retopic(2**31),
        "language must be": lambda: model.get_topics(language=[]),
        "sae_a": lambda: atom_stability(None, model.sae_),
        "first": lambda: match_directions(None, eye),
        "noise": lambda: sample_ctm(5, 3, 4, noise="x"),
        "keep_strongest": lambda: type(model.sae_)({}, activation="topk", k=1, keep_strongest=eye),
        "weights": lambda: type(model.sae_)(None, activation="topk", k=1),
        "atoms": lambda: analysis.find_documents(model, atoms=sp.eye(3)),
        "text": lambda: analysis.explain_document(model, 0, text=iter("x")),
        "table": lambda: analysis.taxonomy_json(None),
        "level 0": lambda: analysis.taxonomy_json(analysis.taxonomy(model, [2]).iloc[:0]),
        "vectors": lambda: map_documents([[b"x"]]),
        "topic_words must": lambda: analysis.document_npmi(eye, sp.eye(3)),
    }


def test_what_is_wrong_is_named(corpus, model):
    before = dict(vars(model))
    for name, call in refusals(corpus, model).items():
        with pytest.raises((ValueError, TypeError), match=name):
            call()
    assert all(before[key] is value for key, value in vars(model).items())


def test_what_would_fill_the_memory_is_refused(corpus, model):
    with pytest.raises(ValueError, match="bins must be at most 100,000 periods"):
        analysis.topic_trends(model, list(range(400)), bins=2**31)
    with pytest.raises(ValueError, match=r"strength_shape must be above 1e-06"):
        sample_ctm(2, 3, 4, strength_shape=5e-324)


def test_groups_in_a_tensor_are_its_numbers(corpus, model):
    groups = np.arange(400) % 3
    found = analysis.coverage(model, torch.tensor(groups))
    assert found.equals(analysis.coverage(model, groups))


def test_surrogates_and_tokens_that_are_none_are_named(corpus, model):
    with pytest.raises(ValueError, match=r"texts\[0\] holds half of a surrogate pair"):
        analysis.find_documents(model, topic=0, texts=["\ud800"] * 400)
    with pytest.raises(TypeError, match=r"texts\[1\] must hold tokens; found None"):
        evaluation.topic_coherence([["a", "b"]], [["a", "b"], ["a", None]], n_words=2)


@pytest.mark.parametrize("options", [{"backend": "torch"}, {"solver": "adam"}, {}])
def test_without_a_background_documents_without_atoms_are_no_nan(corpus, model, options):
    theta = sp.lil_matrix(model.doc_atoms_)
    theta[3] = 0
    bow = model.vectorizer_.transform(corpus.documents)
    weights = np.ones(bow.shape[1])
    weights[:5] = 0
    found = fit_emissions(
        theta.tocsr(), bow, n_iter=3, background_weight=0, word_weights=weights, **options
    )
    assert np.isfinite(found.atom_words).all()
    assert np.isfinite(found.log_likelihood_).all()


def test_masked_prevalence_is_refused(model):
    prevalence = np.ma.array(
        model.atom_prevalence_, mask=np.arange(len(model.atom_prevalence_)) < 2
    )
    bow = sp.csr_matrix(np.ones((2, len(model.vocabulary_)), dtype=np.float32))
    with pytest.raises(ValueError, match="prevalence is a masked array"):
        infer_doc_atoms(bow, model.emissions_, prevalence=prevalence)


def test_classes_may_be_bytes_of_any_encoding(model, corpus):
    classes = [b"caf\xe9" if row % 2 else b"-1" for row in range(len(corpus.documents))]
    one_hot = one_hot_classes(classes, len(classes)).codes
    assert one_hot.shape[1] == 1
    np.testing.assert_array_equal(one_hot.toarray().ravel(), np.arange(len(classes)) % 2)
    model.fit(corpus.documents, embeddings=corpus.embeddings, classes=classes)
    mixed = [*classes[:-1], 3]  # an array of objects
    np.testing.assert_array_equal(one_hot_classes(mixed, len(mixed)).codes.sum(axis=0), [[1, 199]])


def test_weights_that_lack_an_array_are_refused():
    with pytest.raises(ValueError, match="weights lacks 'encoder'"):
        SparseAutoencoder({}, activation="topk", k=2)


def test_small_numpy_integers_do_not_overflow_in_training(corpus):
    plain = train_sae(corpus.embeddings, n_atoms=32, k=3, n_steps=5, batch_size=100)
    found = train_sae(corpus.embeddings, n_atoms=32, k=np.uint8(3), n_steps=5, batch_size=100)
    np.testing.assert_array_equal(found.decoder_, plain.decoder_)


def test_a_folder_without_embeddings_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"embeddings: folder .* holds no"):
        train_sae(tmp_path, n_atoms=8)
