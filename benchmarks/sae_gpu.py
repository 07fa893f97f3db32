"""Training speed on a GPU: 50 M synthetic embeddings (d = 768, K = 3072), as the paper's tweets.

    python benchmarks/sae_gpu.py [--documents 50_000_000] [--resident 2_000_000]

The corpus repeats rows that lie on the device; the paper reports about 10 minutes for as many.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from saetm_plugins.atoms import train_sae

D, ATOMS = 768, 3072


def product_flops(device):
    rows = torch.randn(8192, 8192, device=device, dtype=torch.bfloat16)
    for _ in range(3):
        rows @ rows
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(20):
        rows @ rows
    torch.cuda.synchronize()
    return 20 * 2 * 8192**3 / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=50_000_000)
    parser.add_argument("--resident", type=int, default=2_000_000)
    parser.add_argument("--batch-size", type=int, default=16_384)
    parser.add_argument("--activation", default="batch_topk")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", default="cuda")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    embeddings = rng.standard_normal((arguments.resident, D), dtype=np.float32)
    options = {
        "n_atoms": ATOMS,
        "activation": arguments.activation,
        "k": 32,
        "batch_size": arguments.batch_size,
        "device": arguments.device,
        "preset": "gpu",
        "compile": arguments.compile,
    }
    train_sae(embeddings, n_steps=3, **options)  # warm up
    n_steps = arguments.documents // arguments.batch_size
    start = time.perf_counter()
    train_sae(embeddings, n_steps=n_steps, **options)
    seconds = time.perf_counter() - start
    trained = n_steps * arguments.batch_size
    print(f"{trained:,} documents in {seconds:.1f} s: {trained / seconds:,.0f} samples/s")
    if arguments.device.startswith("cuda"):
        flops = 5 * 2 * trained * D * ATOMS / seconds
        peak = product_flops(arguments.device)
        print(f"{flops / 1e12:.0f} TFLOP/s, {flops / peak:.0%} of a bf16 torch.mm here")


if __name__ == "__main__":
    main()
