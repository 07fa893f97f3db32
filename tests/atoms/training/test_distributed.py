"""Two gloo processes at half the batch each give what one process gives."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from saetm_plugins.atoms import SparseAutoencoder, train_sae

OPTIONS = {"n_atoms": 24, "k": 3, "n_steps": 20, "batch_size": 200, "precision": "fp32"}

ACTIVATIONS = ["batch_topk", "l1"]

WORKER = """
import json, os, sys, numpy as np
from saetm_plugins.atoms import train_sae
from saetm_plugins.atoms.training.distributed import process_group
with process_group("cpu"):
    for activation in sys.argv[3].split():
        sae = train_sae(np.load(sys.argv[1]), activation=activation, device="cpu",
                        **json.loads(sys.argv[4]))
        if os.environ["RANK"] == "0":
            sae.save_pretrained(os.path.join(sys.argv[2], activation))
    sae = train_sae(np.load(sys.argv[1]), 24, k=3, n_steps=3, batch_size=200, device="cpu",
                    random_state=None)
    np.save(os.path.join(sys.argv[2], "decoder-" + os.environ["RANK"]), sae.decoder_)
"""


def _run_two(code, *arguments):
    """Run code in two processes of one group, as ``torchrun`` does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    threads = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env={**os.environ, **group, **threads, "RANK": str(rank)},
        )
        for rank in range(2)
    ]
    assert [process.wait(timeout=300) for process in processes] == [0, 0]


@pytest.fixture(scope="module")
def folder(embeddings, tmp_path_factory):
    """Models trained by two processes, one for each activation."""
    folder = tmp_path_factory.mktemp("distributed")
    np.save(folder / "rows.npy", embeddings)
    activations, options = " ".join(ACTIVATIONS), json.dumps(OPTIONS)
    _run_two(WORKER, str(folder / "rows.npy"), str(folder), activations, options)
    return folder


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_two_processes_equal_one(folder, embeddings, activation):
    together = SparseAutoencoder.from_pretrained(folder / activation)
    alone = train_sae(embeddings, activation=activation, device="cpu", **OPTIONS)
    np.testing.assert_allclose(together.decoder_, alone.decoder_, atol=2e-3)
    np.testing.assert_allclose(together.encoder_, alone.encoder_, atol=5e-3)
    assert together.statistics_["fvu"] == pytest.approx(alone.statistics_["fvu"], abs=1e-3)


def test_without_a_seed_all_processes_return_one_model(folder):
    first, second = (np.load(folder / f"decoder-{rank}.npy") for rank in range(2))
    assert np.array_equal(first, second)
