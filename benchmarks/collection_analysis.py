"""Reading collections: does the analysis find what is there, and nothing else, and how fast.

    python benchmarks/collection_analysis.py planted --data DIR    # posts of one class mixed in
    python benchmarks/collection_analysis.py nothing --data DIR    # 200 random splits
    python benchmarks/collection_analysis.py eras --data DIR       # Tate by decade, NYT by year
    python benchmarks/collection_analysis.py formulas --data DIR   # beside loops over documents
    python benchmarks/collection_analysis.py speed                 # a million documents

`planted` and `eras` compare with BERTopic on the same embeddings (``--no-peers``: ours alone). Its
clusters and the embeddings made here are kept in ``--cache``.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from corpora import READERS
from scipy import stats

from saetm_plugins import SAETopicModel
from saetm_plugins.analysis import compare_groups, coverage, topic_shares, topic_trends
from saetm_plugins.corpus import default_vectorizer, encode_texts, load_encoder

RATES = (0.02, 0.05, 0.10)
BARS = {0.02: 14, 0.05: 19}


def main() -> None:
    args = parse_arguments()
    COMMANDS[args.command](args)


def planted(args: argparse.Namespace) -> None:
    """Replace a part of one half of 20 Newsgroups by posts of one class, and rank what differs."""
    texts, classes, embeddings = read_20newsgroups(args.data)
    model = SAETopicModel(args.n_topics).fit(texts, embeddings=embeddings)
    counts = default_vectorizer(len(texts)).fit_transform(texts)
    labels = None if args.no_peers else bertopic_labels(texts, embeddings, args)
    names = np.unique(classes)
    hits = {rate: {"ours": 0, "q < .05": 0, "frequencies": 0, "log-odds": 0} for rate in RATES}
    for number, name in enumerate(names):
        rng = np.random.default_rng(number)
        members = classes == name
        own = model.doc_topics_[members].mean(axis=0) - model.doc_topics_[~members].mean(axis=0)
        for rate in RATES:
            rows, sides = plant(rng, np.flatnonzero(members), len(texts), rate)
            table = compare_groups(
                model,
                sides,
                True,
                doc_atoms=model.doc_atoms_[rows],
                n_resamples=100,
            )
            first = table[:5]
            hits[rate]["ours"] += own.argmax() in set(first["topic"])
            hits[rate]["q < .05"] += own.argmax() in set(first.query("q < .05")["topic"])
            if labels is not None:
                best, difference = frequencies(labels, members, rows, sides)
                hits[rate]["frequencies"] += best in np.argsort(-np.abs(difference))[:5]
            hits[rate]["log-odds"] += log_odds_hit(counts, members, rows, sides)
        print(name, {rate: dict(found) for rate, found in hits.items()}, flush=True)
    print(f"\nof {len(names)} classes, {args.n_topics} topics; bar: {BARS}")
    for rate, found in hits.items():
        print(f"{rate:.0%}  " + "  ".join(f"{what}: {n}" for what, n in found.items()))


def plant(
    rng: np.random.Generator, members: np.ndarray, n: int, rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of two random halves, the first with a part replaced, and which it is."""
    rows = rng.permutation(n)
    n_planted = round(rate * (n // 2))
    scarce = n_planted > len(members)
    rows[:n_planted] = rng.choice(members, n_planted, replace=scarce)
    return rows, np.arange(n) < n // 2


def frequencies(
    labels: np.ndarray, members: np.ndarray, rows: np.ndarray, sides: np.ndarray
) -> tuple[int, np.ndarray]:
    """Return the cluster of a class, and clusters' differences in what topics_per_class counts."""
    n_topics = labels.max() + 1

    def share(of: np.ndarray) -> np.ndarray:
        return np.bincount(of[of >= 0], minlength=n_topics) / len(of)

    own = share(labels[members]) - share(labels[~members])
    return int(own.argmax()), share(labels[rows[sides]]) - share(labels[rows[~sides]])


def log_odds_hit(
    counts: sp.csr_matrix, members: np.ndarray, rows: np.ndarray, sides: np.ndarray
) -> bool:
    """Tell whether one of the five words of largest log-odds is among the class's 20."""
    own = np.argsort(-log_odds(counts[members], counts[~members]))[:20]
    found = log_odds(counts[rows[sides]], counts[rows[~sides]])
    return bool(np.isin(np.argsort(-np.abs(found))[:5], own).any())


def log_odds(a: sp.csr_matrix, b: sp.csr_matrix) -> np.ndarray:
    """Z of the log-odds ratio with an informative Dirichlet prior (Monroe et al. 2008)."""
    in_a, in_b = (np.asarray(part.sum(axis=0)).ravel() for part in (a, b))
    prior = 0.1 * (in_a + in_b) + 1e-9
    odds = [np.log((x + prior) / (x.sum() + prior.sum() - x - prior)) for x in (in_a, in_b)]
    return (odds[0] - odds[1]) / np.sqrt(1 / (in_a + prior) + 1 / (in_b + prior))


def nothing(args: argparse.Namespace) -> None:
    """Split 20 Newsgroups at random, and count the topics that are called different."""
    texts, _, embeddings = read_20newsgroups(args.data)
    model = SAETopicModel(args.n_topics).fit(texts, embeddings=embeddings)
    below, small, any_found = [], [], 0
    for seed in range(args.splits):
        sides = np.random.default_rng(seed).permutation(len(texts)) < len(texts) // 2
        table = compare_groups(model, sides, True, n_resamples=2, random_state=seed)
        below.append((table["q"] < 0.05).mean())
        small.append((table["p"] < 0.05).mean())
        any_found += (table["q"] < 0.05).any()
        if seed % 20 == 19:
            print(
                f"{seed + 1} splits: {np.mean(below):.4f} of topics q < .05, in {any_found} "
                f"splits any; {np.mean(small):.4f} p < .05",
                flush=True,
            )
    print(f"bar: at most .05 of topics with q < .05: {np.mean(below) <= 0.05}")


def eras(args: argparse.Namespace) -> None:
    """Compare the course of topics with that of subjects (Tate) and labels (NYT)."""
    if args.only != "nyt":
        titles, years, subjects = read_tate(args.data)
        dated = (years >= 1780) & (years < 2000)
        periods = np.where(dated, years // 10, -1).astype(int)
        print("Tate: median Spearman over the 30 most common subjects of level 2, 1780-2000")
        follow(args, "tate", titles, encode(titles, args.cache), periods, subjects, args.counts)
    if args.only != "tate":
        texts, years, labels = read_nyt(args.data)
        print("NYT: median Spearman over its labels, years 2012-2022")
        follow(args, "nyt", texts, encode(texts, args.cache), years, labels, (10, 20, 50))


def follow(args, name, texts, embeddings, periods, truth, counts) -> None:
    """Print how well the best-matching topics follow each column of `truth` (N × S, bool)."""
    inside = periods >= 0
    known = inside & truth.any(axis=1)
    subject = means(truth[known], periods[known])
    start = time.perf_counter()
    model = SAETopicModel(counts[0]).fit(texts, embeddings=embeddings)
    print(f"fitted in {time.perf_counter() - start:.0f} s, {model.sae_.n_atoms} atoms")
    for n_topics in counts:
        model.retopic(n_topics)
        trends = topic_trends(
            model,
            periods[inside],
            bins=[*np.unique(periods[inside]), periods.max() + 1],
            doc_topics=model.doc_topics_[inside],
            n_resamples=2,
        )
        course = trends.pivot(index="topic", columns="period", values="share").to_numpy().T
        report(f"ours, {n_topics} topics", model.doc_topics_, course, truth, known, subject)
    if args.no_peers:
        return
    for n_topics in (None, *counts):
        labels = bertopic_labels(texts, embeddings, args, n_topics)
        one_hot = np.eye(labels.max() + 2, dtype=np.float32)[labels][:, :-1]
        course = means(one_hot[inside], periods[inside])
        called = "BERTopic" if n_topics is None else f"BERTopic, nr_topics={n_topics + 1}"
        report(f"{called} ({labels.max() + 1} topics)", one_hot, course, truth, known, subject)


def report(what, doc_topics, course, truth, known, subject) -> None:
    """Match topics to subjects by documents, then compare their courses."""
    shares = np.asarray(doc_topics[known], dtype=np.float64)
    flags = truth[known].astype(np.float64)
    shares -= shares.mean(axis=0)
    flags -= flags.mean(axis=0)
    scale = np.sqrt((shares**2).sum(axis=0))[:, None] * np.sqrt((flags**2).sum(axis=0))
    phi = (shares.T @ flags) / np.maximum(scale, 1e-12)
    best = phi.argmax(axis=0)
    rho = [stats.spearmanr(course[:, t], subject[:, s]).statistic for s, t in enumerate(best)]
    rho = np.nan_to_num(rho)
    print(
        f"{what:32s} median {np.median(rho):.3f}  quartiles {np.quantile(rho, 0.25):.3f} "
        f"{np.quantile(rho, 0.75):.3f}  at least .8: {(rho >= 0.8).mean():.0%}  "
        f"correlation of documents {phi.max(axis=0).mean():.3f}",
        flush=True,
    )


def means(values: np.ndarray, periods: np.ndarray) -> np.ndarray:
    found, codes = np.unique(periods, return_inverse=True)
    return np.stack([values[codes == i].mean(axis=0) for i in range(len(found))])


def formulas(args: argparse.Namespace) -> None:
    """Compare shares and coverage with loops over documents."""
    texts, classes, embeddings = read_20newsgroups(args.data)
    model = SAETopicModel(args.n_topics).fit(texts, embeddings=embeddings)
    owners = model.atom_topics_.toarray().argmax(axis=1)
    covered = coverage(model, classes).pivot(index="group", columns="topic", values="coverage")
    above = coverage(model, classes, 0.1).pivot(index="group", columns="topic", values="coverage")
    shares = topic_shares(model, classes).pivot(index="group", columns="topic", values="share")
    errors = np.zeros(3)
    for group in covered.index:
        rows = np.flatnonzero(classes == group)
        count = np.zeros(model.n_topics_)
        for row in rows:
            count[np.unique(owners[model.doc_atoms_[row].indices])] += 1
        mixtures = model.doc_topics_[rows].astype(np.float64)
        found = (covered.loc[group], above.loc[group], shares.loc[group])
        brute = (count / len(rows), (mixtures > 0.1).mean(axis=0), mixtures.mean(axis=0))
        each = [np.abs(ours - loop).max() for ours, loop in zip(found, brute, strict=True)]
        errors = np.maximum(errors, each)
    print("largest difference from a loop over documents:")
    print("coverage {:.1e}, coverage above .1 {:.1e}, shares {:.1e}".format(*errors))


def speed(args: argparse.Namespace) -> None:
    """Time a million documents, 200 topics, 100 groups; memory beyond the input."""
    rng = np.random.default_rng(0)
    model = SAETopicModel(200, n_atoms=1024, k=8, merge="kmeans")
    model.fit(None, embeddings=rng.normal(size=(20_000, 64)).astype(np.float32))
    n, k = args.documents, 8
    atoms = (np.arange(k) * 128 + rng.integers(128, size=(n, k))).astype(np.int32)
    weights = rng.dirichlet(np.ones(k), size=n).astype(np.float32)
    doc_atoms = sp.csr_matrix(
        (weights.ravel(), atoms.ravel(), np.arange(n + 1, dtype=np.int32) * k), shape=(n, 1024)
    )
    groups = rng.integers(100, size=n)
    topic_shares(model, groups[:1000], doc_atoms=doc_atoms[:1000], n_resamples=10)
    print(f"{n:,} documents, 200 topics, 100 groups; {os.cpu_count()} cores")

    def measure(what: str, bar: str, task) -> None:
        before, start = peak(), time.perf_counter()
        task()
        seconds = time.perf_counter() - start
        print(f"{what:48s} {seconds:6.1f} s ({bar})  peak +{peak() - before:,.0f} MB", flush=True)

    def both(**documents) -> None:
        topic_shares(model, groups, **documents)
        coverage(model, groups, doc_atoms=doc_atoms)

    measure("shares + coverage, from atoms", "bar 5", lambda: both(doc_atoms=doc_atoms))
    measure(
        "shares, 1,000 resamples, from atoms",
        "bar 30",
        lambda: topic_shares(model, groups, doc_atoms=doc_atoms, n_resamples=1000),
    )
    doc_topics = model.topics_of(doc_atoms)[1]
    measure("shares + coverage, from mixtures", "bar 5", lambda: both(doc_topics=doc_topics))
    measure(
        "shares, 1,000 resamples, from mixtures",
        "bar 30",
        lambda: topic_shares(model, groups, doc_topics=doc_topics, n_resamples=1000),
    )
    measure(
        "coverage above .1, from atoms",
        "no bar",
        lambda: coverage(model, groups, 0.1, doc_atoms=doc_atoms),
    )


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def read_20newsgroups(data: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    texts, labels, file, _ = READERS["20newsgroups"](need_folder(data))
    return texts, np.array(labels), np.load(file).astype(np.float32)


def read_tate(data: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return titles, years (-1: unknown) and which of the 30 most common subjects each has."""
    with gzip.open(need_folder(data) / "tate/tate.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    years = np.array([int(row["year"]) if str(row["year"]).isdigit() else -1 for row in rows])
    names = [{path[1] for path in row["subjects"] if len(path) > 1} for row in rows]
    found, counts = np.unique([name for several in names for name in several], return_counts=True)
    common = found[np.argsort(-counts)[:30]]
    truth = np.array([[name in several for name in common] for several in names])
    return [row["title"] for row in rows], years, truth


def read_nyt(data: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    folder = need_folder(data) / "nyt"
    texts, years, labels = (
        (folder / f"test_{what}.txt").read_text(encoding="utf-8").splitlines()
        for what in ("texts", "times", "labels")
    )
    labels = np.array(labels, dtype=int)
    return texts, np.array(years, dtype=int), np.eye(labels.max() + 1, dtype=bool)[labels]


def need_folder(data: Path | None) -> Path:
    if data is None or not data.is_dir():
        raise SystemExit("--data (or SAETM_DATA) must name the data folder")
    return data


def encode(texts: list[str], cache: Path) -> np.ndarray:
    """Embed texts with the default encoder, each different one once; kept in `cache`."""
    file = cache / f"collection-{digest(texts)}.npy"
    if not file.exists():
        different, position = np.unique(np.array(texts, dtype=object), return_inverse=True)
        vectors = encode_texts(load_encoder(), different.tolist(), half=True)
        cache.mkdir(parents=True, exist_ok=True)
        np.save(file, vectors[position].astype(np.float16))
    return np.load(file).astype(np.float32)


def bertopic_labels(texts, embeddings, args, n_topics=None) -> np.ndarray:
    """Return BERTopic's clusters (-1: none), with its defaults or reduced to a count."""
    n_topics = args.n_topics if args.command == "planted" else n_topics
    file = args.cache / f"bertopic-{digest(texts)}-{n_topics}.npy"
    if not file.exists():
        from bertopic import BERTopic
        from umap import UMAP

        umap = UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=0)
        model = BERTopic(umap_model=umap)  # its defaults, with a seed
        model.fit(texts, embeddings)
        args.cache.mkdir(parents=True, exist_ok=True)
        for count in sorted({None, n_topics, *args.counts}, key=lambda c: -(c or 10**6)):
            if count is not None and count + 1 < len(model.get_topic_info()):
                model.reduce_topics(texts, nr_topics=count + 1)
            np.save(args.cache / f"bertopic-{digest(texts)}-{count}.npy", np.array(model.topics_))
    return np.load(file)


def digest(texts: list[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8")).hexdigest()[:24]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--data", type=Path, default=os.environ.get("SAETM_DATA"))
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "saetm-bench-cache"
    )
    parser.add_argument("--n-topics", type=int, default=50, help="of 20 Newsgroups")
    parser.add_argument("--counts", type=int, nargs="+", default=[50, 100, 200], help="of Tate")
    parser.add_argument("--only", choices=("tate", "nyt"), help="of eras; both by default")
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--no-peers", action="store_true")
    args = parser.parse_args()
    args.data = None if args.data is None else Path(args.data)
    return args


COMMANDS = {
    "planted": planted,
    "nothing": nothing,
    "eras": eras,
    "formulas": formulas,
    "speed": speed,
}

if __name__ == "__main__":
    main()
