"""What each step brings that we added to the paper: the table and figure of docs/method.md.

    python benchmarks/ablation.py --data DIR [--corpus bbc,m10] [--seeds 1] [--out FOLDER]

One fit a corpus; then each step is taken away by itself and the same atoms are cut again. Rows are
appended to ``<out>/ablation.jsonl`` as they come; corpora that are there are not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from corpora import READERS, Corpus, load_corpus
from peers import ours
from peers.bertopic_kmeans import fit as fit_kmeans

import saetm_plugins.atom_model as atom_model
import saetm_plugins.emission.pooled as pooled
import saetm_plugins.merging.keywords as keywords
import saetm_plugins.merging.nmf as nmf
import saetm_plugins.topics as topics
from saetm_plugins import SAETopicModel
from saetm_plugins.emission.inputs import weigh_words
from saetm_plugins.evaluation import (
    embedding_intruder_accuracy,
    normalized_mutual_information,
    topic_coherence,
    topic_diversity,
)
from saetm_plugins.merging import make_merge
from saetm_plugins.numerics.mixtures import normalize_activations

COUNTS = (50, 200)
METRICS = {
    "npmi": "NPMI",
    "c_v": "C_V",
    "diversity": "diversity",
    "judged_intruder": "intruder by e5",
    "nmi": "NMI",
}
ALL = "all of it"
KMEANS = "k-means on embeddings, c-TF-IDF (not ours)"


@dataclass(frozen=True)
class Step:
    """A step taken away: objects of modules that others stand in for, and how atoms are merged."""

    patches: tuple[tuple[Any, str, Any], ...] = ()
    merge: str = "nmf"
    by_activations: bool = False


def merging_with(**options: Any) -> tuple[Any, str, Any]:
    return (atom_model, "make_merge", partial(make_merge, **options))


def power(value: float) -> tuple[Any, str, Callable[[Any], float]]:
    return (keywords, "nearness_power", lambda embeddings: value)


EMISSIONS_ALONE = (atom_model, "EMITTED_SHARE", np.float32(1))
NO_IDF = (pooled, "weigh_words", lambda name, totals: weigh_words(None, totals))
STEPS = {
    ALL: Step(),
    "k-means on T_k, emissions alone (the paper)": Step(merge="kmeans"),
    "the same without idf": Step((NO_IDF,), merge="kmeans"),
    "soft merge, words by emissions alone": Step((EMISSIONS_ALONE,)),
    "no emissions in the words": Step(((atom_model, "EMITTED_SHARE", np.float32(1e-3)),)),
    "no idf in the emissions": Step((NO_IDF,)),
    "chance to the power 1": Step(((keywords, "CHANCE_POWER", 1.0),)),
    "no place of words (power 2.5)": Step(((nmf, "_ATOM_WEIGHT", 0.0), merging_with(focus=2.5))),
    "no order by meaning": Step((merging_with(focus=0),)),
    "words not divided by √r": Step((merging_with(distinctness=0),)),
    "nearness to the power 1 in short texts, too": Step((power(1.0),)),
    "no nearness": Step((power(1e-6),)),
    "atoms not drawn to near documents": Step(
        ((nmf.NMFMerge, "_draw_to_documents", lambda merge, shares: shares),)
    ),
    "mixtures from activations": Step(by_activations=True),
}


def main() -> None:
    args = parse_arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    rows_file = args.out / "ablation.jsonl"
    rows = read_rows(rows_file)
    done = {(row["corpus"], row["seed"]) for row in rows}
    for name in args.corpus:
        for seed in range(args.seeds):
            if (name, seed) in done:
                continue
            print(f"{name}, seed {seed} …", file=sys.stderr)
            found = measure(load_corpus(name, args.data, args.cache, args.max_docs), seed)
            with open(rows_file, "a", encoding="utf-8") as out:
                out.writelines(json.dumps(row) + "\n" for row in found)
            rows += found
    frame = pd.DataFrame(row for row in rows if row["corpus"] in args.corpus)
    changes = median_changes(frame)
    print(as_markdown(frame, changes))
    draw(changes, args.out / "ablation.png")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    data = os.environ.get("SAETM_DATA")
    cache = Path.home() / ".cache" / "saetm-benchmarks"
    parser.add_argument("--data", default=data, required=data is None, help="or SAETM_DATA")
    parser.add_argument("--corpus", default=",".join(READERS), help="by commas")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from 0")
    parser.add_argument("--max-docs", type=int, help="larger corpora are cut to this many")
    parser.add_argument("--out", type=Path, default="saetm-bench", help="continues what is there")
    parser.add_argument("--cache", type=Path, default=cache, help="for embeddings made here")
    args = parser.parse_args()
    args.corpus = [name.strip() for name in args.corpus.split(",")]
    return args


def read_rows(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def measure(corpus: Corpus, seed: int) -> list[dict[str, Any]]:
    """Cut the atoms of one fit with each step taken away, and score all cuts together."""
    fitted = ours.fit(corpus, COUNTS[0], seed).model
    by_activations = normalize_activations(fitted.sae_.transform(corpus.embeddings), 2.0)
    cuts = {}
    for name, step in STEPS.items():
        mixtures = by_activations if step.by_activations else fitted.doc_atoms_
        for n_topics, cut in recut(fitted, step, mixtures).items():
            cuts[name, n_topics] = cut
    for n_topics in COUNTS:
        kmeans = fit_kmeans(corpus, n_topics, seed)
        worded = [words[:10] for words in kmeans.topics if len(words) >= 10]
        cuts[KMEANS, n_topics] = worded, kmeans.labels
    scores = score(corpus, list(cuts.values()))
    return [
        {"corpus": corpus.name, "seed": seed, "step": name, "n_topics": n_topics, **found}
        for (name, n_topics), found in zip(cuts, scores, strict=True)
    ]


def recut(
    fitted: SAETopicModel, step: Step, doc_atoms: Any
) -> dict[int, tuple[list[list[str]], np.ndarray]]:
    """Return for each number of topics their words and the documents' labels."""
    words = fitted.atoms_.vocabulary
    cuts = {}
    with ExitStack() as stack:
        for where, name, stand_in in step.patches:
            stack.enter_context(patch.object(where, name, stand_in))
        atoms = replace(fitted.atoms_)  # nothing kept that was computed before
        for n_topics in COUNTS:
            cut = topics.cut(atoms, n_topics, step.merge)
            top = np.argsort(-cut.words, axis=1, kind="stable")[:, :10]
            cuts[n_topics] = [[words[w] for w in row] for row in top], cut.mixtures(doc_atoms)[0]
    return cuts


