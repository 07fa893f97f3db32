"""Images as BERTopic's representation models take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp

from saetm_plugins.corpus.images.reading import open_images


def list_images(images: Any, doc_atoms: sp.csr_matrix) -> list[Any] | None:
    """Return pictures as BERTopic's own parts open them: paths as str, or PIL images.

    A white one stands for a picture that could not be decoded, which has no atoms.
    """
    if images is None:
        return None
    from PIL import Image

    pictures = open_images(images)
    if len(pictures) != doc_atoms.shape[0]:
        raise ValueError(f"images holds {len(pictures)}; the model knows {doc_atoms.shape[0]}")
    listed = []
    for row, item in enumerate(pictures.items):
        if doc_atoms.indptr[row] == doc_atoms.indptr[row + 1]:
            item = Image.new("RGB", (32, 32), "white")
        elif isinstance(item, np.ndarray):
            item = pictures.read(row)
        listed.append(item if isinstance(item, Image.Image) else str(item))
    return listed


def visual_aspects(asked: Any) -> Mapping[str, Any]:
    """Return those of BERTopic's ``representation_model`` that show images, by their aspects."""
    from bertopic import representation

    visual: Any = getattr(representation, "VisualRepresentation", None)
    if not isinstance(visual, type):  # Pillow is not installed
        return {}
    if isinstance(asked, visual):
        return {"Visual_Aspect": asked}
    aspects = asked.items() if isinstance(asked, Mapping) else ()
    return {name: model for name, model in aspects if isinstance(model, visual)}
