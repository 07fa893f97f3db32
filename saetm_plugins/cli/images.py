"""Folders of pictures given instead of files of texts, and the command that draws their topics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import saetm_plugins
from saetm_plugins.cli import library
from saetm_plugins.cli.console import print_line
from saetm_plugins.cli.options import Model, Overwrite
from saetm_plugins.cli.shared import console, load_embeddings, refuse_existing

if TYPE_CHECKING:
    from saetm_plugins.corpus.images import Images

Captions = Annotated[
    Path | None,
    typer.Option(
        help="Of pictures: a table with columns image and caption. With --captioner it is made, "
        "or gone on with, as .jsonl."
    ),
]
Captioner = Annotated[
    str | None, typer.Option(help="Of pictures: a transformers model that captions them.")
]
Vocabulary = Annotated[
    Path | None,
    typer.Option(help="Of pictures: a file with a word a line, for an encoder of both, as CLIP."),
]
Pictures = Annotated[
    Path, typer.Argument(help="The folder of the model's pictures.", show_default=False)
]


def open_picture_folder(file: Path) -> Images | None:
    """Return the pictures of a folder; None for a file, and for a folder with .txt files."""
    if not file.is_dir() or next(file.rglob("*.txt"), None) is not None:
        return None
    if not library.images.reading.holds_images(file):
        raise ValueError(f"folder {str(file)!r} holds neither pictures nor .txt files")
    return library.images.open_images(file)


def picture_embeddings(file: Path | None) -> Any:
    """Return the path of a folder of shards, or the rows of a .npy file, as ``fit`` takes them."""
    return file if file is not None and file.is_dir() else load_embeddings(file)


def read_picture_embeddings(images: Images, file: Path | None) -> Any:
    """Return the embeddings of pictures, from a folder of shards or a .npy file."""
    if file is not None and file.is_dir():
        return library.images.encoding.read_embedded_images(images, file).embeddings
    return load_embeddings(file)


def words_of_pictures(
    images: Images, captions: Path | None, captioner: str | None, vocabulary: Path | None
) -> dict[str, Any]:
    """Return the arguments of ``fit`` that give pictures their words."""
    if captioner is not None:
        return {"documents": library.images.caption_images(images, captioner, out=captions)}
    if captions is not None:
        return {"documents": _read_captions(captions, images)}
    if vocabulary is not None:
        lines = vocabulary.read_text(encoding="utf-8").splitlines()
        return {"vocabulary": list(dict.fromkeys(line.strip() for line in lines if line.strip()))}
    return {}


def _read_captions(file: Path, images: Images) -> list[str]:
    table = library.tables.read_table(file, "caption", id_column="image")
    captions = dict(zip(table["image"].astype(str), table["caption"], strict=True))
    missing = [name for name in images.names if name not in captions]
    if missing:
        raise ValueError(
            f"captions {str(file)!r} lacks {len(missing)} of {len(images)} pictures, such as "
            f"{missing[0]!r}"
        )
    return [captions[name] for name in images.names]


def image_sheet(
    model: Model,
    pictures: Pictures,
    out: Annotated[Path, typer.Option(help="The sheet: .png or .html.")] = Path("topics.png"),
    level: Annotated[str, typer.Option(help="topics or atoms.")] = "topics",
    n_images: Annotated[int, typer.Option(help="Pictures in a row.")] = 10,
    n_words: Annotated[int, typer.Option(help="Words of a row.")] = 6,
    size: Annotated[int, typer.Option(help="Pixels of a picture's side.")] = 96,
    overwrite: Overwrite = False,
) -> None:
    """Write a sheet of typical pictures: a row for each topic, with its words, size and share."""
    refuse_existing(out, overwrite)
    library.plotting.image_sheet(
        saetm_plugins.SAETopicModel.load(model),
        pictures,
        out,
        level=level,
        n_images=n_images,
        n_words=n_words,
        size=size,
        overwrite=overwrite,
    )
    print_line(console, "Saved to", out)
