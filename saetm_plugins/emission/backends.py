"""Which engine runs EM: numba on the CPU, torch elsewhere; loaded only when asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from saetm_plugins.emission.passes import Engine
from saetm_plugins.validation import check_choice, resolve_device


def choose_engine(backend: str, device: str | torch.device) -> Callable[..., Engine]:
    """Return the class of engine, bound to its device."""
    check_choice(backend, "backend", ("auto", "numba", "torch"))
    name = resolve_device(device)
    if backend == "numba" and name != "cpu":
        raise ValueError(f"backend 'numba' runs on the CPU only; found device {device!r}")
    if backend == "torch" or name != "cpu":
        from saetm_plugins.emission.torch_em import TorchEM

        engine: Callable[..., Engine] = partial(TorchEM, device=torch.device(name))
        return engine
    from saetm_plugins.emission.em import NumbaEM

    return NumbaEM
