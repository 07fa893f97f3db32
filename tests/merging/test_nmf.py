"""The soft merge and its engine."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.decomposition import NMF
from sklearn.metrics import adjusted_rand_score

from saetm_plugins.merging import AtomViews, atom_cooccurrence, make_merge
from saetm_plugins.merging.factorization import SparseSVD, factorize, nndsvd


@pytest.fixture(scope="module")
def matrix():
    rng = np.random.default_rng(0)
    dense = rng.gamma(1.0, size=(120, 8)) @ rng.gamma(0.2, size=(8, 300))
    return sp.csr_matrix(np.where(rng.random(dense.shape) < 0.2, dense, 0).astype(np.float32))


def error(matrix, rows, columns):
    return float(((matrix.toarray() - rows @ columns.T) ** 2).sum())


def test_factorization_is_as_close_as_scikit_learns(matrix):
    rows, columns = nndsvd(SparseSVD(matrix), 8)
    factorize(matrix, matrix.T.tocsr(), rows, columns, n_iter=20)
    reference = NMF(8, init="nndsvd", max_iter=20, random_state=0)
    theirs = reference.fit_transform(matrix.toarray())
    assert error(matrix, rows, columns) <= 1.01 * error(matrix, theirs, reference.components_.T)


def test_singular_vectors_are_right_exactly_and_at_random(matrix, monkeypatch):
    values = np.linalg.svd(matrix.toarray(), compute_uv=False)
    exact = SparseSVD(matrix).leading(5)
    np.testing.assert_allclose(exact[1], values[:5], rtol=1e-4)
    np.testing.assert_allclose(exact[2].T @ exact[2], np.eye(5), atol=1e-4)
    monkeypatch.setattr(SparseSVD, "EXACT", 100)
    np.testing.assert_allclose(SparseSVD(matrix).leading(5)[1], values[:5], rtol=1e-2)


def draw_exclusive(seed, n_themes, atoms_per_theme, n_words, silent):
    """Atoms of themes with words of their own, a share of them without any: of low rank."""
    rng = np.random.default_rng(seed)
    themes = np.repeat(np.arange(n_themes), atoms_per_theme)
    keywords = np.zeros((len(themes), n_themes * n_words), dtype=np.float32)
    for atom, theme in enumerate(themes):
        if atom % atoms_per_theme == 0 or rng.random() >= silent:  # each theme has a word
            keywords[atom, theme * n_words + rng.integers(n_words, size=2)] = rng.choice([0.5, 1])
    vectors = np.eye(n_themes, 12)[themes] + 0.1 * rng.normal(size=(len(themes), 12))
    return sp.csr_matrix(keywords), vectors.astype(np.float32), themes


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    n_themes=st.integers(2, 5),
    atoms_per_theme=st.integers(2, 60),
    n_words=st.integers(1, 4),
    silent=st.floats(0, 0.5),
    surplus=st.floats(0, 1),
)
@example(seed=1, n_themes=5, atoms_per_theme=5, n_words=1, silent=0.5, surplus=1.0)
def test_more_topics_than_rank_are_each_of_one_theme(surplus, n_themes, **drawn):
    keywords, vectors, themes = draw_exclusive(n_themes=n_themes, **drawn)
    n_atoms = len(themes)
    rank = int(np.linalg.matrix_rank(keywords.toarray()))
    n_topics = rank + int(surplus * min(n_atoms - rank, 40))
    views = AtomViews(np.full(n_atoms, 1 / n_atoms), vectors, keywords)
    cut = make_merge("nmf").fit(views).cut(n_topics)
    weights = cut.atom_topics.toarray()
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-4)
    np.testing.assert_allclose(cut.topic_words.sum(axis=1), 1, rtol=1e-4)
    assert weights.max(axis=0).min() > 0, "a topic without atoms"
    spoken = np.diff(keywords.indptr) > 0
    mass = np.array([weights[spoken & (themes == theme)].sum(axis=0) for theme in range(n_themes)])
    assert mass.max(axis=0).sum() > 0.999 * spoken.sum()
    assert set(mass.argmax(axis=0)) == set(range(n_themes))


@pytest.mark.parametrize("failure", ["error", "nan"])
def test_a_solver_that_fails_is_replaced(matrix, monkeypatch, failure):
    expected = SparseSVD(matrix).leading(5)[1]

    def fail(square):
        if failure == "error":
            raise torch.linalg.LinAlgError("failed to converge")
        return square[0], square * torch.nan

    monkeypatch.setattr(torch.linalg, "eigh", fail)
    np.testing.assert_allclose(SparseSVD(matrix).leading(5)[1], expected, rtol=1e-5)


def test_memberships_are_soft(planted):
    cut = make_merge("nmf", min_share=0.0).fit(planted[0]).cut(9)
    assert (np.diff(cut.atom_topics.indptr) > 1).any()


def test_focus_puts_words_first_that_are_near_the_topic(planted):
    views, _ = planted
    vectors = views.word_vectors / np.linalg.norm(views.word_vectors, axis=1, keepdims=True)

    def agreement(focus):
        words = make_merge("nmf", focus=focus).fit(views).cut(6).topic_words
        top = np.argsort(-words, axis=1)[:, :5]
        return np.mean([vectors[row] @ vectors[row].T for row in top])

    assert agreement(4.0) > agreement(1.5) > agreement(0.0)


def test_a_word_counts_less_the_more_topics_hold_it_with_more_probability(planted):
    plain, told = (
        make_merge("nmf", distinctness=power).fit(planted[0]).cut(9).topic_words
        for power in (0, 0.5)
    )
    rank = 1 + np.argsort(np.argsort(-plain, axis=0, kind="stable"), axis=0, kind="stable")
    expected = plain / np.sqrt(rank)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(told, expected, rtol=1e-5)
    diversity = [len(np.unique(np.argsort(-w, axis=1)[:, :10])) for w in (told, plain)]
    assert diversity[0] > diversity[1]


def test_words_without_a_vector_keep_their_place(planted):
    views, _ = planted
    plain = make_merge("nmf").fit(views._replace(word_vectors=None)).cut(6).topic_words
    nothing = views._replace(word_vectors=np.zeros_like(views.word_vectors))
    np.testing.assert_allclose(make_merge("nmf").fit(nothing).cut(6).topic_words, plain, rtol=1e-5)


def test_atoms_without_keywords_join_the_topic_of_their_vector(planted):
    views, themes = planted
    keywords = views.keywords.tolil()
    keywords[3] = 0
    cut = make_merge("nmf").fit(views._replace(keywords=keywords.tocsr())).cut(6)
    labels = np.asarray(cut.atom_topics.argmax(axis=1)).ravel()
    assert labels[3] == labels[4]
    assert themes[3] == themes[4]


def test_an_atom_between_topics_by_its_words_is_drawn_to_the_nearer_documents():
    keywords = np.zeros((12, 8), dtype=np.float32)
    keywords[:5, :4] = keywords[5:10, 4:] = 1
    keywords[10:] = 1  # words of both themes
    vectors = np.eye(2, dtype=np.float32)[[0] * 5 + [1] * 5 + [0, 1]]
    views = AtomViews(np.full(12, 1 / 12), vectors, sp.csr_matrix(keywords))
    shares = make_merge("nmf").fit(views).cut(2).atom_topics.toarray()
    assert shares[10] @ shares[0] > 0.9
    assert shares[11] @ shares[5] > 0.9


def test_without_words_atoms_merge_by_cooccurrence(planted):
    views, themes = planted
    rng = np.random.default_rng(0)
    active = rng.random((400, 48)) * (themes == rng.integers(6, size=(400, 1)))
    doc_atoms = sp.csr_matrix(np.where(rng.random(active.shape) < 0.5, active, 0))
    cooccurrence = atom_cooccurrence(sp.csr_matrix(doc_atoms.T @ doc_atoms), 5)
    assert cooccurrence.diagonal().max() == 0
    assert np.diff(cooccurrence.indptr).max() == 5
    blind = AtomViews(views.prevalence, np.ones((48, 1), np.float32), cooccurrence=cooccurrence)
    cut = make_merge("nmf").fit(blind).cut(6)
    live = views.prevalence > 0
    found = np.asarray(cut.atom_topics.argmax(axis=1)).ravel()
    assert cut.topic_words is None
    assert adjusted_rand_score(themes[live], found[live]) == 1.0


def test_words_of_given_memberships_are_those_that_the_factorization_found(planted):
    keywords = planted[0].keywords.tolil()
    keywords[3] = 0
    merge = make_merge("nmf").fit(planted[0]._replace(keywords=keywords.tocsr()))
    cut = merge.cut(6)
    words = merge.words_of(cut.atom_topics)
    np.testing.assert_allclose(words.sum(axis=1), 1, atol=1e-5)
    assert np.minimum(words, cut.topic_words).sum(axis=1).min() > 0.9
    alone = merge.words_of(sp.csr_matrix(([1.0, 1.0], ([3, 4], [0, 1])), shape=(48, 2)))
    np.testing.assert_allclose(alone.sum(axis=1), [0, 1], atol=1e-5)


def test_known_classes_join_atoms_that_words_keep_apart(planted):
    views, themes = planted
    pairs = themes // 2  # three classes of two themes each
    classes = np.eye(3, dtype=np.float32)[pairs] - 1 / 3
    guided = make_merge("nmf").fit(views._replace(classes=classes, class_weight=0.9)).cut(3)
    plain = make_merge("nmf").fit(views).cut(3)
    live = views.prevalence > 0
    scores = [
        adjusted_rand_score(pairs[live], np.asarray(cut.atom_topics.argmax(axis=1)).ravel()[live])
        for cut in (guided, plain)
    ]
    assert scores[0] == 1.0
    assert scores[0] > scores[1]
    np.testing.assert_allclose(guided.topic_words.sum(axis=1), 1, atol=1e-5)


def test_classes_of_the_default_weight_leave_the_words_of_topics_alone(planted):
    views, themes = planted
    classes = np.eye(3, dtype=np.float32)[themes // 2] - 1 / 3
    plain = make_merge("nmf").fit(views).cut(6)
    guided = make_merge("nmf").fit(views._replace(classes=classes, class_weight=0.5)).cut(6)
    words = [words[np.lexsort(words.T)] for words in (guided.topic_words, plain.topic_words)]
    np.testing.assert_array_equal(*words)
    assert (guided.atom_topics != plain.atom_topics).nnz > 0
