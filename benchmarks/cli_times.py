"""What the command takes, first and again, beside BERTopic's import and fit: CPU and wall seconds.

    python benchmarks/cli_times.py [--data DIR]

The first 40 words of 300 news texts of gensim's Lee corpus; with a folder of data also the main
job, 20 Newsgroups with its embeddings. Prints a row a command as JSON, as `report.py` reads them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from gensim.test.utils import datapath

BERTOPIC = """
import pandas as pd
from bertopic import BERTopic
from sentence_transformers import SentenceTransformer
from saetm_plugins.corpus import load_encoder
texts = pd.read_csv("lee.csv").text.tolist()
BERTopic(embedding_model=load_encoder()).fit(texts)
"""
MAIN = """
import gzip, json, sys, time
import numpy as np
from pathlib import Path
from saetm_plugins import SAETopicModel
data = Path(sys.argv[1])
with gzip.open(data / "20newsgroups.jsonl.gz", "rt") as lines:
    texts = [json.loads(line)["text"] for line in lines]
embeddings = np.load(data / "20newsgroups_minilm_f16.npy").astype(np.float32)
SAETopicModel(10).fit(texts[:400], embeddings=embeddings[:400])  # encoder and loops are loaded
for n_topics in (50, 200):
    wall, cpu = time.perf_counter(), time.process_time()
    SAETopicModel(n_topics).fit(texts, embeddings=embeddings)
    print(n_topics, time.process_time() - cpu, time.perf_counter() - wall)
"""


def run(*command: str, folder: Path) -> tuple[float, float, str]:
    """Return CPU seconds, wall seconds and the output of a process."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, wall, done.stdout


def show(what: str, first: tuple[float, float], again: tuple[float, float] | None) -> None:
    cells = {"command": what, "first": "{:.1f} / {:.1f}".format(*first[:2])}
    cells["again"] = "–" if again is None else "{:.1f} / {:.1f}".format(*again[:2])
    print(json.dumps({"table": "command", "cells": cells, "missed": []}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("SAETM_DATA"))
    args = parser.parse_args()
    saetm = str(Path(sys.executable).with_name("saetm"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = Path(datapath("lee_background.cor")).read_text(encoding="utf-8").splitlines()
        texts = [" ".join(text.split()[:40]) for text in texts]  # as long as reviews
        table = pd.DataFrame({"id": range(len(texts)), "text": texts})
        table.to_csv(folder / "lee.csv", index=False)
        table.head(40).to_csv(folder / "new.csv", index=False)
        commands = {
            "saetm --help": ("--help",),
            "saetm fit, 300 texts": ("fit", "lee.csv", "--text-column", "text", "--out", "model"),
            "saetm topics": ("topics", "model"),
            "saetm assign, 40 texts": (
                *("assign", "model", "new.csv", "--text-column", "text", "--out", "new.xlsx"),
            ),
            "saetm export": ("export", "model", "--out", "all.csv"),
        }
        for what, (*arguments, last) in commands.items():
            names = (last, last) if "--out" not in arguments else (last, f"again-{last}")
            show(what, *(run(saetm, *arguments, name, folder=folder) for name in names))
        show(
            "BERTopic: import and fit, the same texts",
            run(sys.executable, "-c", BERTOPIC, folder=folder),
            None,
        )
        if args.data is not None:
            code = (sys.executable, "-c", MAIN, str(Path(args.data).resolve()))
            for line in run(*code, folder=folder)[2].splitlines():
                n_topics, cpu, wall = map(float, line.split())
                show(f"SAETopicModel.fit, 18,846 posts, {n_topics:g} topics", (cpu, wall), None)


if __name__ == "__main__":
    main()
