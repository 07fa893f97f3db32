"""SAEBERTopic beside BERTopic's default (UMAP + HDBSCAN), in one process; prints Markdown.

    SAETM_DATA=… python benchmarks/bertopic_speed.py                  # about 3 minutes on 2 cores
    SAETM_DATA=… python benchmarks/bertopic_speed.py --probabilities  # HDBSCAN's, too: slow

20 Newsgroups with embeddings given. What both do: fit, transform 1,000 new documents, reduce the
topics to 50, fit again. The first of everything of ours is done once before, on a small corpus, so
that compilation is not timed; UMAP's is likewise done by its own fit of that corpus.
"""

from __future__ import annotations

import argparse
import copy
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from bertopic import BERTopic
from corpora import READERS

from saetm_plugins.bertopic import SAEBERTopic

N_NEW = 1000
REPEATS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=os.environ.get("SAETM_DATA"), help="the data folder")
    parser.add_argument("--n-topics", type=int, default=200, help="of our first cut")
    parser.add_argument("--probabilities", action="store_true", help="time HDBSCAN's as well")
    options = parser.parse_args()
    if not options.data:
        raise SystemExit("--data (or SAETM_DATA) must name the data folder")
    warnings.filterwarnings("ignore")
    documents, _, vectors_file, _ = READERS["20newsgroups"](Path(options.data))
    embeddings = np.load(vectors_file).astype(np.float32)
    for model in (SAEBERTopic(10), BERTopic()):
        model.fit(documents[:1000], embeddings[:1000]).transform(documents[:9], embeddings[:9])
        model.reduce_topics(documents[:1000], 5)

    rows = []
    ours = SAEBERTopic(options.n_topics, calculate_probabilities=True)
    theirs = BERTopic(calculate_probabilities=options.probabilities)
    fits = [seconds(lambda: ours.fit(documents, embeddings)) for _ in range(3)]
    topics = ours.topics_
    mixtures = ours.probabilities_
    rows.append(("fit", median(fits), seconds(lambda: theirs.fit(documents, embeddings))))
    print(f"topics: {len(ours.get_topics())} and {len(theirs.get_topics())}", flush=True)
    new = documents[:N_NEW], embeddings[:N_NEW]
    rows.append((f"transform {N_NEW:,} new documents",
                 median(seconds(lambda: ours.transform(*new)) for _ in range(REPEATS)),
                 seconds(lambda: theirs.transform(*new))))  # fmt: skip
    reduced = min(reducing(theirs, documents) for _ in range(2))
    for merge in ("nmf", "ward"):
        mine = median(recuts(ours, documents, merge))
        rows.append((f"reduce_topics to 50, merge={merge!r}", mine, reduced))

    print(f"\n| 20 Newsgroups, {len(documents):,} documents | SAEBERTopic, s | BERTopic, s | × |")
    print("|---|---|---|---|")
    for name, mine, other in rows:
        print(f"| {name} | {mine:.3f} | {other:.2f} | {other / mine:.1f} |")
    equal = SAEBERTopic(options.n_topics).fit(documents, embeddings).topics_ == topics
    other_equal = BERTopic().fit(documents, embeddings).topics_ == theirs.topics_
    print(f"\nA second fit gives the same topics: SAEBERTopic {equal}, BERTopic {other_equal}.")
    print(
        f"probabilities_ of ours: {mixtures.shape[0]:,} × {mixtures.shape[1]}, rows sum to 1 within"
        f" {np.abs(mixtures.sum(axis=1) - 1).max():.0e}; part of the fit timed above."
    )


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def reducing(model: BERTopic, documents: list[str]) -> float:
    """Time BERTopic's reduction of a copy, as it cannot go back up."""
    reduced = copy.deepcopy(model)
    return seconds(lambda: reduced.reduce_topics(documents, nr_topics=50))


def recuts(model: SAEBERTopic, documents: list[str], merge: str) -> list[float]:
    """Time cuts to 50 topics, each from another number of topics."""
    timed = []
    for other in (100, 20, 150, 30, 80):
        model.reduce_topics(documents, other, merge=merge)
        timed.append(seconds(lambda: model.reduce_topics(documents, 50, merge=merge)))
    return timed


if __name__ == "__main__":
    main()
