"""Words for pictures, from whatever describes them: a captioner, or a classifier's labels.

What the paper does with a vision-language model (sec. 5, images): the captions are the documents'
texts. Without captions, see :mod:`saetm_plugins.images.words`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from saetm_plugins.corpus.images.reading import (
    Images,
    iterate_batches,
    open_images,
    warn_of_unreadable,
)
from saetm_plugins.numerics.progress import progress_bar
from saetm_plugins.validation import as_list, check_count, check_text

_TASKS = ("image-to-text", "image-text-to-text", "image-classification")


def caption_images(
    images: Any,
    captioner: Any,
    *,
    out: str | os.PathLike[str] | None = None,
    batch_size: int = 16,
    prompt: str = "",
    device: str | None = None,
    verbose: bool = True,
) -> list[str]:
    """Describe pictures in words, batch by batch; a call that was interrupted can go on.

    Parameters
    ----------
    images : folder, or sequence of paths, PIL images or arrays
        As of :func:`open_images`.
    captioner : callable, transformers pipeline, or str
        A callable gets a list of RGB images and returns a text each, or the labels of each; a
        pipeline is of the task "image-to-text", "image-text-to-text" or "image-classification",
        whose labels are the caption; a str names the model of one.
    out : path, optional
        A file of JSON lines to which captions are added as they come; pictures that have one there
        are not described again.
    batch_size : int, default=16
        Pictures the captioner gets at a time.
    prompt : str, default=""
        Put to a pipeline of the task "image-text-to-text".
    device : str, optional
        Torch device of a model named by a str.
    verbose : bool, default=True
        Show a progress bar.

    Returns
    -------
    list of str, length n
        "" for a picture that cannot be decoded; a warning names those.
    """
    batch_size = check_count(batch_size, "batch_size")
    images = open_images(images)
    describe = _as_callable(captioner, prompt, device)
    file = None if out is None else Path(out)
    captions = [] if file is None else _read_captions(file, images)
    unreadable: list[int] = []
    progress = progress_bar(
        total=len(images), initial=len(captions), desc="Captions", unit="image", disable=not verbose
    )
    with progress:
        for batch in iterate_batches(images, batch_size, start=len(captions)):
            texts = _texts(describe(batch.pictures), len(batch.pictures)) if batch.rows else []
            found = dict(zip(batch.rows, texts, strict=True))
            rows = range(len(captions), len(captions) + len(batch.rows) + len(batch.unreadable))
            unreadable += batch.unreadable
            captions += [found.get(row, "") for row in rows]
            if file is not None:
                _append(file, [(images.names[row], captions[row]) for row in rows])
            progress.update(len(rows))
    warn_of_unreadable(images, unreadable)
    return captions


def _as_callable(captioner: Any, prompt: str, device: str | None) -> Any:
    if isinstance(captioner, str):
        try:
            from transformers import pipeline, pipelines
        except ImportError as error:
            raise ImportError(
                "a captioner given by name needs pip install 'saetm-plugins[images]'"
            ) from error
        known: Any = next(task for task in _TASKS if task in pipelines.SUPPORTED_TASKS)
        captioner = pipeline(known, model=captioner, device=device)
    task = getattr(captioner, "task", None)
    if task is not None and hasattr(captioner, "model"):  # a pipeline of transformers
        if task not in _TASKS:
            raise ValueError(f"captioner must be a pipeline of {', '.join(_TASKS)}; found {task!r}")
        if task == "image-text-to-text":
            return lambda pictures: captioner(images=pictures, text=[prompt] * len(pictures))
    if not callable(captioner):
        found = type(captioner).__name__
        raise TypeError(f"captioner must be a callable, a pipeline or a name; found {found}")
    return captioner


def _texts(outputs: Any, n_pictures: int) -> list[str]:
    """Return one text per picture from what captioners and pipelines return."""
    if isinstance(outputs, Mapping):
        raise TypeError(f"captioner must return a list of texts; found {outputs!r:.80}")
    outputs = as_list(outputs, "captioner's answer", "texts")
    if len(outputs) != n_pictures:
        raise ValueError(f"captioner returned {len(outputs)} texts for {n_pictures} images")
    return [check_text(_text(output), "captioner's text") for output in outputs]


def _text(output: Any) -> Any:
    if isinstance(output, Mapping):
        output = output.get("generated_text", output.get("label"))
    is_listed = isinstance(output, Sequence) or (isinstance(output, np.ndarray) and output.ndim > 0)
    if is_listed and not isinstance(output, str):
        return ", ".join(str(_text(part)) for part in output)
    return output


def _read_captions(file: Path, images: Images) -> list[str]:
    """Return the captions that a file holds already; a line that is cut off is removed."""
    if not file.exists():
        return []
    complete, _, cut_off = file.read_bytes().rpartition(b"\n")
    captions = []
    for row, line in enumerate(complete.splitlines()):
        try:
            entry = json.loads(line)
            name, caption = entry["image"], check_text(entry["caption"], "caption")
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"out {str(file)!r}, line {row + 1}, is no caption: {error}") from None
        if row >= len(images) or name != images.names[row]:
            raise ValueError(f"out {str(file)!r} holds captions of other images: {name!r}")
        captions.append(caption)
    if cut_off:
        with file.open("rb+") as stream:
            stream.truncate(len(complete) + 1 if captions else 0)
    return captions


def _append(file: Path, entries: list[tuple[str, str]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as stream:
        for name, text in entries:
            line = json.dumps({"image": name, "caption": text}, ensure_ascii=False)
            stream.write(f"{line}\n")
