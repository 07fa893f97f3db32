"""Sums over the processes of a `torch.distributed` group, each of which holds a shard."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.distributed as dist


def sum_over_group(group: dist.ProcessGroup, scalar: float, *arrays: Any) -> float:
    """Replace each of `arrays` by its sum over the group, in place; return the sum of `scalar`.

    Parameters
    ----------
    group : torch.distributed.ProcessGroup
        Any backend; NCCL has arrays of the CPU travel through the current CUDA device.
    scalar : float
    *arrays : ndarray or torch.Tensor
    """
    on_cuda = "nccl" in str(dist.get_backend(group))
    value = torch.tensor([scalar], dtype=torch.float64)
    for array in (value, *arrays):
        tensor = torch.from_numpy(array) if isinstance(array, np.ndarray) else array
        if on_cuda and tensor.device.type == "cpu":
            moved = tensor.cuda()
            dist.all_reduce(moved, group=group)
            tensor.copy_(moved)
        else:
            dist.all_reduce(tensor, group=group)
    return float(value)
