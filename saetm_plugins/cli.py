"""The ``saetm`` command: fit, look at and re-cut topic models from the shell."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

try:
    import typer
    from rich.console import Console
    from rich.table import Table
except ImportError as error:  # the library works without its command
    raise SystemExit(f"{error}: the saetm command needs pip install 'saetm-plugins[cli]'") from None

if TYPE_CHECKING:
    from saetm_plugins import SAETopicModel

app = typer.Typer(
    help="Topic models on sparse autoencoders: train once, cut into any number of topics.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
console = Console()

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is at --out.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for pages and model.")] = Path("saetm-demo"),
) -> None:
    """Run the main job on 300 news texts: topics, re-cuts, new documents, pages, a saved model."""
    from saetm_plugins.demo import run_demo

    run_demo(out, console)


@app.command()
def fit(
    file: Annotated[Path, typer.Argument(help="CSV, JSONL or Parquet with one text a row.")],
    out: Annotated[Path, typer.Option(help="Folder for the model.")],
    text_column: Annotated[str, typer.Option(help="The column that holds the texts.")] = "text",
    n_topics: Annotated[str, typer.Option(help='A number, or "auto".')] = "50",
    embeddings: Annotated[Path | None, typer.Option(help=".npy, one row a text.")] = None,
    encoder: Annotated[str | None, typer.Option(help="A sentence-transformers name.")] = None,
    sae: Annotated[Path | None, typer.Option(help="A trained autoencoder to reuse.")] = None,
    merge: Annotated[str, typer.Option(help="auto, nmf, kmeans, ward or hdbscan.")] = "auto",
    random_state: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Fit a topic model to the texts of a file and save it."""
    import numpy as np

    from saetm_plugins import SAETopicModel, SparseAutoencoder

    _refuse_existing(out, overwrite)
    documents = _read_texts(file, text_column)
    model = SAETopicModel(
        n_topics=_topic_count(n_topics),
        sae=None if sae is None else SparseAutoencoder.from_pretrained(sae),
        encoder=encoder,
        merge=merge,
        random_state=random_state,
        verbose=True,
    )
    vectors = None if embeddings is None else np.load(embeddings, allow_pickle=False)
    model.fit(documents, vectors)
    model.save(out, overwrite=overwrite)
    print_topics(model, console)
    console.print(f"Saved to [bold]{out}[/bold]")


@app.command()
def topics(
    model: Annotated[Path, typer.Argument(help="A saved model.")],
    n_words: Annotated[int, typer.Option(help="Words a topic.")] = 10,
) -> None:
    """Print the topics of a saved model."""
    from saetm_plugins import SAETopicModel

    print_topics(SAETopicModel.load(model), console, n_words=n_words)


