"""``saetm demo``: the main job, inside BERTopic, on a corpus and a model that ship with packages.

Needs the extras ``bertopic``, ``gensim`` (for its Lee news corpus), ``offline`` and ``cli``.
"""

from __future__ import annotations

import time
from copy import copy
from pathlib import Path

import numpy as np
from gensim.test.utils import datapath
from rich.console import Console
from rich.table import Table
from rich.text import Text
from transformers.utils.logging import disable_progress_bar

from saetm_plugins.analysis import name_topics
from saetm_plugins.bertopic import SAEBERTopic
from saetm_plugins.cli.console import print_line, print_topics
from saetm_plugins.corpus.encoders import encode_texts, load_encoder
from saetm_plugins.files.folders import check_destination, check_parent
from saetm_plugins.plotting import explore, map_documents

N_TOPICS = 10


def run_demo(out: Path, console: Console) -> None:
    """Fit, show, re-cut, classify, draw and save; everything written goes into `out`."""
    check_folder(out)
    disable_progress_bar()  # of loading the encoder's weights
    documents, unseen = _lee_corpus()
    encoder = load_encoder()
    with console.status(f"Embedding {len(documents)} news texts with all-MiniLM-L6-v2"):
        embeddings = encode_texts(encoder, documents)

    topic_model = SAEBERTopic(
        n_topics=N_TOPICS, embedding_model=encoder, calculate_probabilities=True, random_state=0
    )
    started = time.perf_counter()
    with console.status("Training atoms, learning their words, merging them into topics"):
        topic_model.fit_transform(documents, embeddings)
    console.print(f"Fitted in {time.perf_counter() - started:.1f} s (given the embeddings)")
    print_topics(topic_model.sae_model_, console, documents=documents)

    _show_recuts(topic_model, console)
    _show_new_documents(topic_model, unseen, console)
    with console.status("Laying out the map of documents"):
        positions = map_documents(embeddings)
    _write_pages(topic_model, documents, positions, out)
    with console.status("Naming topics, writing the page to explore them in"):
        name_topics(topic_model, documents, embeddings=embeddings)
        explore(
            topic_model,
            documents,
            out / "explore.html",
            embeddings=embeddings,
            positions=positions,
            title="Lee corpus of news",
            overwrite=True,
        )
    topic_model.sae_model_.save(out / "model", overwrite=True)
    console.print(Text(f"Pages and the saved model are in {out.resolve()}:"))
    for path in sorted(out.iterdir()):
        console.print(Text(f"  {path.name}{'/' if path.is_dir() else ''}"))
    print_line(console, "Open first:", (out / "explore.html").resolve())


def check_folder(out: Path) -> None:
    """Raise before the work where `out` cannot be written to."""
    if check_parent(out).exists() and not out.is_dir():
        raise NotADirectoryError(f"out {str(out)!r} is a file; a folder is needed")
    check_destination(out / "model", "topic-model", overwrite=True)


def _lee_corpus() -> tuple[list[str], list[str]]:
    """Return the 300 background texts of the Lee corpus and three of its 50 other ones."""
    documents = Path(datapath("lee_background.cor")).read_text(encoding="latin-1").splitlines()
    others = Path(datapath("lee.cor")).read_text(encoding="latin-1").splitlines()
    return documents, [others[1], others[6], others[47]]


def _show_recuts(topic_model: SAEBERTopic, console: Console) -> None:
    """Re-cut a copy of the model; the one with 10 topics stays for the pages."""
    model = copy(topic_model.sae_model_)
    table = Table(title="The same atoms, cut anew")
    table.add_column("topics", justify="right")
    table.add_column("milliseconds", justify="right")
    table.add_column("largest topics")
    for n_topics in (5, 10, 20):
        started = time.perf_counter()
        model.retopic(n_topics)
        milliseconds = 1000 * (time.perf_counter() - started)
        largest = "; ".join(" ".join(words) for words in model.get_topics(3)[:4])
        table.add_row(str(n_topics), f"{milliseconds:.1f}", Text(largest))
    console.print(table)


def _show_new_documents(topic_model: SAEBERTopic, unseen: list[str], console: Console) -> None:
    table = Table(title="Three documents the model has not seen")
    table.add_column("text", max_width=60)
    table.add_column("mixture", no_wrap=True)
    _, mixtures = topic_model.transform(unseen)
    words = topic_model.sae_model_.get_topics(3)
    for text, mixture in zip(unseen, mixtures, strict=True):
        largest = mixture.argsort()[::-1][:3]
        lines = [f"{mixture[t]:4.0%}  {t}: {' '.join(words[t])}" for t in largest if mixture[t] > 0]
        lines.append(f"{1 - mixture[largest].sum():4.0%}  other topics")
        table.add_row(Text(text[:120] + " …"), Text("\n".join(lines)))
    console.print(table)


def _write_pages(
    topic_model: SAEBERTopic, documents: list[str], positions: np.ndarray, out: Path
) -> None:
    """Write BERTopic's own pages, unchanged."""
    out.mkdir(parents=True, exist_ok=True)
    figures = {
        "barchart": topic_model.visualize_barchart(top_n_topics=N_TOPICS),
        "hierarchy": topic_model.visualize_hierarchy(),
        "documents": topic_model.visualize_documents(documents, reduced_embeddings=positions),
    }
    for name, figure in figures.items():
        # The library's script is written once, beside the pages, so that they open offline.
        figure.write_html(out / f"{name}.html", include_plotlyjs="directory")
