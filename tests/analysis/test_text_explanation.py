"""A text explained by the atoms that ship with the package, its embedding known."""

import numpy as np
import pytest

from saetm_plugins.analysis import explain_text
from saetm_plugins.atoms.foundation import atom_descriptions, load_foundation


def embedding_of(atoms, weights):
    sae = load_foundation()
    mixed = np.asarray(weights) @ sae.decoder_[atoms]
    return sae.mean_ + mixed / np.linalg.norm(mixed)


def test_the_heaviest_atom_of_a_text_comes_first():
    found = explain_text("a text", 5, embedding=embedding_of([40, 300], [1.0, 0.6]))
    assert found.columns.tolist() == ["atom", "share", "words", "sentence"]
    assert found.loc[0, "atom"] == 40
    assert 300 in found["atom"].head(3).tolist()
    assert found["share"].is_monotonic_decreasing
    assert found["share"].sum() == pytest.approx(1, abs=0.05)
    assert found.loc[0, "words"] == ", ".join(atom_descriptions()[40].words[:5])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text": "  "}, "text is blank"),
        ({"text": "a", "embedding": np.ones(10)}, "384"),
        ({"text": "a", "embedding": np.linspace(-1, 1, 384)}, "embedding is not by"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        explain_text(**arguments)
