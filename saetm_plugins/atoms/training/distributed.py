"""Data-parallel training through ``torch.distributed``; without a process group nothing happens.

Every process reads the same shuffled batches and takes its slice, so gradients averaged over
processes are those of one process on the full batch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist


def world() -> tuple[int, int]:
    """Return this process's rank and the number of processes: (0, 1) outside a group."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


@contextmanager
def process_group(device: str) -> Iterator[str]:
    """Join the group of ``torchrun``, if there is one, and leave it at the end.

    Yields the device for this process: "cuda" becomes its own GPU. NCCL is used there, gloo on CPU.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        yield device
        return
    if torch.device(device).type == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def same_on_all(number: int, device: str) -> int:
    """Return the number that the first process holds."""
    if world()[1] == 1:
        return number
    tensor = torch.tensor(number, dtype=torch.int64, device=device)
    dist.broadcast(tensor, src=0)
    return int(tensor)


def own_slice(n_rows: int) -> slice:
    """Return this process's rows of a global batch."""
    rank, size = world()
    if n_rows % size:
        raise ValueError(f"batch_size must be a multiple of the {size} processes; found {n_rows}")
    share = n_rows // size
    return slice(rank * share, (rank + 1) * share)


def average_(tensors: list[torch.Tensor]) -> None:
    """Replace every tensor with its mean over the processes."""
    _, size = world()
    if size == 1:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    flat /= size
    for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))


def sum_(tensor: torch.Tensor) -> torch.Tensor:
    """Replace a tensor with its sum over the processes; return it."""
    if world()[1] > 1:
        dist.all_reduce(tensor)
    return tensor


def gather_rows(tensor: torch.Tensor) -> torch.Tensor:
    """Return the rows of all processes, those of rank 0 first; shapes must agree."""
    _, size = world()
    if size == 1:
        return tensor
    parts = [torch.empty_like(tensor) for _ in range(size)]
    dist.all_gather(parts, tensor.contiguous())
    return torch.cat(parts)
