import numpy as np
import pytest
import scipy.sparse as sp


def draw_corpus(n_docs=300, n_words=80, n_atoms=12, per_doc=3, seed=0, length=40):
    """Documents drawn from the emission model itself, with their true mixtures and B."""
    rng = np.random.default_rng(seed)
    atom_words = rng.dirichlet(np.full(n_words, 0.1), size=n_atoms)
    background = rng.dirichlet(np.ones(n_words))
    theta = np.zeros((n_docs, n_atoms))
    for row in theta:
        row[rng.choice(n_atoms, per_doc, replace=False)] = rng.dirichlet(np.ones(per_doc))
    probs = 0.3 * background + 0.7 * theta @ atom_words
    bow = np.stack([rng.multinomial(length, p / p.sum()) for p in probs])
    return sp.csr_matrix(theta, dtype=np.float32), sp.csr_matrix(bow), atom_words


@pytest.fixture(scope="session")
def corpus():
    doc_atoms, bow, _ = draw_corpus()
    return doc_atoms, bow


@pytest.fixture(scope="session")
def plant_documents():
    """The function that draws documents from the emission model, for tests that need others."""
    return draw_corpus


@pytest.fixture(scope="session")
def em_in_numpy():
    """The function that does what every backend must do, in dense float64."""
    return dense_em


def dense_em(theta, counts, weights, pi, prior, n_iter):
    """The closed form of the recipe with dense matrices in float64: what the backends must do."""
    theta, n = theta.toarray().astype(float), counts.toarray() * np.asarray(weights, dtype=float)
    theta /= np.maximum(theta.sum(1, keepdims=True), 1e-300)
    mean = n.sum(0) / n.sum()
    atom_words = np.tile(mean, (theta.shape[1], 1))
    background, history = mean.copy(), []
    seen = mean > 0
    for _ in range(n_iter):
        q = pi * background + (1 - pi) * theta @ atom_words
        ratio = np.divide(n, q, out=np.zeros_like(n), where=q > 0)
        divergence = 0.0
        if prior > 0:
            divergence = (mean[seen] * np.log(mean[seen] / atom_words[:, seen])).sum()
        log_q = np.log(q, where=q > 0, out=np.zeros_like(q))
        history.append(((n * log_q).sum() - prior * divergence) / n.sum())
        atom_words = (1 - pi) * atom_words * (theta.T @ ratio) + prior * mean
        background = pi * background * ratio.sum(0)
        atom_words /= atom_words.sum(1, keepdims=True)
        background /= background.sum()
    return atom_words, background, np.array(history)
