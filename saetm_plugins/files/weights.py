"""Weights that another library wrote with ``torch.save``, read without running what is in them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch

_OVERHEAD = 2**20  # bytes of a file that are not weights
_WRAPPERS = ("model", "state_dict", "model_state_dict")  # in the file of a training


def read_state_dict(file: Path) -> dict[str, torch.Tensor]:
    """Read a file of ``torch.save`` that holds named dense tensors, or those of a training's state.

    A ValueError where it is of the format before torch 1.6, compressed, damaged, holds anything but
    weights, or claims tensors that are larger than the file.
    """
    size = file.stat().st_size
    try:
        with zipfile.ZipFile(file) as records:
            claimed = sum(record.file_size for record in records.infolist())
            if claimed > size + _OVERHEAD:
                raise ValueError(f"it has {size:,} bytes and claims {claimed:,}")
            if (damaged := records.testzip()) is not None:
                raise ValueError(f"its record {damaged!r} is damaged")
        # Given explicitly, so that no environment variable undoes it.
        found: Any = torch.load(file, map_location="cpu", weights_only=True)
        for wrapper in _WRAPPERS:
            if isinstance(found, dict) and isinstance(found.get(wrapper), dict):
                found = found[wrapper]
        if not isinstance(found, dict):
            raise ValueError("it has no named weights")
        for name, tensor in found.items():
            if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
                raise ValueError(f"{name!r} is no tensor with a name")
            if tensor.layout is not torch.strided or tensor.numel() > size:
                raise ValueError(f"tensor {name!r} is larger than the file, or sparse")
    except Exception as error:  # of several kinds for what is no plain file of weights
        raise ValueError(
            f"{str(file)!r} is damaged, or holds more than weights: {error}"
        ) from error
    return found
