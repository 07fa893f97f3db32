import numpy as np

from saetm_plugins.atoms.nearness import N_NEAR, near_atoms
from saetm_plugins.numerics.arrays import unit_rows


def draw(n=200, n_atoms=40, d=12, seed=0):
    rng = np.random.default_rng(seed)
    centroids = unit_rows(rng.normal(size=(n_atoms, d)) + 1)
    mass = rng.integers(0, 5, n_atoms).astype(float)
    owner = rng.choice(np.flatnonzero(mass), n)
    embeddings = 3 * unit_rows(centroids[owner] + rng.normal(scale=0.05, size=(n, d)))
    return embeddings, centroids, mass, centroids.mean(axis=0), owner


def test_documents_are_nearest_to_the_atom_they_lie_at():
    embeddings, centroids, mass, mean, owner = draw()
    near = near_atoms(embeddings, centroids, mass, mean)
    assert (np.asarray(near.argmax(axis=1)).ravel() == owner).mean() > 0.95


def test_rows_are_shares_over_atoms_that_have_documents():
    embeddings, centroids, mass, mean, _ = draw()
    near = near_atoms(embeddings, centroids, mass, mean)
    assert np.allclose(near.sum(axis=1), 1)
    assert (np.diff(near.indptr) == min(N_NEAR, np.count_nonzero(mass))).all()
    assert not near.toarray()[:, mass == 0].any()