@app.command()
def retopic(
    model: Annotated[Path, typer.Argument(help="A saved model.")],
    out: Annotated[Path, typer.Option(help="Folder for the re-cut model.")],
    n_topics: Annotated[str, typer.Option(help='A number, or "auto".')],
    merge: Annotated[str | None, typer.Option(help="nmf, kmeans, ward or hdbscan.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Cut a saved model into another number of topics and save that; nothing is retrained."""
    from saetm_plugins import SAETopicModel

    _refuse_existing(out, overwrite)
    recut = SAETopicModel.load(model).retopic(_topic_count(n_topics), merge)
    recut.save(out, overwrite=overwrite)
    print_topics(recut, console)
    console.print(f"Saved to [bold]{out}[/bold]")


@app.command()
def embed(
    file: Annotated[Path, typer.Argument(help="CSV, JSONL or Parquet with one text a row.")],
    out: Annotated[Path, typer.Option(help="Folder for the shards; goes on where it stopped.")],
    text_column: Annotated[str, typer.Option(help="The column that holds the texts.")] = "text",
    encoder: Annotated[
        str, typer.Option(help="A sentence-transformers name or folder.")
    ] = "sentence-transformers/all-MiniLM-L6-v2",
    shard_size: Annotated[int, typer.Option(help="Texts in a shard.")] = 50_000,
    batch_size: Annotated[int, typer.Option(help="Texts the encoder gets at a time.")] = 64,
) -> None:
    """Embed the texts of a file into shards that train-sae reads."""
    from saetm_plugins.atoms.sources.embedding import embed_file

    embed_file(
        file,
        out,
        encoder,
        text_column=text_column,
        shard_size=shard_size,
        batch_size=batch_size,
    )
    console.print(f"Saved to [bold]{out}[/bold]")


@app.command("train-sae")
def train_sae_command(
    embeddings: Annotated[Path, typer.Argument(help="A shard file, or a folder of shards.")],
    out: Annotated[Path, typer.Option(help="Folder for the autoencoder.")],
    config: Annotated[
        Path | None, typer.Option(help="JSON with arguments of train_sae; flags win.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="saetm-paper or gpu.")] = None,
    n_atoms: Annotated[int | None, typer.Option(help="Size of the dictionary.")] = None,
    activation: Annotated[
        str | None, typer.Option(help="batch_topk, topk, l1 or jumprelu.")
    ] = None,
    k: Annotated[int | None, typer.Option(help="Active atoms a document.")] = None,
    n_steps: Annotated[int | None, typer.Option(help="Optimizer steps.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Documents a step.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda.")] = None,
    checkpoint_dir: Annotated[Path | None, typer.Option(help="Checkpoints; resumes.")] = None,
    checkpoint_every: Annotated[int | None, typer.Option(help="Steps between them.")] = None,
    checkpoint_minutes: Annotated[float | None, typer.Option(help="Minutes between them.")] = None,
    logger: Annotated[str | None, typer.Option(help="tensorboard or wandb.")] = None,
    log_dir: Annotated[str | None, typer.Option(help="Where the logger writes.")] = None,
    encoder_name: Annotated[str | None, typer.Option(help="Stored with the weights.")] = None,
    data_name: Annotated[str | None, typer.Option(help="The corpus, for the model card.")] = None,
    random_state: Annotated[int | None, typer.Option(help="Seed; 0 if not given.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Train a sparse autoencoder on embeddings; under torchrun, on all its processes."""
    import os

    from saetm_plugins.atoms.training.train import train_sae_from_config

    _refuse_existing(out, overwrite)
    flags = {
        "preset": preset,
        "n_atoms": n_atoms,
        "activation": activation,
        "k": k,
        "n_steps": n_steps,
        "batch_size": batch_size,
        "device": device,
        "checkpoint_dir": checkpoint_dir,
        "checkpoint_every": checkpoint_every,
        "checkpoint_minutes": checkpoint_minutes,
        "logger": logger,
        "log_dir": log_dir,
        "encoder_name": encoder_name,
        "data_name": data_name,
        "random_state": random_state,
    }
    sae = train_sae_from_config(embeddings, config, flags)
    if int(os.environ.get("RANK", "0")) == 0:
        sae.save_pretrained(out, overwrite=overwrite)
        console.print(f"{sae!r}  {sae.statistics_}")
        console.print(f"Saved to [bold]{out}[/bold]")


def print_topics(
    model: SAETopicModel,
    console: Console,
    *,
    n_words: int = 8,
    documents: list[str] | None = None,
) -> None:
    """Print a table of topics: documents, share, words and, given texts, the most typical one."""
    import numpy as np

    sizes = np.bincount(model.labels_, minlength=model.n_topics_)
    table = Table(title=f"{model.n_topics_} topics of {len(model.labels_):,} documents")
    table.add_column("topic", justify="right", no_wrap=True)
    table.add_column("docs", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("words", min_width=24)
    if documents is not None:
        table.add_column("most typical document", overflow="ellipsis", no_wrap=True, max_width=48)
    words = model.get_topics(n_words)
    typical = model.get_representative_indices(1)[:, 0]
    for topic in range(model.n_topics_):
        label = model.topic_labels_[topic]
        row = [
            str(topic) if label is None else f"{topic} {label}",
            f"{sizes[topic]:,}",
            f"{model.topic_prevalence_[topic]:.1%}",
            " ".join(words[topic]),
        ]
        if documents is not None:
            row.append(" ".join(documents[typical[topic]].split()))
        table.add_row(*row)
    console.print(table)


def main() -> None:
    """Run the command; an error of the user's shows as one line, not as a traceback."""
    try:
        app()
    except (ValueError, TypeError, OSError, ImportError) as error:
        Console(stderr=True).print(f"[red]error:[/red] {error}", markup=True, highlight=False)
        sys.exit(1)


def _topic_count(text: str) -> int | str:
    if text == "auto":
        return text
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f'--n-topics must be a number or "auto"; found {text!r}') from None


def _refuse_existing(out: Path, overwrite: bool) -> None:
    """Say so before the work, not after it."""
    if out.exists() and not overwrite:
        raise typer.BadParameter(f"--out {str(out)!r} exists; pass --overwrite to replace it")


def _read_texts(file: Path, column: str) -> list[str]:
    import pandas as pd

    readers: dict[str, Any] = {
        ".csv": pd.read_csv,
        ".jsonl": lambda path: pd.read_json(path, lines=True),
        ".parquet": pd.read_parquet,
    }
    reader = readers.get(file.suffix.lower())
    if reader is None:
        raise typer.BadParameter(f"{file}: can read {', '.join(readers)}; found {file.suffix!r}")
    frame = reader(file)
    if column not in frame:
        raise typer.BadParameter(
            f"--text-column {column!r} is not in {file}; it has {', '.join(map(str, frame))}"
        )
    return frame[column].fillna("").astype(str).tolist()
