"""Fit one model on one corpus and leave the result in a folder; quality.py starts it.

A process for each fit, so that a model's memory and time limit are its own. Where more than one
number of topics is asked for, the fit has the first, and is re-cut to the others. With ``--compile
MODEL`` it fits a few random documents and leaves nothing but the compiled loops on disk.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from corpora import Corpus, load_corpus
from peers import Fitted, load_peer


def main() -> None:
    if sys.argv[1:2] == ["--compile"]:
        getattr(load_peer(sys.argv[2]), "compile_loops", lambda: None)()
    else:
        fit_and_save()


def fit_and_save() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    for name in ("--model", "--corpus", "--data", "--cache"):
        parser.add_argument(name, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--n-topics", type=int, nargs="+", required=True)
    args = parser.parse_args()
    out = args.out.resolve()
    corpus = load_corpus(args.corpus, args.data, args.cache)
    memory_before = peak_megabytes()
    peer = load_peer(args.model)
    for module in peer.IMPORTS:
        import_module(module)
    first, *others = args.n_topics
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # OCTIS' neural models leave checkpoint.pt where they are
        start = time.perf_counter()
        fitted = peer.fit(corpus, first, args.seed)
        report = {
            "fit_seconds": time.perf_counter() - start,
            "load": os.getloadavg()[0],
            "peak_megabytes": peak_megabytes(),
            "corpus_megabytes": memory_before,
            "version": version_of(peer),
            "change": "re-cut" if hasattr(peer, "retopic") else "refit",
        }
        os.chdir(out)
    change_seconds = None
    save(out, first, fitted)
    if hasattr(peer, "retopic"):
        # Of the topics found: BERTopic may find fewer than asked for, and can only reduce them.
        fewer = max(2, len(fitted.topics) * 4 // 5)
        _, change_seconds = recut(peer, fitted, corpus, fewer, args.seed)
    save_report(out, first, report, change_seconds)
    for n_topics in others:
        fitted, change_seconds = recut(peer, fitted, corpus, n_topics, args.seed)
        save(out, n_topics, fitted)
        save_report(out, n_topics, report, change_seconds)


def recut(
    peer: ModuleType, fitted: Fitted, corpus: Corpus, n_topics: int, seed: int
) -> tuple[Fitted, float]:
    start = time.perf_counter()
    fitted = peer.retopic(fitted, corpus, n_topics, seed)
    return fitted, time.perf_counter() - start


def version_of(peer: ModuleType) -> str | None:
    try:
        return version(peer.VERSION_OF)
    except PackageNotFoundError:
        return None


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def save(folder: Path, n_topics: int, fitted: Fitted) -> None:
    arrays = {"labels": np.asarray(fitted.labels)}
    if fitted.doc_topics is not None:
        arrays["doc_topics"] = np.asarray(fitted.doc_topics, dtype=np.float32)
    topics = np.asarray(json.dumps(fitted.topics))
    np.savez(folder / f"fitted-{n_topics}.npz", topics=topics, **arrays)


def save_report(
    folder: Path, n_topics: int, report: dict[str, Any], change_seconds: float | None
) -> None:
    """Write what was measured; last, so that a report says that the count is complete."""
    text = json.dumps(report | {"change_seconds": change_seconds})
    (folder / f"report-{n_topics}.json").write_text(text)


if __name__ == "__main__":
    main()
