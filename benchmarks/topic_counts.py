"""What `suggest_n_topics` recommends on real corpora, and how far topics come back.

    python benchmarks/topic_counts.py --data DIR --corpus bbc,m10,agnews,20newsgroups

Prints the figures of each count, the count recommended and why; then the share of topics found
again (`topic_stability`) with other seeds and other samples of the documents.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from corpora import load_corpus

from saetm_plugins import SAETopicModel
from saetm_plugins.analysis import suggest_n_topics, topic_stability
from saetm_plugins.corpus import load_encoder


def main() -> None:
    args = parse_arguments()
    encoder = load_encoder()
    for name in args.corpus.split(","):
        corpus = load_corpus(name, args.data, args.cache)
        model = SAETopicModel(20, encoder=encoder).fit(corpus.texts, embeddings=corpus.embeddings)
        start = time.perf_counter()
        found = suggest_n_topics(model, documents=corpus.texts, embeddings=corpus.embeddings)
        n_classes = len(set(corpus.labels.tolist()))
        print(
            f"\n{name}: {len(corpus.texts):,} documents, {n_classes} classes; "
            f"{found.n_topics} topics recommended ({time.perf_counter() - start:.0f} s)\n"
            f"{found.reason}\n{found.table.round(3).to_string(index=False)}",
            flush=True,
        )
        for n_topics in () if args.no_stability else (20, 50):
            compared = topic_stability(
                model.retopic(n_topics),
                documents=corpus.texts,
                embeddings=corpus.embeddings,
                seeds=args.seeds,
                bootstraps=1,
            )
            print(f"{name}, {n_topics} topics\n{compared.runs.round(3).to_string(index=False)}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("SAETM_DATA"))
    parser.add_argument("--corpus", default="bbc,m10,agnews,20newsgroups")
    parser.add_argument("--seeds", type=int, default=2, help="other seeds to fit with")
    parser.add_argument("--no-stability", action="store_true")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "saetm-bench-cache"
    )
    args = parser.parse_args()
    if args.data is None:
        raise SystemExit("--data (or SAETM_DATA) must name the data folder")
    return args


if __name__ == "__main__":
    main()
