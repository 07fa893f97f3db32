"""Commands that embed texts and train sparse autoencoders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from saetm_plugins.cli import library
from saetm_plugins.cli.console import print_line
from saetm_plugins.cli.images import open_picture_folder
from saetm_plugins.cli.options import Format, Overwrite, TextColumn, Texts, expand_options
from saetm_plugins.cli.shared import check_model_folder, console


@expand_options
def embed(
    file: Texts,
    out: Annotated[Path, typer.Option(help="Folder for the shards; goes on where it stopped.")],
    text_column: TextColumn = "text",
    encoder: Annotated[
        str | None,
        typer.Option(
            help="A sentence-transformers name or folder; by default all-MiniLM-L6-v2, for "
            "pictures clip-ViT-B-32."
        ),
    ] = None,
    shard_size: Annotated[
        int | None, typer.Option(help="Texts in a shard: 50,000; pictures: 10,000.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Texts the encoder gets at a time: 64; pictures: 32.")
    ] = None,
    *,
    form: Format,
) -> None:
    """Embed the texts of a file, or a folder of pictures, into shards that train-sae reads."""
    given = {"encoder": encoder, "shard_size": shard_size, "batch_size": batch_size}
    options: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    images = open_picture_folder(file)
    if images is not None:
        library.images.embed_images(images, out, **options)
    else:
        library.embed.embed_file(file, out, text_column=text_column, **form.reading(), **options)
    print_line(console, "Saved to", out)


def train_sae(
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
    # The other options are arguments of train_sae.
    flags = dict(locals())
    for name in ("embeddings", "out", "config", "overwrite"):
        del flags[name]

    check_model_folder(out, "sparse-autoencoder", overwrite)
    sae = library.train.train_sae_from_config(embeddings, config, flags)
    if int(os.environ.get("RANK", "0")) == 0:
        sae.save_pretrained(out, overwrite=overwrite)
        print_line(console, repr(sae), sae.statistics_)
        print_line(console, "Saved to", out)
