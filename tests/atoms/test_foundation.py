"""The atoms that ship with the package: complete, of unit length, and good on texts never seen."""

import socket
from pathlib import Path

import numpy as np
import pytest

from saetm_plugins.atoms import foundation
from saetm_plugins.atoms.foundation import (
    DEFAULT_SIZE,
    atom_descriptions,
    foundation_card,
    foundation_sizes,
    load_foundation,
    unexplained,
)
from saetm_plugins.corpus import encode_texts, load_encoder
from saetm_plugins.corpus.encoders import DEFAULT_ENCODER, has_default_encoder


@pytest.fixture(scope="module")
def lee_embeddings():
    """Embed 100 news stories of gensim's Lee corpus by the encoder that the atoms are for."""
    pytest.importorskip("gensim")
    if not has_default_encoder():
        pytest.skip("the default encoder is not here")
    from gensim.test.utils import datapath

    texts = Path(datapath("lee_background.cor")).read_text(encoding="utf-8").splitlines()[:100]
    return encode_texts(load_encoder(), [text[:300] for text in texts])


@pytest.mark.parametrize("n_atoms", [None, *foundation_sizes()])
def test_every_size_loads_without_a_network(n_atoms, monkeypatch):
    monkeypatch.setattr(socket, "socket", lambda *_, **__: pytest.fail("a connection was opened"))
    load_foundation.cache_clear()
    sae = load_foundation(n_atoms)
    assert sae.n_atoms == (n_atoms or DEFAULT_SIZE)
    assert sae.n_features == 384
    assert sae.encoder_name == foundation_card()["encoder"] == DEFAULT_ENCODER
    assert load_foundation(n_atoms) is sae


def test_sizes_are_nested_with_unit_rows():
    whole = load_foundation(max(foundation_sizes()))
    np.testing.assert_allclose(np.linalg.norm(whole.decoder_, axis=1), 1, atol=1e-3)
    for size in foundation_sizes():
        np.testing.assert_array_equal(load_foundation(size).decoder_, whole.decoder_[:size])


def test_without_the_package_of_finer_atoms_its_name_is_said(monkeypatch):
    monkeypatch.setattr(foundation, "FINE", "not_installed")
    foundation._folder_of.cache_clear()
    load_foundation.cache_clear()
    with pytest.raises(ImportError, match="pip install saetm-plugins-atoms"):
        load_foundation(16384)
    assert load_foundation().n_atoms == DEFAULT_SIZE


def test_other_sizes_are_refused():
    for load in (load_foundation, atom_descriptions):
        with pytest.raises(ValueError, match="n_atoms must be one of 1024, 4096, 16384"):
            load(1000)


@pytest.mark.parametrize(("n_atoms", "worst"), [(1024, 0.48), (4096, 0.43), (16384, 0.41)])
def test_news_never_seen_are_explained_by_few_atoms(lee_embeddings, n_atoms, worst):
    sae = load_foundation(n_atoms)
    codes = sae.transform(lee_embeddings)
    assert unexplained(sae, lee_embeddings) < worst
    assert 8 < codes.nnz / len(lee_embeddings) < 32


def test_the_card_agrees_with_the_weights():
    card = foundation_card()
    assert set(card["thresholds"]) == set(card["statistics"]) == set(map(str, card["sizes"]))
    for size in card["sizes"]:
        sae, told = load_foundation(size), card["statistics"][str(size)]
        assert float(sae.thresholds_[0]) == pytest.approx(card["thresholds"][str(size)])
        assert sae.statistics_ == told
        assert 0 < told["fvu"] < 0.5
        assert 14 < told["l0"] < 18
        assert told["n_dead"] < 0.06 * size
    assert sum(row["texts"] for row in card["data"]) >= card["n_texts"] > 2_000_000
    assert all(row["licence"] and row["source"].startswith("https://") for row in card["data"])


def test_evaluation_corpora_are_not_among_the_sources():
    named = " ".join(str(row.values()).lower() for row in foundation_card()["data"])
    for kept_out in ("imdb", "dblp", "20newsgroups", "agnews", "ag_news", "bbc", "tategallery"):
        assert kept_out not in named


def test_descriptions_match_the_atoms():
    told = atom_descriptions()
    assert len(told) == load_foundation().n_atoms
    assert len(atom_descriptions(max(foundation_sizes()))) == max(foundation_sizes())
    assert sum(len(atom.words) == 10 for atom in told) > 0.95 * len(told)
    assert np.mean([bool(atom.sentences) for atom in told]) > 0.93
    assert sum(atom.share for atom in told) == pytest.approx(1, abs=1e-3)
    quotable = {row["source"] for row in foundation_card()["data"] if row["quotable"]}
    for atom in told:
        assert len(atom.sentences) == len(atom.sources)
        assert set(atom.sources) <= quotable
        assert all(len(sentence) <= 140 for sentence in atom.sentences)
    assert atom_descriptions(1024) == told[:1024]


def test_sentences_activate_their_atom(lee_embeddings):
    """The strongest atoms of an atom's first sentence hold that atom."""
    told, sae = atom_descriptions(1024), load_foundation()
    atoms = [atom for atom in range(0, 1024, 32) if told[atom].sentences]
    sentences = [told[atom].sentences[0] for atom in atoms]
    codes = sae.transform(encode_texts(load_encoder(), sentences)).toarray()
    active = [codes[row, atom] > 0 for row, atom in enumerate(atoms)]
    assert np.mean(active) > 0.9
