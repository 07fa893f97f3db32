"""SaeModel beside gensim's LdaMulticore, on the same bags in one process; prints Markdown.

    SAETM_DATA=… python benchmarks/gensim_speed.py --n-topics 50
    SAETM_DATA=… python benchmarks/gensim_speed.py --n-topics 200
    SAETM_DATA=… python benchmarks/gensim_speed.py --stream 1000000

20 Newsgroups, split by date; both learn from the bags of the training part, ours with embeddings
given. Coherence is gensim's, of the ten top words, on the training texts' own tokens.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from corpora import read_posts
from emission_input import peak_gigabytes
from gensim.corpora import Dictionary
from gensim.models import CoherenceModel, LdaModel, LdaMulticore

from saetm_plugins.corpus import default_vectorizer
from saetm_plugins.gensim import SaeModel

N_INFERRED = 10_000


class Part(NamedTuple):
    tokens: list[list[str]]
    bags: list[list[tuple[int, int]]]
    embeddings: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=os.environ.get("SAETM_DATA"), help="the data folder")
    parser.add_argument("--n-topics", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2, help="of LdaMulticore")
    parser.add_argument("--passes", type=int, default=10, help="of LdaMulticore")
    parser.add_argument("--stream", type=int, help="only stream so many bags through our model")
    options = parser.parse_args()
    if not options.data:
        raise SystemExit("--data (or SAETM_DATA) must name the data folder")
    dictionary, train, test = read_20newsgroups(Path(options.data))
    SaeModel(train.bags[:500], 5, dictionary, embeddings=train.embeddings[:500])[test.bags[0]]
    if options.stream:
        stream(dictionary, train, options.stream)
    else:
        compare(dictionary, train, test, options)


def read_20newsgroups(folder: Path) -> tuple[Dictionary, Part, Part]:
    """Read the two parts; the vocabulary is that of the training texts."""
    rows = read_posts(folder)
    embeddings = np.load(folder / "20newsgroups_minilm_f16.npy").astype(np.float32)
    is_train = np.array([row["split"] == "train" for row in rows])
    vectorizer = default_vectorizer(len(rows))
    vectorizer.fit(row["text"] for row in rows if row["split"] == "train")
    analyze, known = vectorizer.build_analyzer(), vectorizer.vocabulary_
    tokens = [[word for word in analyze(row["text"]) if word in known] for row in rows]
    dictionary = Dictionary(text for text, kept in zip(tokens, is_train, strict=True) if kept)

    def part(members: np.ndarray) -> Part:
        texts = [tokens[row] for row in np.flatnonzero(members)]
        return Part(texts, [dictionary.doc2bow(text) for text in texts], embeddings[members])

    return dictionary, part(is_train), part(~is_train)


def compare(dictionary: Dictionary, train: Part, test: Part, options: Any) -> None:
    """Print one table of both models, and how our two ways to see a document agree."""
    n_topics = options.n_topics
    ours, our_seconds = timed(
        lambda: SaeModel(train.bags, n_topics, dictionary, embeddings=train.embeddings)
    )
    lda, lda_seconds = timed(
        lambda: LdaMulticore(
            train.bags,
            n_topics,
            dictionary,
            passes=options.passes,
            workers=options.workers,
            random_state=0,
        )
    )
    print(f"## {n_topics} topics, {len(train.bags)} training and {len(test.bags)} test documents\n")
    print("| | SaeModel | LdaMulticore | ratio |\n|---|---|---|---|")
    row("training, s", our_seconds, lda_seconds, lda_seconds / our_seconds)
    for measure in ("c_npmi", "c_v"):
        scores = [coherence(model, train.tokens, measure) for model in (ours, lda)]
        row(f"{measure}, top 10", *scores)
    bags = (test.bags + train.bags)[:N_INFERRED]
    best = [
        min(timed(lambda model=model: model.inference(bags))[1] for _ in range(3))
        for model in (ours, lda)
    ]
    row(f"inference of {len(bags)} bags, s (best of 3)", *best, best[1] / best[0])
    row("log_perplexity, test", *(model.log_perplexity(test.bags) for model in (ours, lda)))
    row(
        "the same without the topics' own term",
        *(model.log_perplexity(test.bags, total_docs=10**12) for model in (ours, lda)),
    )
    print_agreement(ours, test)


def print_agreement(model: SaeModel, test: Part) -> None:
    """Compare mixtures inferred from bags with the encoder's, on documents that have words."""
    worded = [i for i, bag in enumerate(test.bags) if bag]
    by_words, _ = model.inference([test.bags[i] for i in worded])
    by_encoder = model.estimator.transform(None, test.embeddings[worded])
    top_1 = np.mean(by_words.argmax(axis=1) == by_encoder.argmax(axis=1))
    norms = np.linalg.norm(by_words, axis=1) * np.linalg.norm(by_encoder, axis=1)
    cosine = np.mean(np.einsum("dt,dt->d", by_words, by_encoder) / norms)
    print(
        f"\nBags against the encoder, {len(worded)} test documents: "
        f"top-1 agreement {top_1:.3f}, mean cosine {cosine:.3f}"
    )


def stream(dictionary: Dictionary, train: Part, n_bags: int) -> None:
    """Push a long one-pass corpus through update and through model[corpus]."""
    model = SaeModel(train.bags, 50, dictionary, embeddings=train.embeddings)

    def corpus() -> Iterator[Any]:
        return (train.bags[i % len(train.bags)] for i in range(n_bags))

    print("| one pass over | bags | seconds | bags a second | growth of peak memory, GiB |")
    print("|---|---|---|---|---|")
    jobs: dict[str, Callable[[], Any]] = {
        "update": lambda: model.update(corpus(), chunksize=10_000),
        "model[corpus]": lambda: sum(1 for _ in model[corpus()]),
        "inference": lambda: model.inference(corpus()),
    }
    for name, job in jobs.items():
        before = peak_gigabytes()
        _, seconds = timed(job)
        print(
            f"| {name} | {n_bags} | {seconds:.1f} | {n_bags / seconds:.0f} "
            f"| {peak_gigabytes() - before:.2f} |",
            flush=True,
        )


def timed(job: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = job()
    return result, time.perf_counter() - start


def coherence(model: LdaModel, tokens: list[list[str]], measure: str) -> float:
    scorer = CoherenceModel(model=model, texts=tokens, coherence=measure, topn=10, processes=1)
    return float(scorer.get_coherence())


def row(name: str, ours: float, theirs: float, ratio: float | None = None) -> None:
    last = "" if ratio is None else f"{ratio:.1f} ×"
    print(f"| {name} | {ours:.3f} | {theirs:.3f} | {last} |", flush=True)


if __name__ == "__main__":
    main()
