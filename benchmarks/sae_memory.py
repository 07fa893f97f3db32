"""Peak host memory of training from shards larger than memory allows.

    python benchmarks/sae_memory.py --folder /some/disk [--gigabytes 20] [--steps 300]

Shards are sparse files: as many rows as asked for, without the disk they would fill.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from emission_input import peak_gigabytes

from saetm_plugins.atoms import train_sae

D, ROWS = 768, 500_000


def write_shards(folder, gigabytes):
    """Lay out float16 shards; a few random rows at the front of each, the rest holes."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(max(1, round(gigabytes * 2**30 / (2 * D * ROWS)))):
        file = folder / f"shard-{number:04d}.npy"
        rows = np.lib.format.open_memmap(file, "w+", dtype=np.float16, shape=(ROWS, D))
        for start in range(0, ROWS, ROWS // 50):
            rows[start : start + 200] = rng.standard_normal((200, D))
        rows.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--gigabytes", type=float, default=20)
    parser.add_argument("--steps", type=int, default=300)
    arguments = parser.parse_args()
    if not arguments.folder.exists():
        write_shards(arguments.folder, arguments.gigabytes)
    size = sum(file.stat().st_size for file in arguments.folder.iterdir())
    before = peak_gigabytes()
    start = time.perf_counter()
    sae = train_sae(arguments.folder, 3072, k=32, n_steps=arguments.steps, batch_size=4096)
    seconds = time.perf_counter() - start
    peak = peak_gigabytes()
    print(f"{size / 2**30:.1f} GiB of shards, {sae.settings_['n_documents']:,} rows of {D}")
    print(f"{arguments.steps * 4096 / seconds:,.0f} rows/s, {seconds:.0f} s")
    print(f"peak memory {peak:.2f} GiB ({before:.2f} GiB before training)")


if __name__ == "__main__":
    main()
