"""Training finds the planted directions of the paper's generative model."""

import numpy as np
import pytest

from saetm_plugins.atoms import atom_stability, match_directions, sample_ctm, train_sae

ACTIVATIONS = ["topk", "batch_topk", "l1", "jumprelu"]


@pytest.fixture(scope="module")
def sample():
    return sample_ctm(20_000, n_topics=32, n_features=64, random_state=0)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_planted_directions_and_mixtures_are_recovered(sample, activation):
    sae = train_sae(sample.embeddings, 32, activation)
    partners, cosines = match_directions(sample.directions, sae.decoder_)
    assert cosines.mean() >= 0.95
    codes = sae.transform(sample.embeddings).toarray()[:, partners]
    mixtures = codes / codes.sum(axis=1, keepdims=True)
    assert np.corrcoef(mixtures.ravel(), sample.mixtures.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("activation", ACTIVATIONS[:3])
def test_directions_are_recovered_from_documents_of_different_sizes(activation):
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(32, 64))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    mixtures = rng.dirichlet(np.full(32, 0.05), size=20_000)
    documents = rng.gamma(8, size=20_000)[:, None] * mixtures @ directions
    documents += 0.05 * rng.normal(size=documents.shape)
    sae = train_sae(documents, 32, activation, k=4)
    assert match_directions(directions, sae.decoder_)[1].mean() >= 0.95  # all as long: .88 to .94


def test_the_inner_dictionary_of_a_matryoshka_model_recovers_them(sample):
    settings = {"n_steps": 2000, "batch_size": 256, "anneal": 5.0, "learning_rate": 1e-2}
    sae = train_sae(sample.embeddings, 64, k=4, levels=(0.5, 1.0), **settings)
    _, cosines = match_directions(sample.directions, sae.prefix(32).decoder_)
    # An inner atom between two directions costs one of 32; which seeds have one is chance.
    assert (cosines >= 0.95).mean() >= 0.95


def test_strengths_are_gammas_of_the_mixture():
    sample = sample_ctm(4000, 4, 16, n_contributions=400, concentration=1.0, random_state=1)
    assert sample.mixtures.sum(axis=1) == pytest.approx(np.ones(4000), abs=1e-5)
    assert np.abs(sample.strengths - sample.mixtures).mean() < 0.03
    few = sample_ctm(4000, 4, 16, n_contributions=3, concentration=1.0, random_state=1)
    assert np.abs(few.strengths - few.mixtures).mean() > 0.15


def test_matching_is_one_to_one_and_stability_counts_it():
    first = np.eye(4)
    partners, cosines = match_directions(first, np.eye(4)[[2, 0, 1]])
    assert sorted(partners.tolist()) == [-1, 0, 1, 2]
    assert sorted(cosines.tolist()) == [-1, 1, 1, 1]
    rows = np.random.default_rng(0).normal(size=(400, 16)).astype(np.float32)
    one, other = (train_sae(rows, 8, k=2, n_steps=30, random_state=seed) for seed in (0, 1))
    assert atom_stability(one, one) == 1
    assert 0 <= atom_stability(one, other) < 1
    with pytest.raises(ValueError, match="dimensions"):
        match_directions(np.eye(3), np.eye(4))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_topics": 0}, "n_topics"),
        ({"concentration": 0}, "concentration"),
        ({"n_topics": 10**6, "n_features": 10**6}, "n_topics × n_features of shape"),
    ],
)
def test_bad_parameters_of_the_sampler_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        sample_ctm(10, **wrong)
