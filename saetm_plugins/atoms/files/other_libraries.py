"""Sparse autoencoders trained elsewhere: dictionary_learning, SAELens and eai-sparsify.

The format is detected from the files; activations equal those of each library's own ``encode``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file

from saetm_plugins.files.folders import read_json
from saetm_plugins.files.weights import read_state_dict

SUPPORTED = (
    "dictionary_learning (AutoEncoder, AutoEncoderTopK, BatchTopKSAE, MatryoshkaBatchTopKSAE, "
    "JumpReluAutoEncoder), SAELens (standard, topk, jumprelu), eai-sparsify (topk)"
)
_TOPK_CLASSES = {"AutoEncoderTopK": "topk", "BatchTopKSAE": "batch_topk"}
_LINEAR = {"encoder.weight", "encoder.bias", "decoder.weight"}
_JUMPRELU = {"W_enc", "b_enc", "W_dec", "b_dec", "threshold"}
_WEIGHTS = {  # of dictionary_learning's classes; early AutoEncoderTopK have no threshold or k
    "AutoEncoder": _LINEAR | {"bias"},
    "AutoEncoderTopK or BatchTopKSAE": _LINEAR | {"b_dec"},
    "JumpReluAutoEncoder": _JUMPRELU,
    "MatryoshkaBatchTopKSAE": _JUMPRELU | {"k", "group_sizes"},
}
_WRAPPED = re.compile(r"^(_orig_mod\.|module\.|model\.)+")  # by torch.compile or data parallelism


def load_other_library(path: Path, architecture: str | None = None) -> dict[str, Any] | None:
    """Read a checkpoint of another library, from a folder or one file of weights.

    Returns the arguments of :class:`SparseAutoencoder`; None where no format is recognised.
    `architecture` tells "AutoEncoderTopK" from "BatchTopKSAE" of dictionary_learning, whose weights
    have the same names, where ``config.json`` does not.
    """
    folder = path if path.is_dir() else path.parent
    config = _read_json(folder / "cfg.json")
    if config is not None:
        config["activation_scaler"] = _read_json(folder / "activation_scaler.json") or {}
    for name, convert in [("sae_weights.safetensors", _saelens), ("sae.safetensors", _sparsify)]:
        if config is not None and (path.name == name or (path / name).is_file()):
            try:
                return convert(config, _read_tensors(folder / name))
            except KeyError as error:
                raise ValueError(f"{str(folder / name)!r} or its cfg.json lacks {error}") from error
    file = path / "ae.pt" if path.is_dir() else path
    if not file.is_file() or file.suffix not in (".pt", ".pth", ".bin", ".safetensors"):
        return None
    trainer = (_read_json(file.parent / "config.json") or {}).get("trainer", {})
    trainer = trainer if isinstance(trainer, dict) else {}
    weights = {_WRAPPED.sub("", key): array for key, array in _read_tensors(file).items()}
    return _dictionary_learning(weights, architecture or trainer.get("dict_class"), trainer)


def _dictionary_learning(
    weights: dict[str, np.ndarray], name: str | None, trainer: dict[str, Any]
) -> dict[str, Any]:
    keys = set(weights)
    if keys == _WEIGHTS["AutoEncoder"]:
        norms = np.linalg.norm(weights["decoder.weight"], axis=0)  # as its from_pretrained does
        return _model(
            weights["encoder.weight"] * norms[:, None],
            weights["encoder.bias"] * norms,
            weights["decoder.weight"].T / norms[:, None],
            centre=weights["bias"],
            activation="l1",
        )
    if keys - {"k", "threshold"} == _WEIGHTS["AutoEncoderTopK or BatchTopKSAE"]:
        if name is None and "threshold" not in keys:
            name = "AutoEncoderTopK"
        if name not in _TOPK_CLASSES:
            raise ValueError(
                "the checkpoint is an AutoEncoderTopK or a BatchTopKSAE, whose weights look alike; "
                f"pass architecture= one of {', '.join(_TOPK_CLASSES)} (found {name!r})"
            )
        activation = _TOPK_CLASSES[name]
        k = weights.get("k", trainer.get("k"))
        if k is None or (activation == "batch_topk" and "threshold" not in keys):
            lacks = "k, in the weights or as trainer.k in config.json" if k is None else "threshold"
            raise ValueError(f"an incomplete {name}: it lacks {lacks}")
        return _model(
            weights["encoder.weight"],
            weights["encoder.bias"],
            weights["decoder.weight"].T,
            centre=weights["b_dec"],
            activation=activation,
            k=int(k),
            threshold=weights["threshold"] if activation == "batch_topk" else 0.0,
        )
    if keys == _JUMPRELU:
        return _model(
            weights["W_enc"].T,
            weights["b_enc"],
            weights["W_dec"],
            bias=weights["b_dec"],
            activation="jumprelu",
            threshold=weights["threshold"],
        )
    if keys == _WEIGHTS["MatryoshkaBatchTopKSAE"]:
        return _model(
            weights["W_enc"].T,
            weights["b_enc"],
            weights["W_dec"],
            centre=weights["b_dec"],
            activation="batch_topk",
            k=int(weights["k"]),
            threshold=weights["threshold"],
        )
    for kind, wanted in _WEIGHTS.items():
        if keys and keys < wanted:
            raise ValueError(f"an incomplete {kind}: it lacks {', '.join(sorted(wanted - keys))}")
    raise ValueError(
        f"unknown architecture with weights {', '.join(sorted(keys))}; supported: {SUPPORTED}"
    )


def _saelens(config: dict[str, Any], weights: dict[str, np.ndarray]) -> dict[str, Any]:
    architecture = config.get("architecture", "standard")
    plain: dict[str, tuple[Any, ...]] = {
        "normalize_activations": ("none", "expected_average_only_in", None),
        "reshape_activations": ("none", None),
        "activation_fn": ("relu", None) if architecture != "topk" else ("relu", "topk", None),
    }
    plain["architecture"] = ("standard", "topk", "jumprelu", None)
    _refuse_unlike("SAELens", config, plain)
    encoder, bias, decoder = weights["W_enc"].T, weights["b_enc"], weights["W_dec"]
    if config.get("rescale_acts_by_decoder_norm"):
        norms = np.linalg.norm(decoder, axis=1)
        encoder, bias, decoder = encoder * norms[:, None], bias * norms, decoder / norms[:, None]
    scaler = config["activation_scaler"]  # of a checkpoint in training; folded in at its end
    if scaler.get("has_whitening"):
        raise ValueError("SAELens checkpoint of whitened activations, which is not supported")
    scale = 1.0 if scaler.get("scaling_factor") is None else float(scaler["scaling_factor"])
    bias_name = "centre" if config.get("apply_b_dec_to_input", True) else "bias"
    return _model(
        encoder * scale,
        bias,
        decoder / scale,
        activation="l1" if architecture == "standard" else architecture,
        k=int(config.get("k", 0)),
        threshold=weights["threshold"] if architecture == "jumprelu" else 0.0,
        **{bias_name: weights["b_dec"] / scale},
    )


def _refuse_unlike(library: str, config: dict[str, Any], plain: dict[str, tuple[Any, ...]]) -> None:
    """Raise a ValueError where a setting has a value that is not in `plain`."""
    odd = [f"{name}={config[name]!r}" for name in plain if config.get(name) not in plain[name]]
    if odd:
        raise ValueError(f"{library} checkpoint with {', '.join(odd)}; supported: {SUPPORTED}")


def _sparsify(config: dict[str, Any], weights: dict[str, np.ndarray]) -> dict[str, Any]:
    plain = {
        "activation": ("topk", None),
        "sae_type": ("topk", None),  # of latent-sae, which writes the same files
        "signed": (False, None),  # of early releases: the k largest by magnitude
        "transcode": (False, None),
        "skip_connection": (False, None),
    }
    _refuse_unlike("eai-sparsify", config, plain)
    return _model(
        weights["encoder.weight"],
        weights["encoder.bias"],
        weights["W_dec"],
        centre=weights["b_dec"],
        activation="topk",
        k=int(config["k"]),
    )


def _model(
    encoder: np.ndarray,
    encoder_bias: np.ndarray,
    decoder: np.ndarray,
    *,
    activation: str,
    k: int = 0,
    centre: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    threshold: Any = 0.0,
) -> dict[str, Any]:
    """Return the constructor's arguments; `centre` is subtracted first and added back last."""
    n_atoms, d = decoder.shape
    zero = np.zeros(d, dtype=np.float32)
    weights = {
        "encoder": encoder,
        "encoder_bias": encoder_bias,
        "decoder": decoder,
        "decoder_bias": zero if bias is None else bias,
        "mean": zero if centre is None else centre,
        "thresholds": np.broadcast_to(np.maximum(threshold, 0), n_atoms),
    }
    return {
        "weights": weights,
        "activation": activation,
        "k": k,
        "normalization": "none",
        "keep_strongest": False,
    }


def _read_json(file: Path) -> dict[str, Any] | None:
    if not file.is_file():
        return None
    found = read_json(file)
    if not isinstance(found, dict):
        raise ValueError(f"{str(file)!r} is not a JSON object")
    return found


def _read_tensors(file: Path) -> dict[str, np.ndarray]:
    """Read a state dict as float32 arrays; ``.pt`` files with ``weights_only`` alone."""
    try:
        tensors = load_file(file) if file.suffix == ".safetensors" else read_state_dict(file)
        return {name: tensor.detach().float().numpy() for name, tensor in tensors.items()}
    except (SafetensorError, OSError, EOFError, RuntimeError, AttributeError) as error:
        raise ValueError(f"{str(file)!r} is truncated or not a state dict: {error}") from error
    except Exception as error:  # torch raises pickle.UnpicklingError for what is not plain weights
        raise ValueError(f"{str(file)!r} holds more than weights; not loaded: {error}") from error
