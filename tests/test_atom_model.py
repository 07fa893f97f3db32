"""Sums over documents: batches, shards and models add up exactly."""

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer

from saetm_plugins import SAETopicModel, train_sae
from saetm_plugins.atom_model import AtomModel
from saetm_plugins.corpus_sums import sum_documents
from saetm_plugins.decisions import Decisions
from saetm_plugins.topics import Topics

N_TOPICS = 5


@pytest.fixture(scope="module")
def batches(corpus):
    """Three uneven batches of rows."""
    order = np.random.default_rng(0).permutation(len(corpus.documents))
    return np.split(order, [37, 290])


@pytest.fixture(scope="module")
def counted(corpus):
    """The function that returns embeddings, counts and vocabulary of a batch."""
    vectorizer = CountVectorizer()
    bow = vectorizer.fit_transform(corpus.documents)
    vocabulary = vectorizer.get_feature_names_out()

    def of(rows):
        return {"embeddings": corpus.embeddings[rows], "bow": bow[rows], "vocabulary": vocabulary}

    return of


@pytest.fixture(scope="module")
def fit(counted, sae):
    """The function that fits a model to a batch."""

    def fit(rows, classes=None, **options):
        return SAETopicModel(N_TOPICS, sae=sae, **options).fit(
            None, **counted(rows), **({} if classes is None else {"classes": classes})
        )

    return fit


def assert_same_corpus(one, other, atol=1e-5):
    assert one.n_documents_seen_ == other.n_documents_seen_
    for name in ("atom_prevalence_", "atom_words_", "background_"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=atol)
    one, other = one.atoms_, other.atoms_
    np.testing.assert_allclose(one.centroids, other.centroids, atol=atol)
    np.testing.assert_allclose(one.keywords.toarray(), other.keywords.toarray(), atol=atol)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_batches_in_any_order_are_one_fit_of_all_documents(fit, counted, batches, order):
    first, *others = (batches[i] for i in order)
    model, whole = fit(first), fit(np.concatenate(batches))
    for rows in others:
        model.partial_fit(None, **counted(rows))
    assert_same_corpus(model, whole)
    for merge in ("nmf", "ward"):
        model.retopic(7, merge)
        whole.retopic(7, merge)
        np.testing.assert_allclose(model.components_, whole.components_, atol=1e-4)


def test_forgetting_is_a_fit_of_what_comes_after(fit, counted, batches):
    model = fit(batches[1]).partial_fit(None, **counted(batches[2]), decay=0)
    fresh = fit(batches[2])
    assert_same_corpus(model, fresh)
    np.testing.assert_allclose(model.retopic(N_TOPICS).components_, fresh.components_, atol=1e-4)


def test_decay_lets_all_sums_count_for_less(fit, counted, batches):
    model = fit(batches[1])
    before = model.atoms_.sums
    model.partial_fit(None, **counted(batches[2]), decay=0.25)
    more = fit(batches[2]).atoms_.sums
    for field in dataclasses.fields(before):
        old, new = getattr(before, field.name), getattr(more, field.name)
        if field.name in ("cosine_counts", "origin"):  # of the model, not of a batch by itself
            continue
        if field.name == "class_mass":  # no class is known
            assert old is new is getattr(model.atoms_.sums, field.name) is None
            continue
        found = getattr(model.atoms_.sums, field.name)
        expected = 0.25 * old + new
        if sp.issparse(found):
            found, expected = found.toarray(), expected.toarray()
        np.testing.assert_allclose(found, expected, rtol=1e-12, err_msg=field.name)


def test_merged_models_are_one_model_of_all_documents(corpus, fit, batches):
    models = [fit(rows) for rows in batches]
    merged, whole = SAETopicModel.merge_models(models), fit(np.concatenate(batches))
    assert_same_corpus(merged, whole)
    np.testing.assert_allclose(merged.components_, whole.components_, atol=1e-4)
    new = [model.transform(embeddings=corpus.embeddings) for model in (merged, whole)]
    np.testing.assert_allclose(*new, atol=1e-4)
    # Documents keep the place that they had among those of their own model.
    np.testing.assert_allclose(merged.doc_topics_, whole.doc_topics_, atol=0.06)
    assert models[0].n_documents_seen_ == 37, "the parts stay as they were"


