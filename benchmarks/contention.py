"""What a fit takes beside another job: ours, BERTopic with k-means and KeyNMF under one load.

    python benchmarks/contention.py --data DIR        # about 10 minutes on 2 cores

Every model is fitted once untimed, then alone, then while as many other processes as there are
cores do nothing but count. No environment variable is set. Embeddings of documents are given, and
vectors of words where a model wants them; "ours-encoder" makes these itself.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from corpora import load_corpus
from peers import load_peer

from saetm_plugins import SAETopicModel

MODELS = ("ours", "ours-encoder", "bertopic-kmeans", "keynmf")


def main() -> None:
    args = parse_arguments()
    warnings.filterwarnings("ignore")
    corpus = load_corpus(args.corpus, args.data, args.cache)
    n_cores = len(os.sched_getaffinity(0))
    print(f"| {args.corpus}, {len(corpus.texts):,} documents | alone, s | loaded, s | × |")
    print("|---|---|---|---|")
    for name in args.models:

        def fit(name=name) -> float:
            started = time.perf_counter()
            if name == "ours-encoder":
                SAETopicModel(args.n_topics).fit(corpus.texts, embeddings=corpus.embeddings)
            else:
                load_peer(name).fit(corpus, args.n_topics, 0)
            return time.perf_counter() - started

        fit()
        alone = median(fit() for _ in range(args.repeat))
        with busy(n_cores):
            loaded = median(fit() for _ in range(args.repeat))
        print(f"| {name} | {alone:.1f} | {loaded:.1f} | {loaded / alone:.1f} |", flush=True)


@contextmanager
def busy(n_processes: int) -> Iterator[None]:
    """Keep cores busy with processes of their own, which no lock of this one holds up."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=count, daemon=True) for _ in range(n_processes)]
    for process in processes:
        process.start()
    time.sleep(2)  # until they count
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
            process.join()


def count() -> None:
    number = 0
    while True:
        number += 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("SAETM_DATA"))
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "saetm-bench")
    parser.add_argument("--corpus", default="20newsgroups")
    parser.add_argument("--n-topics", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--models", nargs="*", choices=MODELS, default=list(MODELS))
    args = parser.parse_args()
    if args.data is None:
        parser.error("--data or the environment variable SAETM_DATA must name the data folder")
    return args


if __name__ == "__main__":
    main()
