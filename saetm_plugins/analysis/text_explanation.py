"""What a text is about with no corpus at all: the atoms that ship with the package have words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from saetm_plugins.atom_choice import SHARPENING_OF_FOUNDATION
from saetm_plugins.atom_model import document_mixtures
from saetm_plugins.atoms.foundation import atom_descriptions, load_foundation, unexplained
from saetm_plugins.documents import find_blank
from saetm_plugins.text import load_encoder, read_texts
from saetm_plugins.validation import check_count, check_text

_SHOWN = 0.005  # of a text: atoms below that are left out, the last of many
_FOREIGN = 0.8  # of the variance unexplained


def explain_text(text: str, n_words: int = 8, *, embedding: Any = None) -> pd.DataFrame:
    """Return the atoms of a text, heaviest first, out of those that ship with the package.

    Nothing is fitted. A text longer than the encoder reads is read in passages.

    Parameters
    ----------
    text : str
    n_words : int, default=8
        Words of each atom.
    embedding : array-like of shape (384,), optional
        That of the text by all-MiniLM-L6-v2; None encodes it.

    Returns
    -------
    DataFrame
        A row an atom: ``atom``; ``share`` of the text, at least half a per cent; ``words`` that are
        typical of it in the texts it was trained on; ``sentence``, one of those that activate it
        most ("" where there is none).

    Raises
    ------
    TypeError, ValueError
        When `text` is no text or blank, or `embedding` is not of the default encoder.
    """
    check_text(text, "text")
    n_words = check_count(n_words, "n_words")
    if find_blank([text], 1)[0]:
        raise ValueError(f"text is blank: {text!r:.80}")
    sae = load_foundation()
    given = None if embedding is None else np.atleast_2d(embedding)
    read = read_texts([text], given, load_encoder, None if given is not None else "auto",
                      width=sae.n_features)  # fmt: skip
    if given is not None and unexplained(sae, read.embeddings, centre=sae.mean_) > _FOREIGN:
        raise ValueError(f"embedding is not by {sae.encoder_name}: the atoms do not explain it")
    mixture = read.whole(document_mixtures(sae, read.embeddings, SHARPENING_OF_FOUNDATION)[0])
    order = np.argsort(-mixture.data, kind="stable")
    order = order[mixture.data[order] >= _SHOWN]
    told = [atom_descriptions()[atom] for atom in mixture.indices[order]]
    return pd.DataFrame(
        {
            "atom": mixture.indices[order],
            "share": mixture.data[order],
            "words": [", ".join(each.words[:n_words]) for each in told],
            "sentence": [each.sentences[0] if each.sentences else "" for each in told],
        }
    )
