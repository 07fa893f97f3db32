"""The ``saetm`` command: fit, show, apply and re-cut topic models from the shell."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

try:
    import typer
    from rich.console import Console

    from saetm_plugins.console import print_line, print_topics
except ImportError as error:  # the library works without its command
    raise SystemExit(f"{error}: the saetm command needs pip install 'saetm-plugins[cli]'") from None

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from saetm_plugins import SAETopicModel

app = typer.Typer(
    help="Topic models on sparse autoencoders: train once, cut into any number of topics.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
console = Console()

Texts = Annotated[
    Path,
    typer.Argument(
        help="CSV, TSV, XLSX, Parquet, JSON or JSONL with one text a row, a folder of .txt files, "
        "or - for standard input.",
        show_default=False,
    ),
]
TextColumn = Annotated[str, typer.Option(help="The column that holds the texts.")]
IdColumn = Annotated[
    str | None, typer.Option(help="What documents are called; by default their row numbers.")
]
Sep = Annotated[str | None, typer.Option(help="Separator of a CSV file; found out by default.")]
Encoding = Annotated[
    str | None, typer.Option(help="Of a file of text, latin-1 say; found out by default.")
]
Embeddings = Annotated[Path | None, typer.Option(help=".npy, one row a text.")]
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
    file: Texts,
    out: Annotated[Path, typer.Option(help="Folder for the model and its tables.")],
    text_column: TextColumn = "text",
    id_column: IdColumn = None,
    n_topics: Annotated[str, typer.Option(help='A number, or "auto".')] = "50",
    embeddings: Embeddings = None,
    encoder: Annotated[str | None, typer.Option(help="A sentence-transformers name.")] = None,
    sae: Annotated[Path | None, typer.Option(help="A trained autoencoder to reuse.")] = None,
    merge: Annotated[str, typer.Option(help="auto, nmf, kmeans, ward or hdbscan.")] = "auto",
    random_state: Seed = 0,
    sep: Sep = None,
    encoding: Encoding = None,
    overwrite: Overwrite = False,
) -> None:
    """Fit a topic model to the texts of a file; save it, topics.csv and documents.csv."""
    from saetm_plugins import SAETopicModel, SparseAutoencoder

    _check_model_folder(out, "topic-model", overwrite)
    count = _topic_count(n_topics)
    model = SAETopicModel(
        n_topics=count,
        sae=None if sae is None else SparseAutoencoder.from_pretrained(sae),
        encoder=encoder,
        merge=merge,
        random_state=random_state,
        verbose=True,
    )
    documents, ids = _read_documents(file, text_column, id_column, sep, encoding)
    model.fit(documents, _load_embeddings(embeddings))
    _save(model, out, overwrite, ids)


@app.command()
def assign(
    model: Annotated[Path, typer.Argument(help="A saved model.", show_default=False)],
    file: Texts,
    out: Annotated[Path, typer.Option(help="Table: .csv, .tsv, .xlsx, .parquet or .jsonl.")],
    text_column: TextColumn = "text",
    id_column: IdColumn = None,
    embeddings: Embeddings = None,
    encoder: Annotated[
        str | None, typer.Option(help="A sentence-transformers name; by default the model's.")
    ] = None,
    sep: Sep = None,
    encoding: Encoding = None,
    overwrite: Overwrite = False,
) -> None:
    """Write which topics each text of a file is about, by a saved model."""
    from saetm_plugins import SAETopicModel
    from saetm_plugins.tables import check_table_path, document_table, write_table

    check_table_path(out, name="out")
    _refuse_existing(out, overwrite)
    fitted = SAETopicModel.load(model, encoder=encoder)
    documents, ids = _read_documents(file, text_column, id_column, sep, encoding)
    check_table_path(out, len(documents), name="out")
    mixtures = fitted.transform(documents, _load_embeddings(embeddings))
    write_table(document_table(fitted, mixtures, ids=ids), out)
    print_line(console, "Saved to", out)


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

    _check_model_folder(out, "topic-model", overwrite)
    recut = SAETopicModel.load(model).retopic(_topic_count(n_topics), merge)
    _save(recut, out, overwrite, _saved_ids(model, len(recut.labels_)))


@app.command()
def embed(
    file: Texts,
    out: Annotated[Path, typer.Option(help="Folder for the shards; goes on where it stopped.")],
    text_column: TextColumn = "text",
    encoder: Annotated[
        str, typer.Option(help="A sentence-transformers name or folder.")
    ] = "sentence-transformers/all-MiniLM-L6-v2",
    shard_size: Annotated[int, typer.Option(help="Texts in a shard.")] = 50_000,
    batch_size: Annotated[int, typer.Option(help="Texts the encoder gets at a time.")] = 64,
    sep: Sep = None,
    encoding: Encoding = None,
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
        sep=sep,
        encoding=encoding,
    )
    print_line(console, "Saved to", out)


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

    _check_model_folder(out, "sparse-autoencoder", overwrite)
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
        print_line(console, repr(sae), sae.statistics_)
        print_line(console, "Saved to", out)


def main() -> None:
    """Run the command; errors and warnings are one line each, without a traceback or source."""
    errors = Console(stderr=True)

    def show_warning(message: Any, *where: Any, **more: Any) -> None:
        print_line(errors, "warning:", message, style="yellow")

    warnings.showwarning = show_warning
    try:
        app()
    except (ValueError, TypeError, OSError, ImportError) as error:
        print_line(errors, "error:", _name_option(str(error)), style="red")
        sys.exit(1)


def _name_option(message: str) -> str:
    """Say ``--text-column`` where a message of the library begins with ``text_column``."""
    argument, _, rest = message.partition(" ")
    commands = getattr(typer.main.get_command(app), "commands", {})
    for parameter in getattr(commands.get("".join(sys.argv[1:2])), "params", ()):
        if parameter.name == argument and parameter.opts[0].startswith("--"):
            return f"{parameter.opts[0]} {rest}"
    return message


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


def _check_model_folder(out: Path, kind: str, overwrite: bool) -> None:
    """Refuse a folder that could not be written, before the work."""
    from saetm_plugins.persistence import check_destination

    _refuse_existing(out, overwrite)
    try:
        check_destination(out, kind, overwrite=overwrite)
    except OSError as error:
        raise typer.BadParameter(f"--out: {error}") from None


def _read_documents(
    file: Path, text_column: str, id_column: str | None, sep: str | None, encoding: str | None
) -> tuple[list[str], pd.Series | None]:
    """Return the texts of a file and their ids; those of a folder are its files' names."""
    from saetm_plugins.tables import read_table

    if id_column is None and file.is_dir():
        id_column = "id"
    frame = read_table(file, text_column, sep=sep, encoding=encoding, id_column=id_column)
    return frame[text_column].tolist(), None if id_column is None else frame[id_column]


def _load_embeddings(file: Path | None) -> np.ndarray | None:
    import numpy as np

    if file is None:
        return None
    try:
        return np.load(file, allow_pickle=False)
    except ValueError as error:
        raise ValueError(f"embeddings {str(file)!r} is not a .npy file: {error}") from error


def _save(model: SAETopicModel, out: Path, overwrite: bool, ids: Any) -> None:
    """Save a model and, in its folder, its tables; saving again replaces both."""
    from saetm_plugins.tables import document_table, topic_table, write_table

    model.save(out, overwrite=overwrite)
    write_table(topic_table(model), out / "topics.csv")
    write_table(document_table(model, ids=ids), out / "documents.csv")
    print_topics(model, console)
    print_line(console, "Saved to", out)


def _saved_ids(model: Path, n_documents: int) -> pd.Series | None:
    """Return the ids that `saetm fit` wrote beside a model, where it did."""
    from saetm_plugins.tables import read_table

    documents = model / "documents.csv"
    if not documents.is_file():
        return None
    ids = read_table(documents, "id")["id"]
    return ids if len(ids) == n_documents else None
