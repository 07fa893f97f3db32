import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from saetm_plugins.emission import fit_emissions


def idf(bow):
    df = (bow.toarray() > 0).sum(0)
    weights = np.log(bow.shape[0] / df)
    return weights / weights.max()


@pytest.mark.parametrize("prior", [0.0, 7.5])
@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_em_does_the_closed_form_steps(corpus, em_in_numpy, backend, prior):
    doc_atoms, bow = corpus
    em = fit_emissions(doc_atoms, bow, n_iter=6, prior=prior, backend=backend, device="cpu")
    atom_words, background, history = em_in_numpy(doc_atoms, bow, idf(bow), 0.3, prior, 6)
    np.testing.assert_allclose(em.atom_words, atom_words, rtol=2e-4, atol=1e-6)
    np.testing.assert_allclose(em.background, background, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(em.log_likelihood_, history, atol=1e-5)
    assert em.n_iter_ == 6


def test_objective_rises_at_every_pass(corpus):
    em = fit_emissions(*corpus, n_iter=30)
    assert np.diff(em.log_likelihood_).min() > -1e-6
    assert em.log_likelihood_[-1] - em.log_likelihood_[0] > 0.3


def test_recovers_the_words_that_documents_were_drawn_from(plant_documents):
    doc_atoms, bow, atom_words = plant_documents(n_docs=3000)
    em = fit_emissions(doc_atoms, bow, n_iter=20, word_weights=None)
    overlap = np.minimum(em.atom_words, atom_words).sum(axis=1)
    assert overlap.min() > 0.85


def test_prior_moves_atoms_toward_the_unigram(corpus):
    unigram = np.asarray(corpus[1].sum(0)).ravel() / corpus[1].sum()
    distance = [
        np.abs(fit_emissions(*corpus, n_iter=10, prior=p, word_weights=None).atom_words - unigram)
        for p in (0, 100, 1e6)
    ]
    assert distance[0].sum() > distance[1].sum() > distance[2].sum()
    assert distance[2].max() < 1e-3


def test_held_out_words_end_the_passes_before_a_small_corpus_is_overfitted(plant_documents):
    doc_atoms, bow, _ = plant_documents(n_docs=120, length=15)
    new_atoms, new_bow, _ = plant_documents(n_docs=2000, seed=0, length=15)
    chosen = fit_emissions(doc_atoms, bow, prior=0)
    converged = fit_emissions(doc_atoms, bow, prior=0, n_iter=50)
    assert chosen.n_iter_ < 50
    assert chosen.score(new_atoms, new_bow) > converged.score(new_atoms, new_bow)


def test_score_is_the_log_likelihood_of_the_next_pass(corpus):
    three, four = (fit_emissions(*corpus, n_iter=n, prior=0) for n in (3, 4))
    assert three.score(*corpus) == pytest.approx(four.log_likelihood_[3], abs=1e-5)


def test_result_is_the_same_bit_for_bit_whatever_the_threads(corpus, monkeypatch):
    from numba.core import config

    first = fit_emissions(*corpus)
    monkeypatch.setattr(config, "NUMBA_NUM_THREADS", 1)
    alone = fit_emissions(*corpus)
    assert first.n_iter_ == alone.n_iter_
    assert first.log_likelihood_ == alone.log_likelihood_
    assert np.array_equal(first.atom_words, alone.atom_words)


def test_mixtures_need_not_be_normalised(corpus):
    doc_atoms, bow = corpus
    scaled = sp.diags(np.linspace(0.5, 9, doc_atoms.shape[0])) @ doc_atoms
    a, b = (fit_emissions(theta, bow, n_iter=3) for theta in (doc_atoms, scaled.tocsr()))
    np.testing.assert_allclose(a.atom_words, b.atom_words, rtol=1e-3, atol=1e-6)


def test_atom_without_documents_has_the_words_of_the_background(corpus):
    doc_atoms, bow = corpus
    wider = sp.csr_matrix(
        (doc_atoms.data, doc_atoms.indices, doc_atoms.indptr), shape=(doc_atoms.shape[0], 14)
    )
    for prior in (0, 5):
        em = fit_emissions(wider, bow, prior=prior, n_iter=4)
        assert np.array_equal(em.atom_words[13], em.background)
        assert em.atom_mass[13] == 0
        np.testing.assert_allclose(em.atom_words.sum(axis=1), 1, rtol=1e-5)


def test_word_that_never_occurs_gets_no_probability_and_no_nan(corpus):
    doc_atoms, bow = corpus
    wider = sp.hstack([bow, sp.csr_matrix((bow.shape[0], 1))]).tocsr()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for solver in ("em", "adam"):
            em = fit_emissions(doc_atoms, wider, solver=solver, n_iter=3)
            assert np.isfinite(em.atom_words).all()
            assert em.atom_words[:, -1].max() < 1e-30
            assert em.background[-1] < 1e-30


def test_empty_documents_change_nothing(corpus):
    doc_atoms, bow = corpus
    padded = [sp.vstack([m, sp.csr_matrix((5, m.shape[1]), dtype=m.dtype)]).tocsr() for m in corpus]
    a = fit_emissions(doc_atoms, bow, n_iter=3, word_weights=None)
    b = fit_emissions(*padded, n_iter=3, word_weights=None)
    np.testing.assert_allclose(a.atom_words, b.atom_words, rtol=1e-5)


def test_dense_and_fractional_counts_are_taken(corpus):
    doc_atoms, bow = corpus
    sparse = fit_emissions(doc_atoms, bow * 0.25, n_iter=3, prior=0)
    dense = fit_emissions(doc_atoms.toarray(), bow.toarray() * 0.25, n_iter=3, prior=0)
    assert np.array_equal(sparse.atom_words, dense.atom_words)


def test_adam_approaches_what_em_reaches(corpus):
    em = fit_emissions(*corpus, n_iter=60, prior=0)
    early, late = (
        fit_emissions(*corpus, solver="adam", n_iter=n).score(*corpus) for n in (20, 400)
    )
    best = em.score(*corpus)
    assert early < late < best + 1e-3
    assert best - late < 0.05


def test_adam_repeats_itself_for_one_seed_and_leaves_the_global_one_alone(plant_documents):
    doc_atoms, bow, _ = plant_documents(n_docs=1100)  # more than a batch
    before = torch.get_rng_state()
    a, b, c = (
        fit_emissions(doc_atoms, bow, solver="adam", n_iter=3, random_state=seed).atom_words
        for seed in (1, 1, 2)
    )
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("bow", lambda n: n[:-1], "doc_atoms has 300 documents and bow has 299"),
        ("bow", lambda n: n * 0, "bow has no words to learn from"),
        ("bow", lambda n: n * np.nan, "bow must hold finite counts"),
        ("doc_atoms", lambda t: -t, "doc_atoms must hold finite weights of at least 0"),
        ("solver", "sgd", "solver must be one of em, adam; found 'sgd'"),
        ("backend", "jax", "backend must be one of"),
        ("word_weights", np.ones(3), r"word_weights has shape \(3,\); bow has 80 words"),
        ("n_iter", 0, "n_iter must be at least 1; found 0"),
        ("device", "quantum", "device"),
    ],
)
def test_bad_input_is_named(corpus, argument, value, message):
    given = dict(zip(("doc_atoms", "bow"), corpus, strict=True))
    given[argument] = value(given[argument]) if callable(value) else value
    with pytest.raises(ValueError, match=message):
        fit_emissions(**given)
