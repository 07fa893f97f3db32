"""Emission of many short documents on a GPU: the paper's 50 M tweets, synthetic.

    python benchmarks/emission_gpu.py                       # 50 M on CUDA; goal: 60 s on an H100
    python benchmarks/emission_gpu.py --n-docs 20000 --device cpu

10 words a document from a Zipfian vocabulary of 10,000, K = 3072 atoms, 16 active; drawn on the
device, since only the passes are measured. Prints the seconds of each pass and the log-likelihood.
"""

from __future__ import annotations

import argparse
import json
import time

import torch

from saetm_plugins.emission.torch_em import Part, TorchEM


def draw(args: argparse.Namespace, device: torch.device) -> Part:
    """Draw documents straight into the layout of the torch backend."""
    generator = torch.Generator(device).manual_seed(0)
    shape = (args.n_docs, args.active)
    atoms = torch.randint(
        args.n_atoms, shape, generator=generator, device=device, dtype=torch.int32
    )
    weights = torch.rand(shape, generator=generator, device=device)
    weights /= weights.sum(dim=1, keepdim=True)
    ranks = torch.arange(1, args.n_words + 1, device=device, dtype=torch.float64)
    edges = torch.cumsum(1 / ranks, dim=0)
    # Sorted draws are words in order; a random document for each spreads them over the corpus.
    n_counts = args.n_docs * args.length
    step = 1 << 26
    words = torch.empty(n_counts, dtype=torch.int32, device=device)
    docs = torch.empty(n_counts, dtype=torch.int32, device=device)
    for first in range(0, n_counts, step):
        last = min(first + step, n_counts)
        stratum = torch.arange(first, last, device=device, dtype=torch.float64)
        words[first:last] = torch.searchsorted(edges / edges[-1], (stratum + 0.5) / n_counts).int()
        docs[first:last] = torch.randint(
            args.n_docs, (last - first,), generator=generator, device=device, dtype=torch.int32
        )
    counts = torch.ones(n_counts, device=device)
    return Part(atoms, weights, words, docs, counts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n-docs", type=int, default=50_000_000)
    parser.add_argument("--length", type=int, default=10)
    parser.add_argument("--n-words", type=int, default=10_000)
    parser.add_argument("--n-atoms", type=int, default=3072)
    parser.add_argument("--active", type=int, default=16)
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args()
    device = torch.device(args.device)
    part = draw(args, device)
    totals = torch.bincount(part.words, minlength=args.n_words).double().cpu().numpy()
    engine = TorchEM(totals, args.n_atoms, 0.3, 100.0, device)
    seconds, history = [], []
    for _ in range(args.passes):
        start = time.perf_counter()
        history.append(engine.sweep([part]))  # returns a float: the device has finished
        seconds.append(time.perf_counter() - start)
    row = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        **{key: value for key, value in vars(args).items() if key != "device"},
        "total_s": sum(seconds),
        "pass_s": sorted(seconds)[len(seconds) // 2],
        "log_likelihood": history,
    }
    if device.type == "cuda":
        row["peak_gb"] = torch.cuda.max_memory_allocated(device) / 2**30
    print(json.dumps(row))


if __name__ == "__main__":
    main()
