"""Pictures from folders, paths, PIL and arrays, decoded a batch at a time and never all at once.

Pillow decodes; what it leaves to the caller is done here: transparency, 16 bit, orientation.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".jp2", ".ppm", ".pgm", ".avif"),
)
"""Endings of the files of a folder that are taken for pictures."""
LARGEST_SIDE = 1024
"""Pixels; larger pictures are read smaller, as encoders look at a few hundred."""
_PICTURES = "paths, PIL images or arrays"
_OVERSHOOT = 1.5  # of floats from 0 to 1, after a resampling
_NAMED = 3  # files that could not be read, in a warning
_FINGERPRINTED = 64  # arrays and PIL images in a checksum


class UnreadableImage(ValueError):
    """A picture that is there and cannot be decoded."""


class Images(Sequence):
    """Pictures in an order, each decoded when it is asked for.

    `items` are paths, PIL images or arrays; `names` is what messages and tables call them, and
    `source` says where they come from: the folder, or how many there are.
    """

    def __init__(self, items: Sequence[Any], names: Sequence[str], source: str) -> None:
        self.items, self.names, self.source = items, names, source

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, row: Any) -> Any:
        """Return one picture as an RGB image of Pillow's, or some of them as Images."""
        if isinstance(row, slice) or np.ndim(row):
            rows = np.arange(len(self))[row].tolist()
            return Images([self.items[i] for i in rows], [self.names[i] for i in rows], self.source)
        return self.read(range(len(self))[row])

    def read(self, row: int, largest_side: int | None = None) -> Image:
        """Decode one picture: upright, in RGB, over white where it is transparent.

        One with more than `largest_side` pixels a side is made to fit in them. One that is
        truncated or of no known format is an :class:`UnreadableImage`.
        """
        return read_image(self.items[row], self.names[row], largest_side)

    def fingerprint(self) -> str:
        """Return a checksum of the names and sizes of files, and of some of the other pictures."""
        checksum = hashlib.sha256()
        step = max(1, len(self) // _FINGERPRINTED)
        for row, name in enumerate(self.names):
            checksum.update(name.encode(errors="surrogatepass") + b"\0")
            item = self.items[row] if row % step == 0 or isinstance(self.items, list) else None
            if isinstance(item, str | os.PathLike):
                checksum.update(str(os.stat(item).st_size).encode())
            elif item is not None and row % step == 0:
                checksum.update(np.ascontiguousarray(self.read(row)).tobytes())
        return checksum.hexdigest()


def open_images(images: Any, *, name: str = "images") -> Images:
    """Return pictures as :class:`Images`, not decoded; of files the header is read.

    Parameters
    ----------
    images : path of a folder, or sequence of paths, PIL images or arrays
        A folder is searched with all folders in it, in the order of names. Arrays are (h, w),
        (h, w, 3) or (h, w, 4), of uint8, uint16, or floats from 0 to 1, or one array of several
        of them. Of a sequence that decodes on access (a column of Hugging Face ``datasets``) a
        batch is read at a time.
    name : str, default="images"
        Named in errors.
    """
    if isinstance(images, Images):
        return images
    if isinstance(images, str | os.PathLike):
        return _open_folder(Path(images), name)
    is_one = isinstance(images, np.ndarray) and (
        images.ndim not in (3, 4) or (images.ndim == 3 and images.shape[2] in (3, 4))
    )
    if is_one or isinstance(images, Mapping | Set | bytes) or not isinstance(images, Iterable):
        found = f"one array of shape {images.shape}" if is_one else type(images).__name__
        raise TypeError(f"{name} must be a folder or a list of {_PICTURES}; found {found}")
    decodes_on_access = hasattr(images, "__getitem__") and hasattr(images, "__len__")
    if not decodes_on_access or hasattr(images, "iloc"):  # an iterator, a Series of pandas
        images = list(images)
    if len(images) == 0:
        raise ValueError(f"{name} is empty")
    names = [f"{name}[{row}]" for row in range(len(images))]
    if isinstance(images, list | tuple):
        for row, item in enumerate(images):
            if isinstance(item, str | os.PathLike):
                names[row] = str(item)
            _look_at(item, names[row], f"{name}[{row}]")
    return Images(images, names, f"{len(images)} pictures")


def holds_images(folder: Path) -> bool:
    """Return whether a folder, or one in it, holds files with a suffix of pictures."""
    return next(_image_files(folder), None) is not None


def read_image(item: Any, name: str = "image", largest_side: int | None = None) -> Image:
    """Decode one picture, see :meth:`Images.read`."""
    from PIL import Image, ImageOps

    if isinstance(item, np.ndarray):
        picture = _from_array(item, name)
    elif isinstance(item, str | os.PathLike):
        with _opened(item, name) as opened:
            _check_size(opened.size, name)
            if largest_side is not None and max(opened.size) > largest_side:
                opened.draft(None, (largest_side, largest_side))  # of a JPEG: decodes fewer pixels
            picture = _decoded(opened, name)
    elif isinstance(item, Image.Image):
        picture = _decoded(item, name)
    else:
        raise TypeError(f"{name} must be a path, a PIL image or an array; found {item!r:.80}")
    picture = _as_rgb(ImageOps.exif_transpose(picture))
    if largest_side is not None and max(picture.size) > largest_side:
        picture.thumbnail((largest_side, largest_side))
    return picture


class ImageBatch(NamedTuple):
    """Consecutive pictures."""

    rows: list[int]
    """The numbers of those that were decoded."""
    pictures: list[Any]
    unreadable: list[int]
    """The numbers of the others."""


def iterate_batches(
    images: Images, batch_size: int, *, start: int = 0, largest_side: int | None = LARGEST_SIDE
) -> Iterator[ImageBatch]:
    """Decode pictures in batches from `start` on, the next while the caller works on the last."""

    def decode(first: int) -> ImageBatch:
        batch = ImageBatch([], [], [])
        for row in range(first, min(first + batch_size, len(images))):
            try:
                batch.pictures.append(images.read(row, largest_side))
                batch.rows.append(row)
            except UnreadableImage:
                batch.unreadable.append(row)
        return batch

    with ThreadPoolExecutor(1, thread_name_prefix="saetm-images") as reader:
        ahead = reader.submit(decode, start)
        for first in range(start, len(images), batch_size):
            batch = ahead.result()
            ahead = reader.submit(decode, first + batch_size)
            yield batch


def warn_of_unreadable(
    images: Images, unreadable: Sequence[int] | np.ndarray, *, stacklevel: int = 3
) -> None:
    """Warn of the pictures that could not be decoded, by name."""
    if n := len(unreadable):
        named = ", ".join(images.names[row] for row in unreadable[:_NAMED])
        more = f" and {n - _NAMED} more" if n > _NAMED else ""
        message = f"{n} of {len(images)} images cannot be read and are left out: {named}{more}"
        warnings.warn(message, UserWarning, stacklevel=stacklevel)


def _open_folder(folder: Path, name: str) -> Images:
    if not os.path.exists(folder):  # also where the name is too long, or holds a null byte
        raise FileNotFoundError(f"{name}: no folder {str(folder)!r}")
    if not folder.is_dir():
        raise TypeError(f"{name} must be a folder or a list of {_PICTURES}; found a file")
    files = sorted(_image_files(folder))
    if not files:
        known = ", ".join(SUFFIXES)
        raise ValueError(f"{name}: folder {str(folder)!r} holds no pictures ({known})")
    names = [file.relative_to(folder).as_posix() for file in files]
    for file, called in zip(files, names, strict=True):
        _look_at(file, called, name)
    return Images(files, names, str(folder.resolve()))


def _image_files(folder: Path) -> Iterator[Path]:
    """Yield the pictures of a folder; names that begin with a dot are the system's."""
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for file in files:
            if file.lower().endswith(SUFFIXES) and not file.startswith("."):
                yield Path(path, file)


def _look_at(item: Any, name: str, argument: str) -> None:
    """Refuse before the work what is no picture, missing or too large; decode nothing."""
    from PIL import Image

    if isinstance(item, np.ndarray):
        _check_array(item, name)
    elif isinstance(item, str | os.PathLike):
        if not os.path.isfile(item):
            raise FileNotFoundError(f"{argument}: no picture {str(item)!r:.200}")
        try:
            with _opened(item, name) as opened:
                _check_size(opened.size, name)
        except UnreadableImage:
            pass  # left out, with a warning, when it is decoded
    elif not isinstance(item, Image.Image):
        found = type(item).__name__
        raise TypeError(f"{name} must be a path, a PIL image or an array; found {found}")


def _opened(item: Any, name: str) -> Image:
    """Read the header of a file."""
    from PIL import Image

    try:
        return Image.open(item)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{name}: {error}; {_HOW_TO_RAISE}") from error
    except FileNotFoundError:
        raise
    except Exception as error:  # each of Pillow's formats has errors of its own
        raise UnreadableImage(f"{name} cannot be read: {error}") from error


_HOW_TO_RAISE = (
    "such a file may be made to fill the memory; make the picture smaller, or raise "
    "PIL.Image.MAX_IMAGE_PIXELS if you trust it"
)


def _check_size(size: tuple[int, int], name: str) -> None:
    from PIL import Image

    most = Image.MAX_IMAGE_PIXELS
    if most is not None and size[0] * size[1] > most:
        raise ValueError(
            f"{name} has {size[0]} × {size[1]} pixels, more than Pillow's limit of {most:,}; "
            + _HOW_TO_RAISE
        )


def _decoded(opened: Image, name: str) -> Image:
    """Decode the first frame."""
    try:
        if getattr(opened, "is_animated", False):
            opened.seek(0)
        opened.load()
        return opened.copy()
    except Exception as error:  # each of Pillow's formats has errors of its own
        raise UnreadableImage(f"{name} cannot be read: {error}") from error


def _as_rgb(picture: Image) -> Image:
    from PIL import Image

    if picture.mode.startswith("I") or picture.mode == "F":  # 16 and 32 bit
        picture = _from_array(np.asarray(picture), "image", is_deep=True)
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        above = picture.convert("RGBA")
        white = Image.new("RGBA", above.size, "white")
        picture = Image.alpha_composite(white, above)
    return picture.convert("RGB")


def _check_array(pixels: np.ndarray, name: str) -> None:
    if np.ma.is_masked(pixels):
        raise ValueError(f"{name} is a masked array with entries masked; fill or leave them out")
    shape = pixels.shape
    if not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))) or 0 in shape:
        raise ValueError(f"{name} must be (h, w), (h, w, 3) or (h, w, 4); found shape {shape}")
    if pixels.dtype.kind not in "uif" and pixels.dtype != bool:
        raise TypeError(f"{name} must hold numbers; found dtype {pixels.dtype}")


def _from_array(pixels: np.ndarray, name: str, *, is_deep: bool = False) -> Image:
    """Return an array as an 8-bit picture; `is_deep`: of 16 or 32 bits, up to 65,535."""
    from PIL import Image

    _check_array(pixels, name)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.dtype == bool:
        scaled = pixels * np.uint8(255)
    elif pixels.dtype.kind == "f":
        if not np.isfinite(pixels).all():
            raise UnreadableImage(f"{name} holds NaN or infinity")
        most = max(1.0, float(pixels.max()))
        if most > _OVERSHOOT and not is_deep:
            raise ValueError(f"{name} must hold floats from 0 to 1; found {most:g}")
        scaled = np.clip(pixels * (255 / most if is_deep else 255), 0, 255)
    elif pixels.dtype == np.uint8:
        scaled = pixels
    elif pixels.dtype == np.uint16 or is_deep:
        scaled = np.clip(pixels / 257, 0, 255)
    else:
        scaled = np.clip(pixels, 0, 255)
    return Image.fromarray(np.ascontiguousarray(scaled.astype(np.uint8)))