def score(corpus: Corpus, cuts: list[tuple[list[list[str]], np.ndarray]]) -> list[dict[str, float]]:
    """Score cuts; the coherence of all topics is counted in one pass over the corpus."""
    every = [words for found, _ in cuts for words in found]
    npmi = topic_coherence(every, corpus.tokens, "c_npmi")
    c_v = topic_coherence(every, corpus.tokens, "c_v")
    judge = corpus.judge_vectors_by_word()
    scores, first = [], 0
    for found, labels in cuts:
        own = slice(first, first := first + len(found))
        scores.append(
            {
                "npmi": float(np.mean(npmi[own])),
                "c_v": float(np.nanmean(c_v[own])),
                "diversity": topic_diversity(found),
                "judged_intruder": embedding_intruder_accuracy(found, judge, n_repeats=20),
                "nmi": normalized_mutual_information(corpus.labels, labels),
            }
        )
    return scores


def median_changes(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what changes without a step, (steps, metrics × counts): medians over the corpora."""
    values = frame.groupby(["step", "corpus", "n_topics"])[list(METRICS)].median()
    changes = values - values.loc[ALL].reindex(values.index.droplevel("step")).to_numpy()
    table = changes.groupby(["step", "n_topics"]).median().unstack("n_topics")
    return table.loc[[*STEPS, KMEANS]].drop(ALL)


def as_markdown(frame: pd.DataFrame, changes: pd.DataFrame) -> str:
    def number(value: float, sign: str) -> str:
        return f"{value:{sign}.3f}".replace("0.", ".", 1).replace("-", "−")

    columns = [(metric, count) for metric in METRICS for count in COUNTS]
    head = [f"{METRICS[m]}, {n}" if n == COUNTS[0] else str(n) for m, n in columns]
    whole = frame[frame["step"] == ALL].groupby("n_topics")[list(METRICS)].median()
    lines = ["| | " + " | ".join(head) + " |", "|---|" + "---:|" * len(columns)]
    cells = [number(whole.loc[n, m], "") for m, n in columns]
    lines.append(f"| {ALL} | " + " | ".join(cells) + " |")
    for step in changes.index:
        cells = [number(changes.loc[step, column], "+") for column in columns]
        lines.append(f"| {step} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(changes: pd.DataFrame, path: Path) -> None:
    """Draw the changes, a panel a metric, a bar for each number of topics."""
    figure, panels = plt.subplots(1, len(METRICS), figsize=(15, 5.5), sharey=True)
    places = np.arange(len(changes))[::-1]
    for panel, (metric, title) in zip(panels, METRICS.items(), strict=True):
        for offset, n_topics, colour in zip(
            (0.2, -0.2), COUNTS, ("#1b6ca8", "#f0a202"), strict=True
        ):
            panel.barh(
                places + offset,
                changes[metric, n_topics],
                0.38,
                color=colour,
                label=f"{n_topics} topics",
            )
        panel.axvline(0, color="black", linewidth=0.8)
        panel.set_title(title)
        panel.grid(axis="x", alpha=0.3)
        panel.spines[["top", "right", "left"]].set_visible(False)
    panels[0].set_yticks(places, changes.index)
    panels[0].legend(loc="lower left", bbox_to_anchor=(-1.6, -0.12), ncols=2, frameon=False)
    figure.suptitle("What changes without a step (medians over the corpora; left: worse)")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