def assert_equal_field(name, found, expected):
    assert type(found) is type(expected), name
    if sp.issparse(found):
        found, expected = found.toarray(), expected.toarray()
    if isinstance(found, np.ndarray) and found.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6, err_msg=name)
    else:
        np.testing.assert_array_equal(found, expected, err_msg=name)


def test_every_field_of_added_models_is_that_of_one_fit(corpus, fit, batches):
    """Walks the dataclasses, so that a new field is added up or fails here."""
    names = np.array(["x", "b", "-1", "a", "y"])[corpus.themes]
    names[batches[0][names[batches[0]] == "x"]] = "-1"  # the first batch knows fewer classes
    vectors = {"themeaworda": [3.0, 4.0]}
    *parts, whole = (
        fit(rows, names[rows], word_vectors=vectors).atoms_
        for rows in (*batches, np.concatenate(batches))
    )
    added = parts[0] + parts[1] + parts[2]
    assert added.classes.tolist() == ["a", "b", "x", "y"]
    for field in dataclasses.fields(added):
        if field.compare and field.name != "sums":
            assert_equal_field(field.name, getattr(added, field.name), getattr(whole, field.name))
    for name, value in added.sums.named():
        assert value is not None, f"this test has no {name}"
        if name == "cosine_counts":  # each batch among the documents until then
            assert value.sum() == whole.sums.cosine_counts.sum()
            continue
        assert_equal_field(name, value, getattr(whole.sums, name))


def test_classes_of_one_half_stay_where_the_other_has_none(corpus, fit, batches):
    first, second = fit(batches[1], corpus.themes[batches[1]]), fit(batches[2])
    for models in ((first, second), (second, first)):
        merged = SAETopicModel.merge_models(models).atoms_
        assert merged.classes.tolist() == list("01234")
        np.testing.assert_array_equal(
            merged.sums.class_mass.toarray(), first.atoms_.sums.class_mass.toarray()
        )


def test_vocabularies_are_united_with_zero_for_what_was_not_counted(corpus, sae):
    texts = [f"{text} only{'ab'[row >= 200]}" for row, text in enumerate(corpus.documents)]

    def fit(rows):
        model = SAETopicModel(N_TOPICS, sae=sae, vectorizer=CountVectorizer())
        return model.fit(texts[rows], embeddings=corpus.embeddings[rows])

    merged = SAETopicModel.merge_models([fit(slice(200)), fit(slice(200, 400))])
    whole = fit(slice(400))
    assert merged.vocabulary_.tolist() == whole.vocabulary_.tolist()
    assert {"onlya", "onlyb"} <= set(merged.vocabulary_)
    assert_same_corpus(merged, whole)
    merged.partial_fit(texts[:20], embeddings=corpus.embeddings[:20])
    assert np.isfinite(merged.components_).all()


def test_models_of_different_atoms_are_not_merged(corpus, fitted):
    atoms = train_sae(corpus.embeddings, n_atoms=32, k=4, n_steps=5)
    other = SAETopicModel(N_TOPICS, sae=atoms).fit(corpus.documents, embeddings=corpus.embeddings)
    with pytest.raises(ValueError, match="share a sparse autoencoder"):
        SAETopicModel.merge_models([fitted, other])
    with pytest.raises(ValueError, match="at least 2"):
        SAETopicModel.merge_models([fitted])


def test_words_that_the_first_batch_lacked_are_learned_without_nan(counted, sae):
    first = counted(slice(200))
    bow = first["bow"].tolil()
    bow[:, 0] = 0  # does not occur
    bow[:, 1] = 1  # occurs in every document
    model = SAETopicModel(N_TOPICS, sae=sae).fit(None, **first | {"bow": bow.tocsr()})
    assert np.isfinite(model.components_).all()
    model.partial_fit(None, **counted(slice(200, 400)))
    assert np.isfinite(model.components_).all()
    np.testing.assert_allclose(model.components_.sum(axis=1), 1, atol=1e-4)
    assert model.components_[:, 0].max() > 0


def test_saving_in_between_changes_nothing(fit, counted, batches, tmp_path):
    model = fit(batches[1], merge="ward")
    model.save(tmp_path / "model")
    results = [
        each.partial_fit(None, **counted(batches[2])).retopic(12, "ward").components_
        for each in (model, SAETopicModel.load(tmp_path / "model"))
    ]
    np.testing.assert_array_equal(*results)


