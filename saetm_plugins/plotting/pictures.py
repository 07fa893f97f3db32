"""Small pictures for pages: thumbnails as data URIs."""

from __future__ import annotations

import base64
import io
from typing import Any

from saetm_plugins.images.reading import read_image

THUMBNAIL = 96  # pixels


def data_uri(image: Any, size: int = THUMBNAIL) -> str:
    """Return a picture as a small JPEG in a data URI.

    Parameters
    ----------
    image : path, PIL image, or array
        As of :func:`saetm_plugins.images.open_images`.
    size : int, default=96
        Pixels of its longer side at most.

    Raises
    ------
    TypeError, ValueError
        When it is none of these, or cannot be decoded.
    """
    picture = read_image(image, largest_side=size)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
