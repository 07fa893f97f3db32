"""``saetm demo``: the main job, inside BERTopic, on a corpus and a model that ship with packages.

A leaf: needs the extras ``bertopic``, ``gensim`` (for its Lee news corpus), ``offline`` and
``cli``.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path

from rich.console import Console
from rich.table import Table

N_TOPICS = 10


def run_demo(out: Path, console: Console) -> None:
    """Fit, show, re-cut, classify, draw and save; everything written goes into `out`.

    Raises
    ------
    ImportError
        When an extra is missing.
    """
    warnings.filterwarnings("ignore", category=FutureWarning)
    from saetm_plugins.bertopic import SAEBERTopic
    from saetm_plugins.cli import print_topics
    from saetm_plugins.text import encode_texts, load_encoder

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

    _show_recuts(topic_model, documents, console)
    _show_new_documents(topic_model, unseen, console)
    _write_pages(topic_model, documents, embeddings, out)
    topic_model.sae_model_.save(out / "model", overwrite=True)
    console.print(f"Pages and the saved model are in [bold]{out.resolve()}[/bold]:")
    for path in sorted(out.iterdir()):
        console.print(f"  {path.name}{'/' if path.is_dir() else ''}")


def _lee_corpus() -> tuple[list[str], list[str]]:
    """Return the 300 background texts of the Lee corpus and two of its 50 other ones."""
    from gensim.test.utils import datapath

    documents = Path(datapath("lee_background.cor")).read_text(encoding="utf-8").splitlines()
    others = Path(datapath("lee.cor")).read_text(encoding="utf-8").splitlines()
    return documents, [others[0], others[10]]


def _show_recuts(topic_model: object, documents: list[str], console: Console) -> None:
    """Re-cut a copy of the model; the one with 10 topics stays for the pages."""
    from copy import copy

    model = copy(topic_model.sae_model_)  # type: ignore[attr-defined]
    table = Table(title="The same atoms, cut anew")
    for name in ("topics", "milliseconds", "largest topics"):
        table.add_column(name, justify="left" if name.startswith("l") else "right")
    for n_topics in (5, 10, 20):
        started = time.perf_counter()
        model.retopic(n_topics)
        milliseconds = 1000 * (time.perf_counter() - started)
        largest = "; ".join(" ".join(words) for words in model.get_topics(3)[:4])
        table.add_row(str(n_topics), f"{milliseconds:.1f}", largest)
    console.print(table)


def _show_new_documents(topic_model: object, unseen: list[str], console: Console) -> None:
    table = Table(title="Two documents the model has not seen")
    table.add_column("text", max_width=60)
    table.add_column("mixture")
    _, mixtures = topic_model.transform(unseen)  # type: ignore[attr-defined]
    words = topic_model.sae_model_.get_topics(3)  # type: ignore[attr-defined]
    for text, mixture in zip(unseen, mixtures, strict=True):
        largest = mixture.argsort()[::-1][:3]
        lines = [f"{mixture[t]:4.0%}  {t}: {' '.join(words[t])}" for t in largest if mixture[t] > 0]
        table.add_row(text[:160] + " …", "\n".join(lines))
    console.print(table)


def _write_pages(topic_model: object, documents: list[str], embeddings: object, out: Path) -> None:
    """Write BERTopic's own pages, unchanged."""
    model: object = topic_model
    out.mkdir(parents=True, exist_ok=True)
    figures = {
        "topics": model.visualize_topics,  # type: ignore[attr-defined]
        "barchart": lambda: model.visualize_barchart(top_n_topics=N_TOPICS),  # type: ignore[attr-defined]
        "hierarchy": model.visualize_hierarchy,  # type: ignore[attr-defined]
        "documents": lambda: model.visualize_documents(documents, embeddings=embeddings),  # type: ignore[attr-defined]
    }
    for name, draw in figures.items():
        # The library's script is written once, beside the pages, so that they open offline.
        draw().write_html(out / f"{name}.html", include_plotlyjs="directory")
