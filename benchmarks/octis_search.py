"""OCTIS' Optimizer over the number of topics: ours, which re-cuts, beside OCTIS' LDA, which refits.

    python benchmarks/octis_search.py --data DIR

One process, one dataset (BBC_News), the same search for both: 30 evaluations, the same points
(random search, one seed) and the same metric. Ours gets the corpus' embeddings; its one training
is inside its seconds, encoding words too where they are not cached yet. Imports are in nobody's
seconds, nor is compiling loops or loading them from disk, which a fit before the clock does.
OCTIS' LDA makes one pass by default; ``--lda-passes 10`` gives it a fit that has converged. Prints
the seconds and appends a JSON line.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import tempfile
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from octis.dataset.dataset import Dataset
from octis.evaluation_metrics.coherence_metrics import Coherence
from octis.evaluation_metrics.diversity_metrics import TopicDiversity
from octis.models.LDA import LDA
from octis.optimization.optimizer import Optimizer
from peers.ours import compile_loops
from rich.console import Console
from rich.table import Table
from skopt.space.space import Integer

from saetm_plugins.octis import SAETM

HERE = Path(__file__).parent


def main() -> None:
    args = parse_arguments()
    folder = Path(args.data) / "octis" / "BBC_News"
    dataset = Dataset()
    dataset.load_custom_dataset_from_folder(str(folder))
    embeddings = np.load(Path(args.data) / "bbc_minilm_f16.npy").astype(np.float32)
    metric = TopicDiversity(topk=10)
    if args.metric == "npmi":
        metric = Coherence(texts=dataset.get_corpus())
    models = {
        "OCTIS LDA": LDA(random_state=0, passes=args.lda_passes),
        "SAETM": SAETM(embeddings=embeddings, random_state=0),
    }
    row = {
        "metric": args.metric,
        "lda_passes": args.lda_passes,
        "calls": args.calls,
        "low": args.low,
        "high": args.high,
    }
    compile_loops()
    for name, model in models.items():
        row[name] = search(model, dataset, metric, args)
    row["ratio"] = row["OCTIS LDA"]["seconds"] / row["SAETM"]["seconds"]
    row["when"] = datetime.now(UTC).isoformat(timespec="seconds")
    report(row)
    args.out.mkdir(parents=True, exist_ok=True)
    with open(args.out / "octis_search.jsonl", "a", encoding="utf-8") as out:
        out.write(json.dumps(row) + "\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    data = os.environ.get("SAETM_DATA")
    parser.add_argument("--data", default=data, required=data is None, help="or SAETM_DATA")
    parser.add_argument("--calls", type=int, default=30)
    parser.add_argument("--low", type=int, default=5, help="fewest topics")
    parser.add_argument("--high", type=int, default=100, help="most topics")
    parser.add_argument("--lda-passes", type=int, default=1, help="OCTIS' default is 1")
    parser.add_argument("--metric", choices=["diversity", "npmi"], default="diversity")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    return parser.parse_args()


def search(model, dataset, metric, args) -> dict:
    """Search with OCTIS' optimizer; return seconds, seconds of each evaluation and the best."""
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(action="ignore"),
    ):
        start = time.perf_counter()
        result = Optimizer().optimize(
            model,
            dataset,
            metric,
            {"num_topics": Integer(args.low, args.high)},
            number_of_call=args.calls,
            model_runs=1,
            surrogate_model="RS",
            initial_point_generator="random",
            random_state=0,
            save_models=False,
            save_path=f"{folder}/",
        )
        seconds = time.perf_counter() - start
    values, counts = result.info["f_val"], result.info["x_iters"]["num_topics"]
    best = int(np.argmax(values))
    return {
        "seconds": seconds,
        "first": result.info["time_eval"][0],
        "median": float(np.median(result.info["time_eval"][1:])),
        "best_num_topics": counts[best],
        "best": values[best],
    }


def report(row: dict) -> None:
    title = f"{row['calls']} evaluations of {row['metric']}, {row['low']}–{row['high']} topics"
    table = Table(title=title)
    columns = ("model", "search, s", "first, s", "median of the rest, s", "best", "topics")
    for column in columns:
        table.add_column(column, justify="left" if column == "model" else "right")
    for name in ("OCTIS LDA", "SAETM"):
        found = row[name]
        table.add_row(
            name,
            f"{found['seconds']:.1f}",
            f"{found['first']:.2f}",
            f"{found['median']:.3f}",
            f"{found['best']:.3f}",
            str(found["best_num_topics"]),
        )
    console = Console()
    console.print(table)
    console.print(f"SAETM is {row['ratio']:.1f} × faster")


if __name__ == "__main__":
    main()
