"""Checkpoints written by the libraries themselves give the activations of their own ``encode``."""

import json

import numpy as np
import pytest
import torch
from dictionary_learning.dictionary import AutoEncoder, GatedAutoEncoder, JumpReluAutoEncoder
from dictionary_learning.trainers.batch_top_k import BatchTopKSAE
from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKSAE
from dictionary_learning.trainers.top_k import AutoEncoderTopK
from sae_lens import (
    GatedSAE,
    GatedSAEConfig,
    JumpReLUSAE,
    JumpReLUSAEConfig,
    StandardSAE,
    StandardSAEConfig,
    TopKSAE,
    TopKSAEConfig,
)
from sae_lens.training.activation_scaler import ActivationScaler
from sparsify import SparseCoder, SparseCoderConfig

from saetm_plugins.atoms import SparseAutoencoder

D, K, TOP = 24, 96, 5


@pytest.fixture
def inputs():
    return torch.randn(200, D, generator=torch.Generator().manual_seed(3))


def _randomize(module):
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return module


def _assert_same(sae, module, inputs, expected):
    with torch.no_grad():
        codes = sae.transform(inputs.numpy())
        np.testing.assert_allclose(codes.toarray(), expected.numpy(), atol=2e-5)
        np.testing.assert_allclose(
            sae.reconstruct(inputs.numpy()), module.decode(expected).numpy(), atol=1e-4
        )
    assert 0 < codes.nnz < codes.shape[0] * K


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (AutoEncoder(D, K), None),
        (AutoEncoderTopK(D, K, TOP), "AutoEncoderTopK"),
        (BatchTopKSAE(D, K, TOP), "BatchTopKSAE"),
        (MatryoshkaBatchTopKSAE(D, K, TOP, [K // 4, K - K // 4]), None),
        (JumpReluAutoEncoder(D, K), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_dictionary_learning_checkpoint_encodes_as_its_library(tmp_path, inputs, module, name):
    _randomize(module)
    if hasattr(module, "threshold"):
        module.threshold.data = torch.full_like(module.threshold, 0.4)
    torch.save(module.state_dict(), tmp_path / "ae.pt")
    if name is not None:
        config = {"trainer": {"dict_class": name}}
        (tmp_path / "config.json").write_text(json.dumps(config))
    if isinstance(module, AutoEncoder):
        module = AutoEncoder.from_pretrained(tmp_path / "ae.pt")
    sae = SparseAutoencoder.from_pretrained(tmp_path)
    _assert_same(sae, module, inputs, module.encode(inputs).detach())


def test_topk_checkpoint_without_config_asks_for_the_architecture(tmp_path, inputs):
    module = _randomize(AutoEncoderTopK(D, K, TOP))
    torch.save(module.state_dict(), tmp_path / "ae.pt")
    with pytest.raises(ValueError, match="architecture"):
        SparseAutoencoder.from_pretrained(tmp_path / "ae.pt")
    sae = SparseAutoencoder.from_pretrained(tmp_path / "ae.pt", architecture="AutoEncoderTopK")
    _assert_same(sae, module, inputs, module.encode(inputs).detach())


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("kind", ["standard", "topk", "rescaled", "jumprelu"])
def test_saelens_checkpoint_encodes_as_its_library(tmp_path, inputs, kind, centred):
    common = {"d_in": D, "d_sae": K, "apply_b_dec_to_input": centred}
    if kind == "standard":
        module = StandardSAE(StandardSAEConfig(**common))
    elif kind == "jumprelu":
        module = JumpReLUSAE(JumpReLUSAEConfig(**common))
    else:
        rescale = kind == "rescaled"
        config = TopKSAEConfig(**common, k=TOP, rescale_acts_by_decoder_norm=rescale)
        module = TopKSAE(config)
    _randomize(module)
    if kind == "jumprelu":
        module.threshold.data = torch.full_like(module.threshold, 0.4)
    module.save_model(tmp_path / "saelens")
    sae = SparseAutoencoder.from_pretrained(tmp_path / "saelens")
    expected = module.encode(inputs).detach()
    _assert_same(sae, module, inputs, expected.to_dense() if expected.is_sparse else expected)


def test_a_saelens_checkpoint_of_scaled_activations_takes_them_unscaled(tmp_path, inputs):
    module = _randomize(TopKSAE(TopKSAEConfig(d_in=D, d_sae=K, k=TOP)))
    module.save_model(tmp_path)
    scaler = ActivationScaler(scaling_factor=0.3)
    scaler.save(str(tmp_path / "activation_scaler.json"))
    sae = SparseAutoencoder.from_pretrained(tmp_path)
    with torch.no_grad():
        expected = module.encode(scaler.scale(inputs)).to_dense()
        decoded = scaler.unscale(module.decode(expected))
    np.testing.assert_allclose(sae.transform(inputs.numpy()).toarray(), expected, atol=2e-5)
    np.testing.assert_allclose(sae.reconstruct(inputs.numpy()), decoded, atol=2e-4)
    scaling = json.loads((tmp_path / "activation_scaler.json").read_text())
    (tmp_path / "activation_scaler.json").write_text(json.dumps(scaling | {"has_whitening": True}))
    with pytest.raises(ValueError, match="whitened"):
        SparseAutoencoder.from_pretrained(tmp_path)


def test_sparsify_checkpoint_encodes_as_its_library(tmp_path, inputs):
    module = _randomize(SparseCoder(D, SparseCoderConfig(num_latents=K, k=TOP)))
    module.save_to_disk(tmp_path / "sparsify")
    sae = SparseAutoencoder.from_pretrained(tmp_path / "sparsify")
    with torch.no_grad():
        best = module.encode(inputs)
        decoded = module.decode(best.top_acts, best.top_indices)
    expected = torch.zeros(len(inputs), K).scatter(1, best.top_indices, best.top_acts)
    np.testing.assert_allclose(sae.transform(inputs.numpy()).toarray(), expected, atol=2e-5)
    np.testing.assert_allclose(sae.reconstruct(inputs.numpy()), decoded, atol=1e-4)


def test_unknown_architectures_are_named_with_what_is_supported(tmp_path):
    torch.save(GatedAutoEncoder(D, K).state_dict(), tmp_path / "ae.pt")
    with pytest.raises(ValueError, match=r"r_mag.*supported: dictionary_learning"):
        SparseAutoencoder.from_pretrained(tmp_path)
    GatedSAE(GatedSAEConfig(d_in=D, d_sae=K)).save_model(tmp_path / "gated")
    with pytest.raises(ValueError, match=r"architecture='gated'.*supported"):
        SparseAutoencoder.from_pretrained(tmp_path / "gated")
    config = SparseCoderConfig(num_latents=K, k=TOP, activation="groupmax")
    SparseCoder(D, config).save_to_disk(tmp_path / "groupmax")
    with pytest.raises(ValueError, match=r"groupmax.*supported"):
        SparseAutoencoder.from_pretrained(tmp_path / "groupmax")
