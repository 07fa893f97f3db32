"""Words and mixtures stay probabilities for counts, priors and weights of any size."""

import numpy as np
import pytest
import scipy.sparse as sp

from saetm_plugins import SAETopicModel
from saetm_plugins.emission import fit_emissions, infer_doc_atoms


@pytest.fixture(scope="module")
def counted():
    rng = np.random.default_rng(0)
    theta = rng.dirichlet(np.full(6, 0.3), size=60).astype(np.float32)
    return theta, rng.poisson(0.5, size=(60, 20)).astype(np.float32)


@pytest.mark.parametrize("solver", ["em", "adam"])
@pytest.mark.parametrize(
    "change",
    [
        lambda theta, bow: (theta, bow * (np.arange(20) > 4)),
        lambda theta, bow: (theta * 0, bow),
        lambda theta, bow: (theta * (np.arange(60) > 4)[:, None] * (np.arange(6) != 2), bow),
        lambda theta, bow: (theta, bow * np.float32(1e-29)),
        lambda theta, bow: (theta, bow * np.float32(1e10)),
        lambda theta, bow: (theta[:1], bow[:1]),
    ],
    ids=["unused words", "no atoms", "some without atoms", "tiny", "large", "one"],
)
def test_words_are_probabilities(counted, solver, change):
    theta, bow = (part.astype(np.float32) for part in change(*counted))
    for background_weight in (0, 0.3, 0.9999999):
        options = {"solver": solver, "background_weight": background_weight, "n_iter": 6}
        found = fit_emissions(theta, bow, **options)
        for words in (found.atom_words, found.background[None]):
            assert (words >= 0).all()
            np.testing.assert_allclose(words.sum(axis=1), 1, atol=1e-5)
        assert np.isfinite(found.log_likelihood_).all()
        assert found.background_mass >= 0
        assert (found.atom_mass >= 0).all()
        if solver == "em":
            rounding = 1e-6 if bow.max() >= 1 else 1e-3  # of the prior, over almost no words
            assert (np.diff(found.log_likelihood_) > -rounding).all()


@pytest.mark.parametrize("options", [{"backend": "torch"}, {"solver": "adam"}, {}])
def test_documents_without_atoms_and_words_without_weight(counted, options):
    theta, bow = counted
    theta = sp.csr_matrix(theta * (np.arange(60) != 3)[:, None])
    weights = (np.arange(20) > 4).astype(float)
    found = fit_emissions(
        theta, bow, n_iter=3, background_weight=0, word_weights=weights, **options
    )
    assert np.isfinite(found.atom_words).all()
    assert np.isfinite(found.log_likelihood_).all()


@pytest.mark.parametrize("scale", [1e-40, 1, 1e11])
@pytest.mark.parametrize("prevalence", [None, np.full(6, 1e308), np.full(6, 1e-320)])
def test_inferred_mixtures_sum_to_one(counted, scale, prevalence):
    emissions = fit_emissions(*counted, n_iter=3)
    found = infer_doc_atoms(counted[1] * np.float32(scale), emissions, prevalence, prior=0.0)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-4)


@pytest.mark.parametrize("options", [
    {"word_vectors": {"akword": np.eye(6)[0]}, "sharpening": 5}, {"sharpening": 50},
])  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_topics_keep_words_with_one_word_vector_and_with_the_largest_power(options):
    rng = np.random.default_rng(0)
    themes = rng.integers(4, size=40)
    embeddings = (np.eye(4, 6)[themes] + 0.2 * rng.normal(size=(40, 6))).astype(np.float32)
    texts = [" ".join(f"{'abcd'[t]}{'klmno'[i]}word" for i in rng.integers(5, size=6))
             for t in themes]  # fmt: skip
    made = SAETopicModel(4, n_atoms=10, k=2, **options).fit(texts, embeddings=embeddings)
    np.testing.assert_allclose(made.components_.sum(axis=1), 1, atol=1e-4)
    np.testing.assert_allclose(made.doc_topics_.sum(axis=1), 1, atol=1e-4)
