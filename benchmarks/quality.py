"""Quality of topics, ours beside the field's: one command, one table.

    python benchmarks/quality.py --data DIR --corpus 20newsgroups --n-topics 50
    python benchmarks/quality.py --models ours,bertopic,bertopic-kmeans,lda --seeds 3 --report

Every model gets the same documents, embeddings and vocabulary, and a process of its own; one that
can be re-cut exactly is fitted once for all numbers of topics. Where a model compiles loops and
keeps them on disk, a process before its first fit does that. Rows are appended to
``<out>/quality.jsonl`` as they come; what is there already is not run again, so a killed run
continues. A model that fails or runs out of time leaves a row that says so.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from corpora import READERS, Corpus, load_corpus
from peers import MODULES, ONE_FIT
from quality_report import print_table, write_report
from threadpoolctl import threadpool_limits

from saetm_plugins.evaluation import (
    classification_f1,
    coverage,
    embedding_coherence,
    embedding_intruder_accuracy,
    normalized_mutual_information,
    purity,
    topic_coherence,
    topic_diversity,
    wmd_diversity,
)

SHORT = "ours,bertopic,bertopic-kmeans,lda,keynmf,s3"
HERE = Path(__file__).parent


def main() -> None:
    args = parse_arguments()
    rows_file = args.out / "quality.jsonl"
    args.out.mkdir(parents=True, exist_ok=True)
    done = {identity(row) for row in read_rows(rows_file) if args.keep_failures or ok(row)}
    compiled: set[str] = set()
    for corpus_name in args.corpus:
        fits = list(missing(corpus_name, args, done))
        if not fits:
            continue
        corpus = load_corpus(corpus_name, args.data, args.cache)
        for model, counts, seed in fits:
            if model not in compiled:
                compile_loops(model, args.time_limit)
                compiled.add(model)
            topics = ", ".join(map(str, counts))
            print(f"{model} on {corpus_name}, {topics} topics, seed {seed} …", file=sys.stderr)
            for row in measure(corpus, model, counts, seed, args):
                with open(rows_file, "a", encoding="utf-8") as out:
                    out.write(json.dumps(row | surroundings()) + "\n")
    chosen = [
        row
        for row in read_rows(rows_file)
        if row["model"] in args.models
        and row["corpus"] in args.corpus
        and row["n_topics"] in args.n_topics
    ]
    print_table(chosen)
    if args.report:
        write_report(list(read_rows(rows_file)), args.out)


def missing(
    corpus: str, args: argparse.Namespace, done: set[tuple[Any, ...]]
) -> Iterator[tuple[str, list[int], int]]:
    """Yield model, numbers of topics and seed of every fit whose rows are not there yet."""
    for seed in range(args.seeds):
        for model in args.models:
            counts = [n for n in args.n_topics if (model, corpus, n, seed) not in done]
            if model in ONE_FIT and counts:
                yield model, counts, seed
            else:
                yield from ((model, [n_topics], seed) for n_topics in counts)


def parse_arguments() -> argparse.Namespace:
    def listed(text: str) -> list[str]:
        return [part.strip() for part in text.split(",") if part.strip()]

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    data = os.environ.get("SAETM_DATA")
    cache = Path.home() / ".cache" / "saetm-benchmarks"
    parser.add_argument("--data", default=data, required=data is None, help="or SAETM_DATA")
    parser.add_argument("--corpus", type=listed, default="20newsgroups", help=", ".join(READERS))
    parser.add_argument("--n-topics", type=listed, default="50", help="counts, by commas")
    parser.add_argument("--models", type=listed, default=SHORT, help=", ".join(MODULES) + ", all")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from 0")
    parser.add_argument("--time-limit", type=float, default=1800, help="seconds for one fit")
    parser.add_argument("--out", type=Path, default="saetm-bench", help="continues what is there")
    parser.add_argument("--cache", type=Path, default=cache, help="for embeddings made here")
    parser.add_argument("--keep-failures", action="store_true", help="do not try them again")
    parser.add_argument("--report", action="store_true", help="write Markdown, CSV and plots")
    args = parser.parse_args()
    args.n_topics = [int(count) for count in args.n_topics]
    args.models = list(MODULES) if args.models == ["all"] else args.models
    for unknown in set(args.models) - set(MODULES):
        parser.error(f"unknown model {unknown!r}; known: {', '.join(MODULES)}, all")
    for unknown in set(args.corpus) - set(READERS):
        parser.error(f"unknown corpus {unknown!r}; known: {', '.join(READERS)}")
    return args


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows written so far; a line cut short by a kill is passed over."""
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue


