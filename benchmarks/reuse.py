"""Atoms that ship with the package beside fresh ones and the field: sizes, corpora, seeds.

    python benchmarks/reuse.py sizes --corpus 20newsgroups,agnews,bbc --draws 5
    python benchmarks/reuse.py corpora --corpus 20newsgroups,agnews,bbc,m10 --seeds 3
    python benchmarks/reuse.py stability --corpus agnews --models default,fresh,keynmf --seeds 10
    python benchmarks/reuse.py unexplained --corpus 20newsgroups,agnews,bbc,m10

``sizes``: draws of documents; NMI with the classes, NPMI of the topics' words in the whole corpus.
``corpora``: all documents, 50 topics. ``stability``: topics of each two seeds, matched one to one;
for ours also of bootstraps, and of a corpus that grows. ``unexplained``: variance that the atoms
leave, beside atoms trained on the rest of the corpus itself. Rows are appended to
``<out>/reuse.jsonl`` as they come; what is there already is not run again.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from corpora import READERS, Corpus, load_corpus
from peers import MODULES, Fitted, load_peer
from quality import read_rows, surroundings
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from saetm_plugins import SAETopicModel, SparseAutoencoder, train_sae
from saetm_plugins.analysis.stability import match_topics
from saetm_plugins.atoms.choice import MOST_DOCUMENTS_TO_REUSE
from saetm_plugins.atoms.foundation import load_foundation
from saetm_plugins.corpus import default_vectorizer
from saetm_plugins.evaluation import (
    embedding_intruder_accuracy,
    normalized_mutual_information,
    topic_coherence,
    topic_diversity,
)

SIZES = (100, 200, 500, 1000, 2000)
OURS: dict[str, Any] = {"default": "default", "fresh": None}
N_TOPICS = 50
GROWTH = (1.1, 1.5, 2.0)
Row = dict[str, Any]


def main() -> None:
    args = parse_arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / "reuse.jsonl"
    done = {identity(row) for row in read_rows(file)}
    measure = PARTS[args.part]
    for name in args.corpus:
        corpus = load_corpus(name, args.data, args.cache)
        for row in measure(corpus, args, lambda **key: identity(key) in done):
            with open(file, "a", encoding="utf-8") as out:
                out.write(json.dumps(row | surroundings()) + "\n")
            print({key: round(v, 3) if isinstance(v, float) else v for key, v in row.items()})
    table = pd.DataFrame(row for row in read_rows(file) if row["part"] == args.part)
    table = table[table["corpus"].isin(args.corpus)]
    if args.part == "sizes":
        chosen = np.where(table["size"] <= MOST_DOCUMENTS_TO_REUSE, "default", "fresh")
        table = pd.concat([table, table[table["model"] == chosen].assign(model="auto")])
    by = [c for c in ("corpus", "size", "change", "model") if c in table]
    means = table.groupby(by, dropna=False).mean(numeric_only=True)
    print(means.drop(columns=["draw", "seed", "other"], errors="ignore").round(3).to_string())


def parse_arguments() -> argparse.Namespace:
    def listed(text: str) -> list[str]:
        return [part.strip() for part in text.split(",") if part.strip()]

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    data = os.environ.get("SAETM_DATA")
    cache = Path.home() / ".cache" / "saetm-benchmarks"
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--data", default=data, required=data is None, help="or SAETM_DATA")
    parser.add_argument("--corpus", type=listed, default="20newsgroups", help=", ".join(READERS))
    parser.add_argument("--models", type=listed, default="default,fresh", help=", ".join(MODULES))
    parser.add_argument("--sizes", type=listed, default=",".join(map(str, SIZES)))
    parser.add_argument("--draws", type=int, default=5, help="of documents, for sizes")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path, default="saetm-bench", help="continues what is there")
    parser.add_argument("--cache", type=Path, default=cache, help="for embeddings made here")
    return parser.parse_args()


def identity(row: Row) -> tuple[Any, ...]:
    keys = ("part", "corpus", "size", "draw", "model", "seed", "other", "change")
    return tuple(row.get(key) for key in keys)


def measure_sizes(
    corpus: Corpus, args: argparse.Namespace, done: Callable[..., bool]
) -> Iterator[Row]:
    """Fit draws of few documents; words are scored in all documents."""
    for size, draw in itertools.product(map(int, args.sizes), range(args.draws)):
        key = {"part": "sizes", "corpus": corpus.name, "size": size, "draw": draw}
        if size > len(corpus.texts) or all(done(**key, model=m) for m in (*OURS, "k-means")):
            continue
        part = draw_documents(corpus, size, draw)
        n_topics = min(20, size // 10)
        fitted = {}
        for name, sae in OURS.items():
            start = time.perf_counter()
            model = fit_ours(part, n_topics, draw, sae)
            fitted[name] = (model, time.perf_counter() - start)
        words = [topic for model, _ in fitted.values() for topic in model.topics]
        npmi = topic_coherence(words, corpus.tokens, "c_npmi")
        for name, (model, seconds) in fitted.items():
            own, npmi = npmi[: len(model.topics)], npmi[len(model.topics) :]
            yield {
                **key,
                "model": name,
                "nmi": normalized_mutual_information(part.labels, model.labels),
                "npmi": float(np.mean(own)),
                "diversity": topic_diversity(model.topics),
                "n_empty": n_topics - len(set(model.labels.tolist()) - {-1}),
                "seconds": seconds,
            }
        labels = KMeans(n_topics, n_init=10, random_state=draw).fit_predict(part.embeddings)
        nmi = normalized_mutual_information(part.labels, labels)
        yield {**key, "model": "k-means", "nmi": nmi}


def draw_documents(corpus: Corpus, size: int, draw: int) -> Corpus:
    """Return some documents with content, and the words that occur in enough of them."""
    worded = np.flatnonzero(np.diff(corpus.bow.indptr) >= 5)
    rows = np.sort(np.random.default_rng([size, draw]).choice(worded, size, replace=False))
    return take_documents(corpus, rows, least=default_vectorizer(size).min_df)


def take_documents(corpus: Corpus, rows: np.ndarray, least: int = 1) -> Corpus:
    counts = sparse.csr_matrix(corpus.bow[rows])
    columns = np.flatnonzero(np.bincount(counts.indices, minlength=counts.shape[1]) >= least)
    return dataclasses.replace(
        corpus,
        texts=[corpus.texts[row] for row in rows],
        embeddings=corpus.embeddings[rows],
        labels=corpus.labels[rows],
        bow=counts[:, columns],
        vocabulary=[corpus.vocabulary[column] for column in columns],
        word_vectors=corpus.word_vectors[columns],
        judge_vectors=corpus.judge_vectors[columns],
        tokens=[corpus.tokens[row] for row in rows],
    )


def fit_ours(corpus: Corpus, n_topics: int, seed: int, sae: Any) -> Fitted:
    model = SAETopicModel(n_topics, sae=sae, encoder=corpus.encoder(), random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.fit(
            corpus.texts, embeddings=corpus.embeddings, bow=corpus.bow, vocabulary=corpus.vocabulary
        )
    return Fitted(model.get_topics(10), model.labels_, None, model)


def measure_corpora(
    corpus: Corpus, args: argparse.Namespace, done: Callable[..., bool]
) -> Iterator[Row]:
    """Fit whole corpora with atoms that are there, and with fresh ones."""
    for seed, (name, sae) in itertools.product(range(args.seeds), OURS.items()):
        key = {"part": "corpora", "corpus": corpus.name, "model": name, "seed": seed}
        if done(**key):
            continue
        start = time.perf_counter()
        model = fit_ours(corpus, N_TOPICS, seed, sae)
        seconds = time.perf_counter() - start
        words = model.topics
        yield {
            **key,
            "seconds": seconds,
            "npmi": float(np.mean(topic_coherence(words, corpus.tokens, "c_npmi"))),
            "c_v": float(np.nanmean(topic_coherence(words, corpus.tokens, "c_v"))),
            "intruder": embedding_intruder_accuracy(words, corpus.vectors_by_word(), n_repeats=20),
            "judged_intruder": embedding_intruder_accuracy(
                words, corpus.judge_vectors_by_word(), n_repeats=20
            ),
            "diversity": topic_diversity(words),
            "nmi": normalized_mutual_information(corpus.labels, model.labels),
        }


def measure_stability(
    corpus: Corpus, args: argparse.Namespace, done: Callable[..., bool]
) -> Iterator[Row]:
    """Match the topics of each two seeds; of ours also those of samples and of a larger corpus."""
    for name in args.models:
        key = {"part": "stability", "corpus": corpus.name, "model": name}
        pairs = list(itertools.combinations(range(args.seeds), 2))
        if not all(done(**key, change="seed", seed=a, other=b) for a, b in pairs):
            runs = [fit_any(corpus, name, seed) for seed in range(args.seeds)]
            for a, b in pairs:
                if not done(**key, change="seed", seed=a, other=b):
                    found = compare(runs[a], runs[b])
                    yield {**key, "change": "seed", "seed": a, "other": b, **found}
        if name in OURS and not done(**key, change="growth 2.0", seed=0):
            yield from ({**key, "seed": 0, **row} for row in change_corpus(corpus, name))


def fit_any(corpus: Corpus, name: str, seed: int) -> Fitted:
    if name in OURS:
        return fit_ours(corpus, N_TOPICS, seed, OURS[name])
    return load_peer(name).fit(corpus, N_TOPICS, seed)


def change_corpus(corpus: Corpus, name: str) -> Iterator[Row]:
    """Compare topics of all documents with those of samples; of half of them with those of more."""
    n_documents = len(corpus.texts)
    whole = fit_any(corpus, name, 0)
    for draw in range(3):
        rows = np.sort(np.random.default_rng(draw).integers(n_documents, size=n_documents))
        sample = fit_any(take_documents(corpus, rows), name, 0)
        labels = sample.model.transform(None, corpus.embeddings).argmax(axis=1)
        yield {
            "change": "bootstrap",
            "other": draw,
            **compare(whole, sample._replace(labels=labels)),
        }
    order = np.random.default_rng(0).permutation(n_documents)
    half = n_documents // 2
    first = fit_any(take_documents(corpus, order[:half]), name, 0)
    for growth in GROWTH:
        grown = fit_any(take_documents(corpus, order[: int(growth * half)]), name, 0)
        grown = grown._replace(labels=grown.labels[:half])
        yield {"change": f"growth {growth}", **compare(first, grown)}


def compare(one: Fitted, other: Fitted) -> Row:
    """Return the overlap of ten words of matched topics, and the agreement of main topics."""
    words = [[topic[:10] for topic in fitted.topics] for fitted in (one, other)]
    labels = [np.asarray(fitted.labels) for fitted in (one, other)]
    match = match_topics(*words, *labels)
    given = (labels[0] >= 0) & (labels[1] >= 0)
    return {
        "word_overlap": float(match["word_overlap"].mean()),
        "document_overlap": float(match["document_overlap"].mean()),
        "ari": float(adjusted_rand_score(labels[0], labels[1])),
        "ari_without_outliers": float(adjusted_rand_score(labels[0][given], labels[1][given])),
    }


def measure_unexplained(
    corpus: Corpus, args: argparse.Namespace, done: Callable[..., bool]
) -> Iterator[Row]:
    """Measure what atoms leave of held-out documents at 16 active atoms on average."""
    held = np.arange(len(corpus.texts)) % 5 == 0
    rows = corpus.embeddings[held]
    own = train_sae(corpus.embeddings[~held], k=16)
    for name, sae in (("own", own), ("default", load_foundation())):
        key = {"part": "unexplained", "corpus": corpus.name, "model": name}
        if not done(**key):
            sae, active = with_active_atoms(sae, rows, 16)
            missing = np.square(rows - sae.reconstruct(rows)).sum()
            fvu = float(missing / np.square(rows - rows.mean(axis=0)).sum())
            yield {**key, "fvu": fvu, "n_active": active, "n_atoms": sae.n_atoms}


def with_active_atoms(
    sae: SparseAutoencoder, rows: np.ndarray, wanted: float
) -> tuple[SparseAutoencoder, float]:
    """Return the autoencoder with the threshold at which so many atoms are active on average."""
    arrays = {
        name: getattr(sae, f"{name}_")
        for name in ("encoder", "encoder_bias", "decoder", "decoder_bias", "mean")
    }
    scores = sae.normalizer_.apply(rows) @ sae.encoder_.T + sae.encoder_bias_
    cut = np.partition(scores.ravel(), -int(wanted * len(rows)))[-int(wanted * len(rows))]
    thresholds = np.full_like(sae.thresholds_, max(0.0, float(cut)))
    found = SparseAutoencoder(
        {**arrays, "thresholds": thresholds},
        activation="batch_topk",
        k=16,
        normalization=sae.normalizer_.mode,
        scale=sae.normalizer_.scale,
    )
    return found, found.transform(rows).nnz / len(rows)


PARTS = {
    "sizes": measure_sizes,
    "corpora": measure_corpora,
    "stability": measure_stability,
    "unexplained": measure_unexplained,
}


if __name__ == "__main__":
    main()
