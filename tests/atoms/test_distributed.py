"""Two gloo processes at half the batch each give what one process gives."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from saetm_plugins.atoms import SparseAutoencoder, train_sae

OPTIONS = {"n_atoms": 24, "k": 3, "n_steps": 30, "batch_size": 200, "precision": "fp32"}

WORKER = """
import os, sys, numpy as np
from saetm_plugins.atoms import train_sae
sae = train_sae(np.load(sys.argv[1]), activation=sys.argv[2], n_atoms=24, k=3, n_steps=30,
                batch_size=200, precision="fp32", device="cpu")
if os.environ["RANK"] == "0":
    sae.save_pretrained(sys.argv[3])
"""


@pytest.mark.parametrize("activation", ["batch_topk", "jumprelu", "l1"])
def test_two_processes_equal_one(embeddings, tmp_path, activation):
    np.save(tmp_path / "rows.npy", embeddings)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    arguments = [sys.executable, "-c", WORKER, str(tmp_path / "rows.npy"), activation]
    processes = [
        subprocess.Popen(
            [*arguments, str(tmp_path / "sae")],
            env={**os.environ, **group, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    together = SparseAutoencoder.from_pretrained(tmp_path / "sae")
    alone = train_sae(embeddings, activation=activation, device="cpu", **OPTIONS)
    np.testing.assert_allclose(together.decoder_, alone.decoder_, atol=2e-3)
    np.testing.assert_allclose(together.encoder_, alone.encoder_, atol=5e-3)
    assert together.statistics_["fvu"] == pytest.approx(alone.statistics_["fvu"], abs=1e-3)