def identity(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[key] for key in ("model", "corpus", "n_topics", "seed"))


def ok(row: dict[str, Any]) -> bool:
    """Tell whether a row is whole; those of before there was a judge are not."""
    return row.get("error") is None and "judged_intruder" in row


def measure(
    corpus: Corpus, model: str, counts: list[int], seed: int, args: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Fit one model in a process of its own and yield a row for each number of topics."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, str(HERE / "one_model.py"), name]
        command += ["--model", model, "--corpus", corpus.name, "--seed", str(seed)]
        command += ["--data", str(Path(args.data).resolve()), "--cache", str(args.cache.resolve())]
        command += ["--n-topics", *map(str, counts)]
        error = run(command, args.time_limit)
        for n_topics in counts:
            row = {"model": model, "corpus": corpus.name, "n_topics": n_topics, "seed": seed}
            if not (folder / f"report-{n_topics}.json").exists():
                yield row | {"error": error}
                continue
            row |= json.loads((folder / f"report-{n_topics}.json").read_text())
            # One thread: the products are small, and threads waiting for each other take longer.
            with np.load(folder / f"fitted-{n_topics}.npz") as fitted, threadpool_limits(1):
                start = time.perf_counter()
                row |= score(
                    corpus,
                    json.loads(str(fitted["topics"])),
                    fitted["labels"],
                    fitted.get("doc_topics"),
                )
            yield row | {"score_seconds": time.perf_counter() - start, "error": None}


def compile_loops(model: str, time_limit: float) -> None:
    """Let a model fill its cache of compiled loops; without it only its first seconds suffer."""
    error = run([sys.executable, str(HERE / "one_model.py"), "--compile", model], time_limit)
    if error:
        print(f"{model} could not compile before its first fit: {error}", file=sys.stderr)


def run(command: list[str], time_limit: float) -> str | None:
    """Run a command; return what went wrong, if anything did."""
    try:
        finished = subprocess.run(command, capture_output=True, text=True, timeout=time_limit)
    except subprocess.TimeoutExpired:
        return f"over the time limit of {time_limit:.0f} s"
    if finished.returncode != 0:
        lines = finished.stderr.strip().splitlines() or ["no message"]
        return f"exit {finished.returncode}: {lines[-1][:300]}"
    return None


def score(
    corpus: Corpus, topics: list[list[str]], labels: np.ndarray, mixtures: np.ndarray | None
) -> dict[str, Any]:
    """Score topics by their words and documents by their topics."""
    vectors, judge = corpus.vectors_by_word(), corpus.judge_vectors_by_word()
    # E5's vectors lie in a narrow cone: without their mean, cosines tell topics apart.
    mean = corpus.judge_vectors.mean(axis=0)
    centred = {word: vector - mean for word, vector in judge.items()}
    worded = [words for words in topics if len(words) >= 10]
    if mixtures is None:  # hard clusters: one-hot rows, a row of zeros for a document without
        mixtures = np.eye(labels.max() + 2, dtype=np.float32)[labels][:, :-1]
    return {
        "n_topics_found": len(topics),
        "n_topics_short": len(topics) - len(worded),
        "npmi": float(np.mean(topic_coherence(worded, corpus.tokens, "c_npmi"))),
        "c_v": float(np.nanmean(topic_coherence(worded, corpus.tokens, "c_v"))),
        "diversity": topic_diversity(worded),
        "inverted_rbo": inverted_rbo(worded),
        "intruder": embedding_intruder_accuracy(worded, vectors, n_repeats=20),
        "judged_intruder": embedding_intruder_accuracy(worded, judge, n_repeats=20),
        "judged_cosine": float(np.mean(embedding_coherence(worded, centred))),
        "wmd": wmd_diversity([words for words in topics if len(words) >= 20], vectors),
        "nmi": normalized_mutual_information(corpus.labels, labels),
        "purity": purity(corpus.labels, labels),
        "f1": classification_f1(mixtures, corpus.labels),
        "coverage": coverage(labels),
    }


def inverted_rbo(topics: list[list[str]]) -> float:
    """Return OCTIS' inverted rank-biased overlap of the top 10 words."""
    from octis.evaluation_metrics.diversity_metrics import InvertedRBO

    return float(InvertedRBO(topk=10).score({"topics": [words[:10] for words in topics]}))


def surroundings() -> dict[str, Any]:
    """Say what the row was measured on."""
    names = ("numpy", "scipy", "scikit-learn", "torch", "gensim")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {cores} of {os.cpu_count()} cores, "
        f"Python {platform.python_version()}",
        "versions": {name: version(name) for name in names},
    }


if __name__ == "__main__":
    main()
