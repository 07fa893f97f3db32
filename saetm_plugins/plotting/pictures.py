"""Small pictures for pages: thumbnails as data URIs."""

from __future__ import annotations

import base64
import io
import os
from typing import Any

import numpy as np

THUMBNAIL = 96  # pixels


def data_uri(image: Any) -> str:
    """Return a picture as a JPEG of at most 96 × 96 pixels in a data URI.

    Parameters
    ----------
    image : path, PIL image, or array of shape (h, w), (h, w, 3) or (h, w, 4)
        Arrays of floats are taken to be between 0 and 1.

    Raises
    ------
    TypeError, OSError
        When it is none of these, or cannot be opened.
    """
    from PIL import Image

    if isinstance(image, str | os.PathLike):
        with Image.open(image) as opened:
            picture = opened.convert("RGB")
    elif isinstance(image, Image.Image):
        picture = image.convert("RGB")
    elif isinstance(image, np.ndarray):
        pixels = image if image.dtype == np.uint8 else np.clip(image * 255, 0, 255).astype(np.uint8)
        picture = Image.fromarray(pixels).convert("RGB")
    else:
        raise TypeError(
            f"images must hold paths, PIL images or arrays; found {type(image).__name__}"
        )
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
