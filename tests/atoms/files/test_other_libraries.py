import json

import numpy as np
import pytest
import torch
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
    config = {"k": 3, "num_latents": 12, "d_in": 6, **config}
    known = {name: value for name, value in config.items() if value is not None}
    (folder / "cfg.json").write_text(json.dumps(known))
    return folder


def test_a_checkpoint_that_says_topk_is_read(tmp_path):
    sae = SparseAutoencoder.from_pretrained(_save(tmp_path / "sae", sae_type="topk"))
    assert (sae.activation, sae.k, sae.n_atoms) == ("topk", 3, 12)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"sae_type": "jumprelu"}, "sae_type='jumprelu'; supported"),
        ({"signed": True}, "signed=True"),
        ({"k": None}, r"sae.safetensors.* lacks 'k'"),
    ],
)
def test_a_checkpoint_that_would_be_read_wrongly_is_refused(tmp_path, config, message):
    with pytest.raises(ValueError, match=message):
        SparseAutoencoder.from_pretrained(_save(tmp_path / "sae", **config))


def _state(*left_out, prefix="", **more):
    """Return the weights of an AutoEncoderTopK of dictionary_learning, without some of them."""
    rng = np.random.default_rng(0)
    named = {
        "encoder.weight": rng.normal(size=(12, 6)),
        "encoder.bias": np.zeros(12),
        "decoder.weight": rng.normal(size=(6, 12)),
        "b_dec": np.zeros(6),
        "k": 3,
        "threshold": 0.5,
        **more,
    }
    return {
        prefix + name: torch.tensor(value) for name, value in named.items() if name not in left_out
    }


def _load(folder, state, **trainer):
    torch.save(state, folder / "ae.pt")
    if trainer:
        (folder / "config.json").write_text(json.dumps({"trainer": trainer}))
    return SparseAutoencoder.from_pretrained(folder)


TOPK = {"dict_class": "AutoEncoderTopK"}


def test_a_topk_checkpoint_may_lack_its_threshold_and_have_k_in_its_config(tmp_path):
    whole = _load(tmp_path, _state(), **TOPK)
    assert _load(tmp_path, _state("threshold")).has_weights_of(whole)
    found = _load(tmp_path, _state("threshold", "k"), k=3, **TOPK)
    assert found.has_weights_of(whole)
    assert (found.activation, found.k) == ("topk", 3)


@pytest.mark.parametrize(
    "state",
    [
        _state(prefix="module._orig_mod."),
        {"step": 3, "optimizer": {"lr": 0.1}, "model": _state()},
        {"state_dict": _state()},
    ],
    ids=["compiled", "model", "state_dict"],
)
def test_weights_of_compiled_modules_and_of_trainings_are_read(tmp_path, state):
    expected = _load(tmp_path, _state(), **TOPK)
    assert _load(tmp_path, state, **TOPK).has_weights_of(expected)


@pytest.mark.parametrize(
    ("state", "trainer", "said"),
    [
        (_state("k"), TOPK, "incomplete AutoEncoderTopK: it lacks k, in the weights or"),
        (_state("threshold"), {"dict_class": "BatchTopKSAE"}, "BatchTopKSAE: it lacks threshold"),
        (_state("b_dec", "k", "threshold"), {}, "incomplete AutoEncoder: it lacks bias"),
        (_state(gate=1.0), TOPK, "unknown architecture with weights"),
    ],
    ids=["k", "threshold", "bias", "unknown"],
)
def test_an_incomplete_checkpoint_is_told_from_one_of_an_unknown_kind(
    tmp_path, state, trainer, said
):
    with pytest.raises(ValueError, match=said):
        _load(tmp_path, state, **trainer)
