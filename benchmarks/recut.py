"""Changing the number of topics: `retopic` beside BERTopic's `reduce_topics` and an LDA refit.

    python benchmarks/recut.py --data DIR                  # all, about 5 minutes on 2 cores
    python benchmarks/recut.py --data DIR --peers          # ours alone

Everything runs in one process, on the same documents, embeddings and vocabulary. A `retopic` is
timed whole: the merge, the topics' words and the mixtures and labels of all documents. `first`
also prepares the merge (a tree, singular vectors), `again` is the median of later cuts.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from corpora import Corpus, load_corpus

from saetm_plugins import SAETopicModel
from saetm_plugins.corpus import load_encoder

# merge, atoms, topics, seconds asked for on 2 cores (None: no bar)
CUTS = (
    ("ward", 512, 50, 0.05),
    ("kmeans", 512, 50, 0.05),
    ("ward", 4096, 500, 0.25),
    ("kmeans", 4096, 500, 0.25),
    ("nmf", 1024, 50, 0.3),
    ("nmf", 1024, 200, 1.0),
    ("nmf", 1024, 500, None),
    ("hdbscan", 1024, "auto", None),
)


def main() -> None:
    args = parse_arguments()
    corpus = load_corpus("20newsgroups", args.data, args.cache)
    rows = ours(corpus, args.repeat)
    for peer in args.peers:
        rows.append(PEERS[peer](corpus, args.n_topics))
    reference = {entry["what"]: entry["again"] for entry in rows}[
        f"nmf, 1024 atoms, {args.n_topics}"
    ]
    print(f"{'what':28s} {'first, s':>9s} {'again, s':>9s} {'bar, s':>7s} {'/ nmf':>8s}")
    for entry in rows:
        bar = "" if entry["bar"] is None else f"{entry['bar']:.2f}"
        first = "" if entry["first"] is None else f"{entry['first']:.3f}"
        ratio = f"{entry['again'] / reference:.2f}"
        print(f"{entry['what']:28s} {first:>9s} {entry['again']:9.4f} {bar:>7s} {ratio:>8s}")
    if args.out:
        args.out.write_text("".join(json.dumps(entry) + "\n" for entry in rows))


def ours(corpus: Corpus, repeat: int) -> list[dict]:
    rows = []
    models: dict[int, SAETopicModel] = {}
    for merge, n_atoms, n_topics, bar in CUTS:
        if n_atoms not in models:
            models[n_atoms] = SAETopicModel(n_topics=2, n_atoms=n_atoms, random_state=0).fit(
                corpus.texts,
                embeddings=corpus.embeddings,
                bow=corpus.bow,
                vocabulary=corpus.vocabulary,
            )
        model = models[n_atoms]
        first = timed(lambda: model.retopic(n_topics, merge=merge))  # noqa: B023 called at once
        times = []
        for _ in range(repeat):
            model.retopic(10, merge=merge)  # so that no cut finds itself already there
            times.append(timed(lambda: model.retopic(n_topics, merge=merge)))  # noqa: B023
        name = f"{merge}, {n_atoms} atoms, {n_topics}"
        rows.append(row(name, median(times), first, bar))
    return rows


def row(what: str, again: float, first: float | None = None, bar: float | None = None) -> dict:
    return {"what": what, "first": first, "again": again, "bar": bar}


def reduce_bertopic(corpus: Corpus, n_topics: int) -> dict:
    from bertopic import BERTopic

    model = BERTopic(vectorizer_model=corpus.vectorizer(), embedding_model=load_encoder())
    model.fit(corpus.texts, embeddings=corpus.embeddings)
    print(f"BERTopic found {len(model.get_topic_info())} topics")
    seconds = timed(lambda: model.reduce_topics(corpus.texts, nr_topics=n_topics + 1))
    return row(f"BERTopic.reduce_topics, {n_topics}", seconds)


def refit_lda(corpus: Corpus, n_topics: int) -> dict:
    from gensim.matutils import Sparse2Corpus
    from gensim.models import LdaMulticore

    bags = list(Sparse2Corpus(corpus.bow, documents_columns=False))
    words = dict(enumerate(corpus.vocabulary))
    seconds = timed(
        lambda: LdaMulticore(bags, num_topics=n_topics, id2word=words, passes=10, workers=1,
                             random_state=0)
    )  # fmt: skip
    return row(f"LdaMulticore refit, {n_topics}", seconds)


PEERS: dict[str, Callable[[Corpus, int], dict]] = {
    "bertopic": reduce_bertopic,
    "lda": refit_lda,
}


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("SAETM_DATA"))
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "saetm-bench")
    parser.add_argument("--out", type=Path, help="a file for the rows as JSON lines")
    parser.add_argument("--n-topics", type=int, default=50, choices=(50, 200, 500))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), default=list(PEERS))
    args = parser.parse_args()
    if args.data is None:
        parser.error("--data or the environment variable SAETM_DATA must name the data folder")
    return args


if __name__ == "__main__":
    main()
