"""The hand-written sparse step against automatic differentiation of the dense one."""

import numpy as np
import pytest
import torch

from saetm_plugins.atoms import TrainingConfig
from saetm_plugins.atoms.initialization import initial_weights
from saetm_plugins.atoms.sparse_learner import SparseLearner
from saetm_plugins.atoms.torch_learner import TorchLearner


@pytest.mark.parametrize("levels", [(1.0,), (0.25, 0.5, 1.0)])
@pytest.mark.parametrize("activation", ["topk", "batch_topk"])
def test_sparse_steps_equal_dense_autograd_steps(activation, levels):
    rng = np.random.default_rng(0)
    # float32 scores are rounded to bfloat16 to choose atoms: separate them by more than that.
    documents = rng.normal(size=(64, 12)).astype(np.float32)
    documents /= np.linalg.norm(documents, axis=1, keepdims=True)
    config = TrainingConfig(
        n_atoms=16,
        k=16 if activation == "topk" else 12,
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
