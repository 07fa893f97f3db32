"""The hand-written sparse step against automatic differentiation of the dense one."""

import numpy as np
import pytest
import torch

from saetm_plugins.atoms import TrainingConfig
from saetm_plugins.atoms.training.initialization import initial_weights
from saetm_plugins.atoms.training.sparse_learner import SparseLearner
from saetm_plugins.atoms.training.torch_learner import TorchLearner
from saetm_plugins.numerics.pairs import keep_entries, largest_entries


@pytest.mark.parametrize("levels", [(1.0,), (0.25, 0.5, 1.0)])
@pytest.mark.parametrize("activation", ["topk", "batch_topk"])
def test_sparse_steps_equal_dense_autograd_steps(activation, levels):
    rng = np.random.default_rng(0)
    documents = rng.normal(size=(64, 12)).astype(np.float32)
    documents /= np.linalg.norm(documents, axis=1, keepdims=True)
    config = TrainingConfig(
        n_atoms=16,
        k=3 if activation == "topk" else 12,
        activation=activation,
        n_steps=10,
        batch_size=64,
        levels=levels,
        precision="fp32",
    ).resolve(64, 12)
    weights = initial_weights(documents, config, rng)
    sparse, dense = SparseLearner(weights, config), TorchLearner(weights, config, "cpu")
    if activation == "batch_topk":  # more than are positive: every positive score is active
        assert ((documents @ weights["encoder"].T) > 0).sum() < 12 * 64
    for step in range(3):
        reports = [each.step(torch.from_numpy(documents), 1e-2, step) for each in (sparse, dense)]
        np.testing.assert_allclose(*(report.errors for report in reports), rtol=1e-4)
    for name, array in sparse.weights.items():
        np.testing.assert_allclose(array, dense.weights[name], atol=2e-4, err_msg=name)


@pytest.mark.parametrize("learner", [SparseLearner, TorchLearner])
def test_state_brings_a_learner_back(learner):
    rng = np.random.default_rng(1)
    documents = torch.from_numpy(rng.normal(size=(64, 8)).astype(np.float32))
    config = TrainingConfig(n_atoms=8, k=2, n_steps=9, batch_size=64).resolve(64, 8)
    weights = initial_weights(documents.numpy(), config, rng)
    arguments = (weights, config) if learner is SparseLearner else (weights, config, "cpu")
    first, second = learner(*arguments), learner(*arguments)
    for step in range(4):
        first.step(documents, 1e-2, step)
    second.load_state(first.state())
    for each in (first, second):
        each.step(documents, 1e-2, 4)
    for name, array in first.weights.items():
        assert np.array_equal(array, second.weights[name]), name


@pytest.mark.parametrize(("k", "n_atoms"), [(8, 1024), (40, 200)])
def test_float32_decides_which_atoms_are_the_largest(k, n_atoms):
    rng = np.random.default_rng(2)
    documents = rng.normal(size=(500, 48)).astype(np.float32)
    documents /= np.linalg.norm(documents, axis=1, keepdims=True)
    config = TrainingConfig(n_atoms=n_atoms, activation="topk", k=k, batch_size=500)
    config = config.resolve(500, 48)
    learner = SparseLearner(initial_weights(documents, config, rng), config)
    for step in range(5):
        learner.step(torch.from_numpy(documents), 1e-2, step)
    cut, limit, parts = learner._propose(torch.from_numpy(documents), [(0, 500)], k)
    indptr, indices, values = parts[0]
    kept = largest_entries(indptr, values, cut, limit)
    indptr, indices, values = keep_entries(indptr, kept, indices, values)
    encoder, bias = learner.weights["encoder"], learner.weights["encoder_bias"]
    exact = torch.from_numpy(documents.astype(np.float64) @ encoder.T.astype(np.float64) + bias)
    expected = exact.topk(k, dim=1)
    assert np.array_equal(indptr, np.arange(0, 500 * k + 1, k))
    chosen = np.sort(indices.reshape(500, k), axis=1)
    differing = (chosen != np.sort(expected.indices.numpy(), axis=1)).any(axis=1)
    assert differing.mean() < 0.005  # float32 ties
    found = np.sort(values.reshape(500, k), axis=1)
    np.testing.assert_allclose(found, expected.values.clamp(min=0).flip(1), atol=1e-6)


def test_batch_topk_keeps_the_largest_of_the_batch():
    rng = np.random.default_rng(3)
    documents = rng.normal(size=(400, 32)).astype(np.float32)
    documents /= np.linalg.norm(documents, axis=1, keepdims=True)
    config = TrainingConfig(n_atoms=256, k=4, batch_size=400).resolve(400, 32)
    learner = SparseLearner(initial_weights(documents, config, rng), config)
    cut, limit, parts = learner._propose(torch.from_numpy(documents), [(0, 400)], 4)
    indptr, indices, values = parts[0]
    kept = largest_entries(indptr, values, cut, limit)
    indptr, indices, values = keep_entries(indptr, kept, indices, values)
    exact = documents @ learner.weights["encoder"].T + learner.weights["encoder_bias"]
    kept = np.zeros(exact.shape, dtype=bool)
    kept[np.repeat(np.arange(400), np.diff(indptr)), indices] = True
    lonely = np.diff(indptr) == 1  # a document always keeps one
    assert 0.97 * 1600 <= len(indices) <= 1600 + lonely.sum()
    assert exact[kept & ~lonely[:, None]].min() >= exact[~kept].max() - 1e-6
    np.testing.assert_allclose(values, exact[kept], atol=1e-6)
