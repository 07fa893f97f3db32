"""Documents that were not fitted: agreement of their topics with classes, beside k-means.

    python benchmarks/new_documents.py --data DIR --draws 2

Of every corpus n documents are fitted, and up to 4,000 others classified: ours by `transform`,
scikit-learn's k-means over the same embeddings by `predict`. Prints a row a corpus as JSON, as
`report.py` reads them.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
from corpora import READERS, encode, kept
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score
from sklearn.preprocessing import normalize

from saetm_plugins import SAETopicModel

SIZES = ((300, 15), (1000, 30), (5000, 50))
N_OTHERS, LEAST_OTHERS = 4000, 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    data = os.environ.get("SAETM_DATA")
    parser.add_argument("--data", type=Path, default=data, required=data is None)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "saetm-benchmarks")
    parser.add_argument("--corpus", default=",".join(READERS))
    parser.add_argument("--draws", type=int, default=2)
    args = parser.parse_args()
    for name in args.corpus.split(","):
        texts, classes, vectors_file, _ = READERS[name](args.data)
        classes = np.unique(classes, return_inverse=True)[1]
        cells, missed = {"corpus": name}, []
        for n_documents, n_topics in SIZES:
            column = f"{n_documents:,} documents, {n_topics} topics"
            cells[column] = "–"
            if len(texts) < n_documents + LEAST_OTHERS:
                continue
            scores = []
            for seed in range(args.draws):
                order = np.random.default_rng(seed).permutation(len(texts))
                order = order[: n_documents + N_OTHERS]
                chosen = [texts[row] for row in order]
                if vectors_file is None:
                    embeddings = kept(encode, chosen, args.cache)
                else:
                    embeddings = np.load(vectors_file)[order].astype(np.float32)
                scores.append(
                    compare(chosen, embeddings, classes[order], n_documents, n_topics, seed)
                )
            ours_fitted, ours_new, peer_fitted, peer_new = np.mean(scores, axis=0)
            cells[column] = (
                f"{ours_new:.3f} / {peer_new:.3f} ({ours_fitted:.3f} / {peer_fitted:.3f})"
            )
            if ours_new < peer_new:
                missed.append(column)
        print(json.dumps({"table": "new documents", "cells": cells, "missed": missed}), flush=True)


def compare(
    texts: list[str],
    embeddings: np.ndarray,
    classes: np.ndarray,
    n_documents: int,
    n_topics: int,
    seed: int,
) -> tuple[float, ...]:
    """Return the NMI of ours, fitted and new, and of k-means, fitted and new."""
    model = SAETopicModel(n_topics, random_state=seed)
    model.fit(texts[:n_documents], embeddings=embeddings[:n_documents])
    units = normalize(embeddings)
    kmeans = KMeans(n_topics, n_init=3, random_state=seed).fit(units[:n_documents])
    topics = (
        model.doc_topics_.argmax(axis=1),
        model.transform(embeddings=embeddings[n_documents:]).argmax(axis=1),
        kmeans.labels_,
        kmeans.predict(units[n_documents:]),
    )
    fitted, new = classes[:n_documents], classes[n_documents:]
    return tuple(
        float(normalized_mutual_info_score(of, found))
        for of, found in zip((fitted, new, fitted, new), topics, strict=True)
    )


if __name__ == "__main__":
    main()
