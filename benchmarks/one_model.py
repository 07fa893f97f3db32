"""Fit one model on one corpus and leave the result in a folder; quality.py starts it.

A process for each fit, so that a model's memory and time limit are its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from corpora import load_corpus
from peers import Fitted, load_peer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    for name in ("--model", "--corpus", "--data", "--cache"):
        parser.add_argument(name, required=True)
    for name in ("--n-topics", "--seed"):
        parser.add_argument(name, type=int, required=True)
    args = parser.parse_args()
    out = args.out.resolve()
    corpus = load_corpus(args.corpus, args.data, args.cache)
    memory_before = peak_megabytes()
    peer = load_peer(args.model)
    for module in peer.IMPORTS:
        import_module(module)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # OCTIS' neural models leave checkpoint.pt where they are
        start = time.perf_counter()
        fitted = peer.fit(corpus, args.n_topics, args.seed)
        fit_seconds = time.perf_counter() - start
        save(out / "fitted.npz", fitted)
        os.chdir(out)
    megabytes = peak_megabytes()
    try:
        found = version(peer.VERSION_OF)
    except PackageNotFoundError:
        found = None
    report = {
        "fit_seconds": fit_seconds,
        "peak_megabytes": megabytes,
        "corpus_megabytes": memory_before,
        "version": found,
        "change": "refit",
        "change_seconds": None,
    }
    if hasattr(peer, "retopic"):
        start = time.perf_counter()
        peer.retopic(fitted, corpus, max(2, args.n_topics * 4 // 5), args.seed)
        report |= {"change": "re-cut", "change_seconds": time.perf_counter() - start}
    (out / "report.json").write_text(json.dumps(report))


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def save(path: Path, fitted: Fitted) -> None:
    arrays = {"labels": np.asarray(fitted.labels)}
    if fitted.doc_topics is not None:
        arrays["doc_topics"] = np.asarray(fitted.doc_topics, dtype=np.float32)
    topics = np.asarray(json.dumps(fitted.topics))
    np.savez(path, topics=topics, **arrays)


if __name__ == "__main__":
    main()
