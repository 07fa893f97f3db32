"""Time and memory of `SAETopicModel.fit_shards` from disk as the corpus grows.

    python benchmarks/scale.py --data DIR                             # 100 k, 1 M documents
    python benchmarks/scale.py --data DIR --sizes 10000000 --folder BIG_DISK

A document is 50 words in a row of a post of 20 Newsgroups; its embedding is the post's, with
noise, in float16 (384 dimensions), in Parquet files of 50,000. Atoms (2,048) are trained on a
sample. Memory is that of all processes (proportional set size). Shards are deleted afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 50_000
WORDS = 50
NOISE = 0.5
LARGE = 2_000_000  # documents that are not transformed a second time


def write_shards(data: Path, folder: Path, n_documents: int) -> None:
    """Draw documents with replacement and write them in shards."""
    import gzip

    with gzip.open(data / "20newsgroups.jsonl.gz", "rt") as lines:
        posts = [json.loads(line)["text"].split() for line in lines]
    vectors = np.load(data / "20newsgroups_minilm_f16.npy").astype(np.float32)
    width = vectors.shape[1]
    for number, first in enumerate(range(0, n_documents, ROWS)):
        rng = np.random.default_rng(number)
        n = min(ROWS, n_documents - first)
        rows, starts = rng.integers(len(posts), size=n), rng.random(n)
        texts = []
        for row, start in zip(rows.tolist(), starts.tolist(), strict=True):
            begin = int(start * max(1, len(posts[row]) - WORDS))
            texts.append(" ".join(posts[row][begin : begin + WORDS]))
        noise = rng.standard_normal((n, width), dtype=np.float32) * np.float32(NOISE / width**0.5)
        drawn = (vectors[rows] + noise).astype(np.float16)
        column = pa.FixedSizeListArray.from_arrays(pa.array(drawn.ravel()), width)
        table = pa.table({"text": texts, "embedding": column})
        pq.write_table(table, folder / f"shard-{number:05d}.parquet", compression={"text": "zstd"})


def measure(pid: str, cpu: dict[str, float]) -> float:
    """Return the GiB of a process and those that it started; put its CPU seconds into `cpu`."""
    process, total = Path("/proc") / pid, 0.0
    try:
        rollup = (process / "smaps_rollup").read_text().splitlines()
        total = sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) / 2**20
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        cpu[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        threads = (process / "task").iterdir()
        children = {child for each in threads for child in (each / "children").read_text().split()}
        total += sum(measure(child, cpu) for child in children)
    except OSError:  # it has ended
        pass
    return total


def run(shards: Path, run_dir: Path, engine: str) -> dict[str, float]:
    """Fit in this process; return seconds, and the largest memory of all processes."""
    from saetm_plugins import SAETopicModel

    peak, done, cpu = [0.0], threading.Event(), {}

    def watch() -> None:
        while not done.wait(0.5):
            peak[0] = max(peak[0], measure(str(os.getpid()), cpu))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    model = SAETopicModel(50, sae=None, n_atoms=2048, word_vectors="corpus", verbose=True)
    model.fit_shards(shards, run_dir=run_dir, engine=engine)
    found = {"seconds": time.perf_counter() - start, "cpu": sum(cpu.values())}
    if model.n_documents_seen_ <= LARGE:
        start = time.perf_counter()
        model.transform_shards(shards, run_dir / "again", engine=engine)
        found["transform"] = model.n_documents_seen_ / (time.perf_counter() - start)
    done.set()
    watcher.join()
    return found | {"peak_gb": peak[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    data = os.environ.get("SAETM_DATA")
    parser.add_argument("--data", default=data, required=data is None, help="or SAETM_DATA")
    parser.add_argument("--sizes", default="100000,1000000")
    parser.add_argument("--engine", default="local")
    parser.add_argument("--folder", help="for the shards; 1.1 GB a million documents")
    parser.add_argument("--one", nargs=2, metavar=("SHARDS", "RUN"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(run(Path(args.one[0]), Path(args.one[1]), args.engine)))
        return
    print("| documents | seconds | CPU seconds | peak GiB | transform, documents a second |")
    print("|---|---|---|---|---|")
    for size in map(int, args.sizes.split(",")):
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            shards, run_dir = Path(folder) / "shards", Path(folder) / "run"
            shards.mkdir()
            write_shards(Path(args.data), shards, size)
            command = [sys.executable, __file__, "--data", args.data, "--engine", args.engine]
            command += ["--one", str(shards), str(run_dir)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
            row = json.loads(done.stdout.splitlines()[-1])
            shutil.rmtree(shards)
        print(
            f"| {size:,} | {row['seconds']:.0f} | {row['cpu']:.0f} | {row['peak_gb']:.1f} "
            f"| {row.get('transform', float('nan')):,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
