"""Eight threads and forked workers live a model's life for half an hour: memory and rows.

Every thread fits, adds a batch, re-cuts, saves, loads and transforms, over and over, and compares
each result bit for bit with what one thread alone gave at the start; workers forked beside them do
the same. Resident memory is written down every minute.

    python benchmarks/soak.py --minutes 30
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import shutil
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from saetm_plugins import SAETopicModel, train_sae

N_DOCUMENTS, N_FEATURES, N_THEMES = 600, 32, 6
GROWTH = 0.05  # of resident memory after the first minutes, which is noise of the allocator


def draw_corpus() -> tuple[list[str], np.ndarray]:
    """Draw documents of six themes."""
    rng = np.random.default_rng(0)
    themes = rng.integers(N_THEMES, size=N_DOCUMENTS)
    embeddings = np.eye(N_THEMES, N_FEATURES)[themes] + 0.2 * rng.normal(
        size=(N_DOCUMENTS, N_FEATURES)
    )
    documents = [
        " ".join(f"{'abcdef'[theme]}{'klmnopqr'[i]}word" for i in rng.integers(8, size=12))
        for theme in themes
    ]
    return documents, embeddings.astype(np.float32)


DOCUMENTS, EMBEDDINGS = draw_corpus()
SAE = train_sae(EMBEDDINGS, n_atoms=64, k=3, n_steps=200)


def live_once(folder: Path) -> list[np.ndarray]:
    """Fit, transform, add a batch, re-cut, save, load; return all that came out."""
    half = N_DOCUMENTS // 2
    model = SAETopicModel(6, sae=SAE).fit(DOCUMENTS[:half], embeddings=EMBEDDINGS[:half])
    found = [model.transform(None, EMBEDDINGS)]
    model.partial_fit(DOCUMENTS[half:], embeddings=EMBEDDINGS[half:])
    found += [model.components_, model.retopic(4).transform(None, EMBEDDINGS)]
    model.save(folder / "model", overwrite=True)
    loaded = SAETopicModel.load(folder / "model")
    found += [loaded.transform(None, EMBEDDINGS), loaded.retopic(9).components_]
    return found


def live_until(end: float, expected: list[np.ndarray], counts: dict[str, int]) -> None:
    """Live over and over; count the lives, the wrong results and the errors."""
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        while time.monotonic() < end:
            try:
                found = live_once(folder)
                wrong = sum(not np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
                counts["wrong"] += wrong
            except Exception:
                traceback.print_exc()
                counts["errors"] += 1
            counts["lives"] += 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def start_worker(end: float, expected: list[np.ndarray]) -> tuple[Any, Any]:
    """Fork a worker that lives beside the threads; return it and the queue of its counts.

    Forked before the threads start: whatever lock another thread holds at a fork stays locked in
    the child for ever, in any library.
    """
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()

    def work() -> None:
        own = new_counts()
        live_until(end, expected, own)
        queue.put(own)

    worker = context.Process(target=work)
    worker.start()
    return worker, queue


def new_counts() -> dict[str, int]:
    """Return counts of nothing yet."""
    return {"lives": 0, "wrong": 0, "errors": 0}


def resident() -> float:
    """Return this process' resident memory in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Run, print a line a minute, and exit with 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--settle", type=float, default=5, help="minutes before memory counts")
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        expected = live_once(Path(folder))
    start = time.monotonic()
    end = start + 60 * arguments.minutes
    counts = [new_counts() for _ in range(arguments.threads)]
    threads = [threading.Thread(target=live_until, args=(end, expected, c)) for c in counts]
    workers = [start_worker(end, expected) for _ in range(arguments.workers)]
    for thread in threads:
        thread.start()
    settled = None
    highest = 0.0
    while any(thread.is_alive() for thread in threads):
        time.sleep(min(60.0, max(1.0, end - time.monotonic())))
        gc.collect()
        minutes = (time.monotonic() - start) / 60
        now = resident()
        print(
            f"{minutes:5.1f} min  {now:7.1f} MiB  {sum(c['lives'] for c in counts)} lives",
            flush=True,
        )
        if minutes >= arguments.settle:
            settled = settled or now
            highest = max(highest, now)
    forked = new_counts()
    for worker, queue in workers:
        worker.join(120)
        if worker.exitcode == 0:
            forked = {name: number + forked[name] for name, number in queue.get().items()}
        else:
            forked["errors"] += 1
            worker.kill()
    total = {name: sum(c[name] for c in counts) for name in new_counts()}
    print(f"threads: {total}; forked workers: {forked}")
    growth = 0.0 if settled is None else highest / settled - 1
    print(f"memory after {arguments.settle:g} minutes: {settled} MiB, at most {growth:+.1%} since")
    failed = total["wrong"] + total["errors"] + forked["wrong"] + forked["errors"]
    raise SystemExit(1 if failed or growth > GROWTH or not total["lives"] else 0)


if __name__ == "__main__":
    main()
