"""Pictures to embeddings: by sentence-transformers' CLIP and SigLIP models or any other encoder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saetm_plugins.corpus.embed import DTYPES, claim_folder, save_shard
from saetm_plugins.corpus.encoders import load_encoder
from saetm_plugins.corpus.images.reading import (
    Images,
    iterate_batches,
    open_images,
    warn_of_unreadable,
)
from saetm_plugins.files.folders import read_json, write_json
from saetm_plugins.files.shards import open_shard
from saetm_plugins.numerics.progress import progress_bar
from saetm_plugins.validation import check_choice, check_count, check_embeddings, check_path

DEFAULT_IMAGE_ENCODER = "sentence-transformers/clip-ViT-B-32"
_UNREADABLE = "unreadable.json"


class EncodedImages(NamedTuple):
    """What :func:`encode_images` returns."""

    embeddings: np.ndarray
    """Of shape (n, d), float32; rows of unreadable pictures are zero."""
    unreadable: np.ndarray
    """Which pictures could not be decoded, (n,) bool."""


def load_image_encoder(encoder: Any = None, device: str | None = None) -> Any:
    """Turn an encoder's name into the encoder of pictures.

    Parameters
    ----------
    encoder : str, object with ``encode(list of PIL images)``, or None
        The name or folder of a model of sentence-transformers that embeds pictures, such as
        "clip-ViT-B-32" or "google/siglip-base-patch16-224"; None means the first of these.
    device : str, optional
        Torch device, handed to sentence-transformers.
    """
    loaded = load_encoder(DEFAULT_IMAGE_ENCODER if encoder is None else encoder, device)
    modalities = getattr(loaded, "modalities", None)
    if _is_sentence_transformer(loaded) and modalities and "image" not in modalities:
        raise TypeError(
            f"encoder must embed images; {encoder if isinstance(encoder, str) else 'this one'} "
            f"embeds {', '.join(modalities)} alone: name a CLIP or SigLIP model, or pass "
            "embeddings="
        )
    return loaded


def encode_images(
    encoder: Any, images: Any, *, batch_size: int = 32, verbose: bool = False
) -> EncodedImages:
    """Embed pictures, decoding one batch while the encoder works on another.

    Parameters
    ----------
    encoder : str or object with ``encode(list of PIL images)``
        As of :func:`load_image_encoder`; gets RGB images.
    images : folder, or sequence of paths, PIL images or arrays
        As of :func:`open_images`.
    batch_size : int, default=32
        Pictures the encoder gets at a time.
    verbose : bool, default=False
        Show a progress bar.

    Returns
    -------
    EncodedImages
        A warning names the pictures that could not be decoded.
    """
    batch_size = check_count(batch_size, "batch_size")
    images = open_images(images)
    encoder = load_image_encoder(encoder)
    encoded = np.zeros((len(images), 0), dtype=np.float32)
    unreadable = np.zeros(len(images), dtype=bool)
    with _progress(images, verbose) as progress:
        for rows, vectors, missing in _encode_batches(encoder, images, batch_size, progress):
            unreadable[missing] = True
            if encoded.shape[1] == 0:
                encoded = np.zeros((len(images), vectors.shape[1]), dtype=np.float32)
            if rows:
                encoded[rows] = vectors
    _warn_of(images, unreadable)
    return EncodedImages(encoded, unreadable)


def embed_images(
    images: Any,
    out: str | os.PathLike[str],
    encoder: Any = DEFAULT_IMAGE_ENCODER,
    *,
    shard_size: int = 10_000,
    batch_size: int = 32,
    dtype: str = "float16",
    verbose: bool = True,
) -> Path:
    """Embed pictures into a folder of ``.npy`` shards, without holding all of them in memory.

    An interrupted call goes on with the first missing shard. :func:`train_sae` and
    ``fit(images=images, embeddings=folder)`` read the folder.

    Parameters
    ----------
    images : folder, or sequence of paths, PIL images or arrays
        As of :func:`open_images`.
    out : path
        The folder; made if need be.
    encoder : str or object with ``encode(list of PIL images)``
        As of :func:`load_image_encoder`.
    shard_size : int, default=10_000
        Pictures in a shard; those that cannot be decoded have no row in it, and are listed in
        ``unreadable.json``.
    batch_size : int, default=32
        Pictures the encoder gets at a time.
    dtype : {"float16", "float32"}
        Of the shards.
    verbose : bool, default=True
        Show a progress bar.

    Returns
    -------
    Path
        The folder.
    """
    shard_size = check_count(shard_size, "shard_size")
    batch_size = check_count(batch_size, "batch_size")
    check_choice(dtype, "dtype", DTYPES)
    images, out = open_images(images), check_path(out, "out")
    name = encoder if isinstance(encoder, str) else type(encoder).__name__
    facts = {**_facts(images), "encoder": name, "shard_size": shard_size, "dtype": dtype}
    out.mkdir(parents=True, exist_ok=True)
    claim_folder(out, facts)
    missing = _read_unreadable(out)
    model = None
    with _progress(images, verbose) as progress:
        for number, start in enumerate(range(0, len(images), shard_size)):
            target = _shard(out, number)
            part = images[start : start + shard_size]
            if target.exists() or len(missing.get(str(number), ())) == len(part):
                progress.update(len(part))
                continue
            model = load_image_encoder(encoder) if model is None else model
            found = list(_encode_batches(model, part, batch_size, progress))
            # The list is written first: an interrupted call then goes on with this shard.
            missing[str(number)] = [row for _, _, rows in found for row in rows]
            write_json(out / _UNREADABLE, missing)
            rows = [vectors for _, vectors, _ in found if len(vectors)]
            if rows:
                save_shard(target, rows, dtype)
    _warn_of(images, _unreadable_rows(images, missing, shard_size))
    return out


def read_embedded_images(images: Any, folder: str | os.PathLike[str]) -> EncodedImages:
    """Read the shards that :func:`embed_images` wrote of these pictures."""
    images, folder = open_images(images), Path(folder)
    manifest, place = folder / "manifest.json", f"embeddings: folder {str(folder)!r}"
    if not manifest.is_file():
        raise FileNotFoundError(f"{place} holds no shards of embed_images")
    facts = read_json(manifest)
    other = [key for key, value in _facts(images).items() if facts.get(key) != value]
    if other:
        raise ValueError(f"{place} holds shards of other images ({', '.join(other)} differ)")
    size = check_count(facts.get("shard_size"), "the manifest's shard_size")
    missing = _read_unreadable(folder)
    unreadable = _unreadable_rows(images, missing, size)
    shards = [
        _shard(folder, number)
        for number, start in enumerate(range(0, len(images), size))
        if not unreadable[start : start + size].all()
    ]
    if not all(shard.exists() for shard in shards):
        raise ValueError(f"{place} is not complete; call embed_images again, which goes on")
    _warn_of(images, unreadable)
    opened = [open_shard(shard) for shard in shards]
    rows = check_embeddings(np.concatenate([each.read(0, each.n_documents) for each in opened]))
    if len(rows) != (~unreadable).sum():
        raise ValueError(f"{place} holds {len(rows)} rows for {(~unreadable).sum()} images")
    encoded = np.zeros((len(images), rows.shape[1]), dtype=np.float32)
    encoded[~unreadable] = rows
    return EncodedImages(encoded, unreadable)


def _progress(images: Images, verbose: bool) -> Any:
    return progress_bar(total=len(images), desc="Embedding", unit="image", disable=not verbose)


def _encode_batches(
    encoder: Any, images: Images, batch_size: int, progress: Any
) -> Iterator[tuple[list[int], np.ndarray, list[int]]]:
    """Yield rows, their embeddings, and the rows of pictures that cannot be decoded."""
    is_first = True
    for batch in iterate_batches(images, batch_size):
        vectors = np.zeros((0, 0), dtype=np.float32)
        if batch.rows:
            vectors = _encode(encoder, batch.pictures, is_first)
            is_first = False
        progress.update(len(batch.rows) + len(batch.unreadable))
        yield batch.rows, vectors, batch.unreadable


def _encode(encoder: Any, pictures: list[Any], is_first: bool) -> np.ndarray:
    options: dict[str, Any] = {}
    if _is_sentence_transformer(encoder):
        options = {"batch_size": len(pictures), "show_progress_bar": False}
    try:
        vectors = encoder.encode(pictures, **options)
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        if not is_first:
            raise
        raise TypeError(
            f"encoder must have an encode(list of PIL images) method; {type(encoder).__name__} "
            f"raises: {error}"
        ) from error
    return check_embeddings(vectors, name="the encoder's output", n_rows=len(pictures))


def _is_sentence_transformer(encoder: Any) -> bool:
    sentence_transformers = sys.modules.get("sentence_transformers")
    return sentence_transformers is not None and isinstance(
        encoder, sentence_transformers.SentenceTransformer
    )


def _warn_of(images: Images, unreadable: np.ndarray) -> None:
    if unreadable.all():
        raise ValueError(f"images: none of {len(images)} can be read, such as {images.names[0]}")
    warn_of_unreadable(images, np.flatnonzero(unreadable), stacklevel=4)


def _facts(images: Images) -> dict[str, Any]:
    return {"images": images.source, "n_images": len(images), "checksum": images.fingerprint()}


def _shard(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:05d}.npy"


def _read_unreadable(folder: Path) -> dict[str, list[int]]:
    """Return the rows within each shard's pictures that could not be decoded."""
    file = folder / _UNREADABLE
    return dict(read_json(file)) if file.exists() else {}


def _unreadable_rows(images: Images, missing: dict[str, list[int]], size: int) -> np.ndarray:
    unreadable = np.zeros(len(images), dtype=bool)
    for number, rows in missing.items():
        unreadable[[int(number) * size + row for row in rows]] = True
    return unreadable