def test_a_value_never_changes(model, counted, batches):
    atoms, topics = model.atoms_, model.topics_
    prevalence, words = atoms.prevalence.copy(), topics.words.copy()
    model.partial_fit(None, **counted(batches[2]))
    model.merge_topics([0, 1]).split_topic(0).undo()
    assert model.atoms_ is not atoms
    np.testing.assert_array_equal(atoms.prevalence, prevalence)
    np.testing.assert_array_equal(topics.words, words)
    with pytest.raises(dataclasses.FrozenInstanceError):
        atoms.sharpening = 3


def test_sums_of_blocks_are_the_sums_of_all(corpus, monkeypatch):
    rng = np.random.default_rng(0)
    theta = sp.csr_matrix(rng.dirichlet(np.ones(6), size=400) * (rng.random((400, 6)) < 0.5))
    counts = sp.csr_matrix(rng.poisson(0.3, size=(400, 30)))
    whole = sum_documents(theta, counts, corpus.embeddings, 24)
    monkeypatch.setattr("saetm_plugins.corpus_sums._ROWS", 33)
    monkeypatch.setattr("saetm_plugins.corpus_sums._DIMENSIONS", 7)
    blocks = sum_documents(theta, counts, corpus.embeddings, 24)
    units = corpus.embeddings / np.linalg.norm(corpus.embeddings, axis=1, keepdims=True)
    expected = (counts.toarray() > 0).T.astype(float) @ units.astype(float)
    for sums in (whole, blocks):
        np.testing.assert_allclose(sums.word_embeddings, expected, atol=1e-5)
        np.testing.assert_allclose(sums.atom_embeddings, theta.T @ units, atol=1e-5)
        damped = np.log2(1 + counts.toarray())
        np.testing.assert_allclose(sums.atom_words.toarray(), theta.toarray().T @ damped)
        pairs = theta.toarray().T @ (damped.sum(axis=1)[:, None] * theta.toarray())
        np.testing.assert_allclose(sums.atom_pairs.toarray(), pairs)


def test_a_table_of_words_too_large_is_refused_with_its_size(sae, monkeypatch):
    monkeypatch.setattr("saetm_plugins.validation.DENSE_LIMIT", 2**20)
    empty = sum_documents(sp.csr_matrix((0, sae.n_atoms)), None, None, sae.n_features)
    with pytest.raises(ValueError, match=r"P\(word \| atom\) of shape \(32, 10000\).* GiB"):
        AtomModel(sae, empty, vocabulary=np.empty(10_000, dtype=object))


@pytest.mark.parametrize(
    "wrong",
    [
        {"prevalence": np.array([0.5, 0.4], np.float32)},
        {"prevalence": np.ones(1, np.float32)},
        {"words": np.full((2, 4), np.nan, np.float32)},
        {"words": np.full((2, 4), 0.5, np.float32)},
        {"atom_topics": sp.csr_matrix(-np.eye(3, 2, dtype=np.float32))},
        {"atom_topics": sp.csr_matrix(np.ones((3, 2), np.float32))},
        {"labels": (None,)},
        {"labels": (None, 3)},
        {"decisions": Decisions.none(2, 3)},
    ],
)
def test_topics_check_themselves(wrong):
    legal = {
        "atom_topics": sp.csr_matrix(np.eye(3, 2, dtype=np.float32)),
        "words": np.full((2, 4), 0.25, np.float32),
        "prevalence": np.full(2, 0.5, np.float32),
        "labels": (None, "name"),
    }
    assert len(Topics(**legal)) == 2
    with pytest.raises((ValueError, TypeError)):
        Topics(**legal | wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"atom_mass": np.ones(2)}, {"atom_mass": -np.ones(3)}, {"embedding": np.full(4, np.nan)},
     {"document_frequency": None}, {"n_distinct": np.nan}],
)  # fmt: skip
def test_sums_check_themselves(wrong):
    sums = sum_documents(sp.csr_matrix(np.eye(3)), sp.csr_matrix(np.eye(3)), np.eye(3, 4), 4)
    with pytest.raises(ValueError, match=r"atom_mass|embedding|words|nan"):
        dataclasses.replace(sums, **wrong)
