"""Emissions from sums over documents."""

import numpy as np
import pytest
import scipy.sparse as sp

from saetm_plugins.emission import fit_emissions, fit_pooled_emissions


def pool(theta, bow):
    theta = sp.csr_matrix(theta, dtype=np.float64)
    lengths = np.asarray(bow.sum(axis=1)).ravel()
    frequency = np.asarray((bow > 0).sum(axis=0)).ravel().astype(float)
    pairs = sp.csr_matrix(theta.T @ sp.diags(lengths) @ theta)
    return sp.csr_matrix(theta.T @ bow), pairs, frequency, float(theta.shape[0])


def test_planted_words_are_recovered_nearly_as_well_as_from_the_documents(plant_documents):
    theta, bow, atom_words = plant_documents(n_docs=3000)
    pooled = fit_pooled_emissions(*pool(theta, bow), n_iter=20)
    whole = fit_emissions(theta, bow, n_iter=20)
    overlap = [np.minimum(em.atom_words, atom_words).sum(axis=1).mean() for em in (pooled, whole)]
    assert overlap[0] > 0.7
    assert overlap[0] > overlap[1] - 0.1
    np.testing.assert_allclose(pooled.atom_words.sum(axis=1), 1, atol=1e-5)


def test_more_passes_explain_the_documents_better(plant_documents):
    theta, bow, _ = plant_documents()
    sums = pool(theta, bow)
    scores = [fit_pooled_emissions(*sums, n_iter=n).score(theta, bow) for n in (1, 2, 4, 8)]
    assert (np.diff(scores) > 0).all()


def test_a_word_that_all_documents_hold_keeps_a_probability(plant_documents):
    theta, bow, _ = plant_documents()
    bow, theta = bow.tolil(), theta.tolil()
    bow[:, 0] = 1
    theta[:, 3] = 0
    em = fit_pooled_emissions(*pool(theta.tocsr(), bow.tocsr()))
    assert em.atom_words[:, 0].min() > 0
    assert em.background[0] > 0
    np.testing.assert_array_equal(em.atom_words[3], em.background)  # an atom without documents
    with pytest.raises(ValueError, match="no words to learn from"):
        fit_pooled_emissions(*pool(theta.tocsr(), bow.tocsr() * 0))
