import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from saetm_plugins.atoms import SparseAutoencoder


def _save(folder, **config):
    """Write a checkpoint as eai-sparsify does, and as forks of it do."""
    rng = np.random.default_rng(0)
    weights = {
        "encoder.weight": rng.normal(size=(12, 6)).astype(np.float32),
        "encoder.bias": np.zeros(12, dtype=np.float32),
        "W_dec": rng.normal(size=(12, 6)).astype(np.float32),
        "b_dec": np.zeros(6, dtype=np.float32),
    }
    folder.mkdir(exist_ok=True)
    save_file(weights, folder / "sae.safetensors")
    (folder / "cfg.json").write_text(json.dumps({"k": 3, "num_latents": 12, "d_in": 6, **config}))
    return folder


@pytest.mark.parametrize("kind", ["jumprelu", "batchtopk", "matryoshka"])
def test_a_checkpoint_that_is_not_topk_is_named_instead_of_read_as_topk(tmp_path, kind):
    with pytest.raises(ValueError, match=f"sae_type='{kind}'; supported"):
        SparseAutoencoder.from_pretrained(_save(tmp_path / "sae", sae_type=kind))


def test_a_checkpoint_that_says_topk_is_read(tmp_path):
    sae = SparseAutoencoder.from_pretrained(_save(tmp_path / "sae", sae_type="topk"))
    assert (sae.activation, sae.k, sae.n_atoms) == ("topk", 3, 12)


def test_a_checkpoint_of_signed_activations_is_refused(tmp_path):
    with pytest.raises(ValueError, match="signed=True"):
        SparseAutoencoder.from_pretrained(_save(tmp_path / "sae", signed=True))


def test_a_checkpoint_without_k_is_named(tmp_path):
    folder = _save(tmp_path / "sae")
    (folder / "cfg.json").write_text("{}")
    with pytest.raises(ValueError, match=r"sae.safetensors.* lacks 'k'"):
        SparseAutoencoder.from_pretrained(folder)
