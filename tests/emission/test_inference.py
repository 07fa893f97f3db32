import numpy as np
import pytest
import scipy.sparse as sp

from saetm_plugins.emission import fit_emissions, infer_doc_atoms


@pytest.fixture(scope="module")
def planted(plant_documents):
    theta, bow, _ = plant_documents(n_docs=1500, length=80)
    return theta, bow, fit_emissions(theta, bow, n_iter=20, word_weights=None)


def objective(theta, bow, em, prevalence, prior):
    q = em.background_weight * em.background + (1 - em.background_weight) * theta @ em.atom_words
    likelihood = (bow.toarray() * np.log(q)).sum(1)
    return likelihood + prior * (prevalence * np.log(np.maximum(theta, 1e-12))).sum(1)


def test_recovers_the_mixtures_that_documents_were_drawn_from(planted):
    theta, bow, em = planted
    found = infer_doc_atoms(bow, em)
    assert found.shape == theta.shape
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    same = found.toarray().argmax(1) == theta.toarray().argmax(1)
    assert same.mean() > 0.85


def test_no_small_move_improves_a_converged_mixture(planted):
    _, bow, em = planted
    bow = bow[:50]
    prevalence = em.atom_mass / em.atom_mass.sum()
    theta = infer_doc_atoms(bow, em, n_iter=2000, prior=2.0).toarray().astype(float)
    best = objective(theta, bow, em, prevalence, 2.0)
    for k in range(theta.shape[1]):
        moved = 0.99 * theta
        moved[:, k] += 0.01
        assert (objective(moved, bow, em, prevalence, 2.0) < best + 1e-3).all()


def test_candidates_hardly_change_the_mixture(plant_documents):
    theta, bow, _ = plant_documents(n_docs=1500, n_atoms=60, n_words=300)
    em = fit_emissions(theta, bow, n_iter=10)
    every, some = (
        infer_doc_atoms(bow, em, n_candidates=n, prior=0, n_iter=20).toarray() for n in (60, 24)
    )
    assert np.abs(every - some).sum(axis=1).mean() < 0.1


def test_keeps_no_more_atoms_than_asked_for(planted):
    found = infer_doc_atoms(planted[1], planted[2], n_active=2)
    assert np.diff(found.indptr).max() <= 2
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


def test_a_document_does_not_depend_on_its_neighbours(planted):
    _, bow, em = planted
    together = infer_doc_atoms(bow[:40], em)
    for row in (0, 17, 39):
        alone = infer_doc_atoms(bow[row], em)
        assert np.array_equal(alone.toarray()[0], together[row].toarray()[0])


def test_prevalence_rules_atoms_out_and_stands_in_for_words(planted):
    _, bow, em = planted
    prevalence = np.arange(12.0)
    assert infer_doc_atoms(bow, em, prevalence)[:, 0].nnz == 0
    wordless = infer_doc_atoms(sp.csr_matrix((2, 80)), em, prevalence).toarray()
    np.testing.assert_allclose(wordless, np.tile(prevalence / 66, (2, 1)), rtol=1e-4)


def test_word_without_probability_is_ignored(corpus):
    doc_atoms, bow = corpus
    wider = sp.hstack([bow, sp.csr_matrix((bow.shape[0], 1))]).tocsr()
    em = fit_emissions(doc_atoms, wider, n_iter=5)
    with_it = wider.tolil()
    with_it[:, -1] = 4
    a, b = (infer_doc_atoms(m, em).toarray() for m in (wider, with_it.tocsr()))
    np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bow": np.ones((2, 79))}, "bow has 79 words; the emissions have 80"),
        ({"prevalence": np.ones(3)}, r"prevalence has shape \(3,\); the emissions have 12 atoms"),
        ({"n_active": 0}, "n_active must be at least 1"),
    ],
)
def test_bad_input_is_named(corpus, change, message):
    em = fit_emissions(*corpus, n_iter=1)
    with pytest.raises(ValueError, match=message):
        infer_doc_atoms(**{"bow": corpus[1], "emissions": em, **change})
