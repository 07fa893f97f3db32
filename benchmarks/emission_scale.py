"""Time and memory of the emission stage, and of a whole fit, as the corpus grows; a log-log plot.

    python benchmarks/emission_scale.py --data DIR                    # 20 k, 100 k, 1 M documents
    python benchmarks/emission_scale.py --data DIR --sizes 20000,100000 --out DIR

Rows of 20 Newsgroups' mixtures (1,024 atoms, 16 active) and counts (10,000 words) are drawn with
replacement. Each size runs in a process of its own, so that its peak memory is its own: 8 passes of
the emission stage, and a ``SAETopicModel.fit`` given embeddings (384 dimensions) and counts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from emission_input import mixtures, newsgroups_counts, peak_gigabytes, tile

from saetm_plugins import SAETopicModel
from saetm_plugins.emission import fit_emissions

PASSES = 8
HOWS = {
    "memory": "emissions, in memory",
    "model": "a whole fit, in memory",
}


def fit_all(source: Path, counts: sp.csr_matrix, rng: np.random.Generator, n_docs: int) -> float:
    """Fit a whole model on drawn documents; return the seconds."""
    rows = rng.integers(0, counts.shape[0], n_docs)
    embeddings, bow = np.load(source / "embeddings.npy")[rows], counts[rows]
    words = [f"w{column}" for column in range(bow.shape[1])]
    # Words have no vectors here: the corpus places them, and no encoder is needed.
    model = SAETopicModel(n_topics=50, n_atoms=1024, word_vectors="corpus")
    start = time.perf_counter()
    model.fit(None, embeddings=embeddings, bow=bow, vocabulary=words)
    return time.perf_counter() - start


def measure(source: Path, n_docs: int, how: str) -> dict[str, object]:
    """Fit `n_docs` documents in this process."""
    theta, bow = (sp.load_npz(source / f"{name}.npz") for name in ("theta", "bow"))
    fit_emissions(theta[:500], bow[:500], n_iter=1)  # compiles
    rng = np.random.default_rng(0)
    if how == "memory":
        seed = int(rng.integers(2**31))
        theta = tile(theta, n_docs, np.random.default_rng(seed))
        bow = tile(bow, n_docs, np.random.default_rng(seed))
        data_gb, start = peak_gigabytes(), time.perf_counter()
        fit_emissions(theta, bow, n_iter=PASSES)
        seconds = time.perf_counter() - start
    else:
        data_gb = peak_gigabytes()
        seconds = fit_all(source, bow, rng, n_docs)
    return {
        "how": how,
        "n_docs": n_docs,
        "seconds": seconds,
        "peak_gb": peak_gigabytes(),
        "before_gb": data_gb,
    }


def plot(rows: list[dict], file: Path) -> None:
    """Draw seconds and memory against documents, both axes logarithmic."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for how, label in HOWS.items():
        mine = [row for row in rows if row["how"] == how]
        sizes = [row["n_docs"] for row in mine]
        for axis, key in zip(axes, ("seconds", "peak_gb"), strict=True):
            axis.loglog(sizes, [row[key] for row in mine], "o-", label=label)
    linear = np.array([min(r["n_docs"] for r in rows), max(r["n_docs"] for r in rows)])
    start = min(row["seconds"] for row in rows)
    axes[0].loglog(linear, start * linear / linear[0], "k:", label="linear")
    axes[0].set(xlabel="documents", ylabel=f"seconds (emissions: {PASSES} passes)")
    axes[1].set(xlabel="documents", ylabel="peak memory, GiB")
    axes[0].legend()
    plt.savefig(file, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    data = os.environ.get("SAETM_DATA")
    parser.add_argument("--data", default=data, required=data is None, help="or SAETM_DATA")
    parser.add_argument("--sizes", default="20000,100000,1000000")
    parser.add_argument("--n-atoms", type=int, default=1024)
    parser.add_argument("--active", type=int, default=16)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--one", nargs=3, metavar=("FOLDER", "N", "HOW"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(Path(args.one[0]), int(args.one[1]), args.one[2])))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        bow, embeddings = newsgroups_counts(args.data)
        theta = mixtures(embeddings, args.n_atoms, args.active, seed=0)
        sp.save_npz(Path(folder) / "theta.npz", theta)
        sp.save_npz(Path(folder) / "bow.npz", bow)
        np.save(Path(folder) / "embeddings.npy", embeddings)
        for how in HOWS:
            for size in args.sizes.split(","):
                command = [sys.executable, __file__, "--data", args.data, "--one", folder]
                done = subprocess.run([*command, size, how], check=True, capture_output=True)
                rows.append(json.loads(done.stdout.splitlines()[-1]))
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print("| what | documents | seconds | peak GiB |")
    print("|---|---|---|---|")
    for row in rows:
        print(
            f"| {HOWS[row['how']]} | {row['n_docs']:,} | {row['seconds']:.1f} "
            f"| {row['peak_gb']:.1f} ({row['before_gb']:.1f} before) |"
        )
    args.out.mkdir(parents=True, exist_ok=True)
    plot(rows, args.out / "emission_scale.png")


if __name__ == "__main__":
    main()
