"""Peak memory of a large dictionary, in a process of its own."""

import subprocess
import sys

import pytest

PEAK = """
import resource, numpy as np
from saetm_plugins.atoms import SparseAutoencoder, train_sae
rng = np.random.default_rng(0)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
def normal(*shape):
    return rng.standard_normal(shape, dtype=np.float32)
"""

TRAIN = """
rows = normal(33_000, 16)
train_sae(rows, n_atoms=64, n_steps=2, batch_size=256)
before = peak()
sae = train_sae(rows, n_atoms=16_384, k=4, n_steps=2, batch_size=256)
assert sae.statistics_["n_documents"] == 32_768
print(peak() - before)
"""

ENCODE = """
n_atoms, d = 65_536, 8
weights = {"encoder": normal(n_atoms, d), "decoder": normal(n_atoms, d), "mean": np.zeros(d),
           "encoder_bias": np.zeros(n_atoms), "thresholds": np.full(n_atoms, 8.0),
           "decoder_bias": np.zeros(d)}
sae = SparseAutoencoder(weights, activation="batch_topk", k=8, normalization="none")
rows = normal(3000, d)
sae.transform(rows[:2])
before = peak()
codes = sae.transform(rows)
assert codes.shape == (3000, n_atoms) and codes.nnz
sae.reconstruct(rows)
print(peak() - before)
"""


@pytest.mark.parametrize("code", [TRAIN, ENCODE], ids=["train", "encode"])
def test_scores_of_all_atoms_stay_within_some_hundred_mebibytes(code):
    done = subprocess.run(
        [sys.executable, "-c", PEAK + code], capture_output=True, text=True, check=True, timeout=300
    )
    assert int(done.stdout) < 500
