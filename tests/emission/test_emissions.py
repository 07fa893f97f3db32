import copy

import numpy as np
import pytest

from saetm_plugins.emission import fit_emissions


def expected_counts(em, theta, bow):
    """Dense float64: what each atom is expected to have said in these documents."""
    theta, n = theta.toarray().astype(float), bow.toarray() * em.word_weights
    words = em.atom_words.astype(float)
    q = em.background_weight * em.background + (1 - em.background_weight) * theta @ words
    return (1 - em.background_weight) * words * (theta.T @ (n / q))


def test_partial_fit_adds_expected_counts_to_those_of_the_old_documents(plant_documents):
    theta, bow, _ = plant_documents()
    new_theta, new_bow, _ = plant_documents(seed=1)
    em = fit_emissions(theta, bow, prior=0, n_iter=5)
    for decay in (1.0, 0.25):
        old = em.atom_words * em.atom_mass[:, None]
        wanted = decay * old + expected_counts(em, new_theta, new_bow)
        updated = copy.deepcopy(em).partial_fit(new_theta, new_bow, decay=decay)
        np.testing.assert_allclose(updated.atom_mass, wanted.sum(1), rtol=1e-4)
        np.testing.assert_allclose(
            updated.atom_words, wanted / wanted.sum(1, keepdims=True), rtol=1e-3, atol=1e-6
        )
        total = decay * em.word_totals + np.asarray(new_bow.sum(0)).ravel() * em.word_weights
        np.testing.assert_allclose(updated.word_totals, total, rtol=1e-6)
        assert updated.atom_mass.sum() + updated.background_mass == pytest.approx(total.sum())


def test_forgetting_everything_is_a_pass_over_the_new_documents_alone(plant_documents):
    theta, bow, _ = plant_documents()
    em = fit_emissions(theta, bow, n_iter=5, prior=3)
    later = fit_emissions(theta, bow, n_iter=6, prior=3)
    em.partial_fit(theta, bow, decay=0)
    np.testing.assert_allclose(em.atom_words, later.atom_words, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(em.background, later.background, rtol=1e-4, atol=1e-7)


def test_partial_fit_wakes_an_atom_without_documents(plant_documents):
    theta, bow, atom_words = plant_documents(n_docs=2000)
    without = theta.tolil()
    without[:, 0] = 0
    em = fit_emissions(without.tocsr(), bow, n_iter=5, word_weights=None)
    assert np.array_equal(em.atom_words[0], em.background)
    em.partial_fit(theta, bow, n_iter=10)
    assert np.minimum(em.atom_words[0], atom_words[0]).sum() > 0.7


def test_partial_fit_learns_a_word_that_had_not_occurred(plant_documents):
    theta, bow, _ = plant_documents()
    without = bow.tolil()
    without[:, 7] = 0
    em = fit_emissions(theta, without.tocsr(), n_iter=3, word_weights=None)
    assert em.background[7] == 0
    assert em.atom_words[:, 7].max() == 0
    whole = fit_emissions(theta, bow, n_iter=6, word_weights=None)
    em.partial_fit(theta, bow, decay=0, n_iter=6)
    np.testing.assert_allclose(em.atom_words[:, 7], whole.atom_words[:, 7], rtol=0.2, atol=1e-3)
    assert em.background[7] > 0


def test_partial_fit_improves_the_likelihood_of_new_documents(plant_documents):
    theta, bow, _ = plant_documents(n_docs=60)
    new_theta, new_bow, _ = plant_documents(n_docs=800, seed=0)
    em = fit_emissions(theta, bow)
    before = em.score(new_theta, new_bow)
    assert em.partial_fit(new_theta, new_bow, n_iter=3).score(new_theta, new_bow) > before + 0.05


def test_failed_partial_fit_leaves_everything_as_it_was(corpus):
    theta, bow = corpus
    em = fit_emissions(theta, bow, n_iter=3)
    before = copy.deepcopy(vars(em))
    for bad in (
        {"bow": bow[:, :-1]},
        {"bow": -bow},
        {"doc_atoms": theta[:, :-1]},
        {"doc_atoms": theta[:-1]},
        {"decay": -1},
        {"bow": bow * 0, "decay": 0},
    ):
        with pytest.raises(ValueError, match=r"bow|doc_atoms|decay"):
            em.partial_fit(**{"doc_atoms": theta, "bow": bow, **bad})
        for name, value in before.items():
            assert np.array_equal(getattr(em, name), value), name
