"""Generated input to the stages beneath the estimator: atoms, their words, merging, splitting."""

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.sparse as sp
from fuzzing import (
    BOW,
    COUNTS,
    EMBEDDINGS,
    EMISSIONS,
    FITTED,
    SAE,
    TEXTS,
    THETA,
    WORDS,
    Encoder,
    Entry,
    arguments,
    check_call,
    check_mixtures,
    clear,
    examples,
    fuzz,
)
from hypothesis import given
from strategies import Choice, Only, documents, fractions, integers, junk, rows, texts, weights

from saetm_plugins import SparseAutoencoder, train_sae
from saetm_plugins.atoms import atom_stability, match_directions, sample_ctm
from saetm_plugins.atoms.training.config import TrainingConfig
from saetm_plugins.emission import (
    fit_emissions,
    fit_emissions_blocks,
    fit_pooled_emissions,
    infer_doc_atoms,
)
from saetm_plugins.merging import make_merge
from saetm_plugins.text import Chunker, WordVectorizer, detect_languages, fine_chunker
from saetm_plugins.validation import check_embeddings

FEW_STEPS = {"n_atoms": 8, "k": 2, "n_steps": 8, "batch_size": 16}


def check_codes(codes, _):
    assert (codes.data >= 0).all()


def check_sae(sae, _):
    for array in (sae.encoder_, sae.decoder_, sae.thresholds_, sae.mean_):
        assert np.isfinite(array).all()
    if sae.n_features == EMBEDDINGS.shape[1]:
        check_codes(sae.transform(EMBEDDINGS), None)
    assert all(np.isfinite(v) for v in sae.statistics_.values() if isinstance(v, float))


def check_emissions(found, _):
    for words in (found.atom_words, found.background[None]):
        assert (words >= 0).all()
        np.testing.assert_allclose(words.sum(axis=1), 1, atol=1e-3)
    assert np.isfinite(found.log_likelihood_).all()
    assert found.background_mass >= 0


def check_float32(found, _):
    assert found.dtype == np.float32


def train(embeddings, **settings):
    return train_sae(embeddings, **FEW_STEPS | settings)


def cut(name="nmf", n_topics=3, **settings):
    merge = make_merge(name, **settings).fit(FITTED.atoms_.views(name))
    return merge.cut(n_topics).atom_topics


def blocks(first, second, **options):
    """Emissions of two blocks of documents."""
    return fit_emissions_blocks([first, second], **options)


def pooled(**options):
    """Emissions of the sums that a fitted model holds, which no user makes."""
    sums = FITTED.atoms_.sums
    return fit_pooled_emissions(
        sums.atom_words, sums.atom_pairs, sums.document_frequency, 40, **options
    )


EMISSION_OPTIONS = {
    "n_iter": 3,
    "background_weight": Choice(0.3, 0, 1e-30, 0.9999999, 5e-324),
    "word_weights": Choice("idf", None, np.ones(6), np.zeros(6), np.full(6, 1e-30)),
    "prior": Choice("auto", 0.0, 1.0, 1e-30, 1e6),
    "tol": Choice(2e-3, 0.0, 1.0),
    "device": Choice("auto", "cpu"),
    "backend": Choice("auto", "numba", "torch"),
    "random_state": 0,
}
WEIGHTS = {name: getattr(SAE, f"{name}_") for name in (
    "encoder", "encoder_bias", "decoder", "decoder_bias", "thresholds", "mean")}  # fmt: skip


@st.composite
def weights_of_atoms(draw):
    """Weights of an autoencoder, one of them changed."""
    name = draw(st.sampled_from(sorted(WEIGHTS)))
    value = np.atleast_2d(WEIGHTS[name])
    changed = draw(rows(value))
    if WEIGHTS[name].ndim == 1 and isinstance(changed, np.ndarray) and changed.ndim == 2:
        changed = changed[0] if len(changed) else changed
    return {**WEIGHTS, name: changed}


ENTRIES = {
    "embeddings": Entry(check_embeddings, {"embeddings": EMBEDDINGS}, {}, ("Complex",),
                        check_float32),
    "codes": Entry(SAE.transform, {"embeddings": EMBEDDINGS}, {"block_size": 3, "device": "cpu"},
                   ("Complex",), check_codes),
    "reconstruct": Entry(SAE.reconstruct, {"embeddings": EMBEDDINGS}, {"block_size": 3},
                         ("Complex",)),
    "prefix": Entry(SAE.prefix, {"n_atoms": integers}, {}, (), check_sae),
    "weights": Entry(
        lambda weights, **more: SparseAutoencoder(weights, **{"activation": "topk", "k": 2} | more),
        {"weights": weights_of_atoms()},
        {"activation": Choice("topk", "batch_topk", "l1", "jumprelu"), "k": 2,
         "normalization": Choice("unit", "none", "scale"), "scale": 1.0, "keep_strongest": True,
         "encoder_name": "x"},
        (), check_sae,
    ),
    "train": Entry(
        train, {"embeddings": EMBEDDINGS},
        {"n_atoms": 8, "k": 2, "n_steps": 5, "batch_size": Choice(16, 1, 40, 1000),
         "activation": Choice("batch_topk", "topk", "jumprelu", "l1"), "random_state": 0,
         "learning_rate": Choice(0.005, 1e-30, 1.0), "warmup": 0.1, "decay": 0.8,
         "expansion": Choice(1.5, 2), "resample": 0.6, "normalization": Choice("unit", "none"),
         "levels": Choice((1.0,), (0.5, 1.0), (0.25, 0.5, 1.0)), "anneal": Choice(None, 0.5),
         "sparsity": Choice(None, 0.1), "precision": Choice("auto", "float32"),
         "compile": Choice(False), "device": Choice("cpu", "auto"), "data_name": "x",
         "encoder_name": "y"},
        ("Complex", "identical", "n_atoms", "k=", "k ", "settings", "activation", "levels"),
        check_sae,
    ),
    "match_directions": Entry(match_directions, {"first": SAE.decoder_, "second": SAE.encoder_},
                              {}, ("Complex", "directions")),
    "atom_stability": Entry(atom_stability, {"sae_a": Choice(SAE), "sae_b": Choice(SAE)},
                            {"threshold": 0.5}),
    "sample_ctm": Entry(
        sample_ctm, {"n_documents": 5, "n_topics": 3, "n_features": 4},
        {"n_contributions": 5, "concentration": 0.05, "strength_shape": 1.0, "spread": 0.1,
         "noise": 0.02, "random_state": 0},
    ),
    "emissions": Entry(
        fit_emissions, {"doc_atoms": THETA, "bow": COUNTS},
        {**EMISSION_OPTIONS, "solver": Choice("em", "em", "adam")}, ("Complex", "bow"),
        check_emissions,
    ),
    "blocks": Entry(
        blocks,
        {"first": st.tuples(weights(THETA[:6]), weights(COUNTS[:6])),
         "second": Choice((THETA[6:], COUNTS[6:]))},
        EMISSION_OPTIONS, ("Complex", "doc_atoms", "bow", "blocks"), check_emissions,
    ),
    "pooled": Entry(
        pooled, {},
        {"n_iter": 3, "solver": Choice("em", "adam"),
         "background_weight": EMISSION_OPTIONS["background_weight"]},
        ("Complex",), check_emissions,
    ),
    "inference": Entry(
        infer_doc_atoms, {"bow": COUNTS, "emissions": Choice(EMISSIONS)},
        {"prevalence": Choice(np.full(4, 0.25), None, np.full(4, 1e-320), np.eye(4)[0]),
         "n_iter": 3, "n_candidates": Choice(128, 1, 2, 4), "n_active": Choice(None, 1, 2, 4),
         "prior": Choice(1.0, 0.0, 1e-30, 1e4), "word_weights": Choice(None, np.ones(6))},
        ("Complex",), check_mixtures,
    ),
    "merge": Entry(
        cut, {"name": Choice("nmf", "kmeans", "ward")},
        {"n_topics": integers, "random_state": 0}, ("live atoms", "merge"),
    ),
    "chunker": Entry(
        lambda documents, **settings: Chunker(**{"max_tokens": 8} | settings).split(documents),
        {"documents": documents([*TEXTS[:9], "One. Two! Three? " * 20, "A\n\nB " * 30])},
        {"by": Choice("sentence", "paragraph"), "max_tokens": Choice(8, 9, 100), "overlap": 3},
        ("encoder",),
    ),
    "embedded passages": Entry(
        lambda documents, encoder: Chunker(max_tokens=8).embed(documents, encoder),
        {"documents": documents(TEXTS[:9]), "encoder": Only(st.just(Encoder()))},
    ),
    "fine_chunker": Entry(fine_chunker, {"encoder": Choice(Encoder(), None)}),
    "languages": Entry(detect_languages, {"texts": st.lists(texts, max_size=4)}),
    "vectorizer": Entry(
        lambda raw_documents, **settings: WordVectorizer(**settings).fit_transform(raw_documents),
        {"raw_documents": Only(st.lists(st.one_of(st.sampled_from(TEXTS), texts), min_size=1))},
        {"language": Choice(None, "german", ["en", "ja"], "zh", "th"), "keep": Choice((), ("a",)),
         "stop_words": Choice("auto", None, ["x"], "english"), "min_df": Choice(1, 2, 0.1),
         "max_df": Choice(1.0, 3, 0.5), "max_features": Choice(None, 3),
         "ngram_range": Choice((1, 1), (1, 3), (2, 2)), "vocabulary": Choice(None, WORDS[:4])},
        ("vocabulary", "documents", "terms", "ngram"),
    ),
}  # fmt: skip
PARTS = {"train": 0.5}


@pytest.mark.parametrize("name", ENTRIES)
def test_stages(name):
    entry = ENTRIES[name]

    @examples(PARTS.get(name, 1))
    @given(arguments(entry))
    def run(changed):
        check_call(entry, *changed)

    run()


@fuzz
@given(
    st.sampled_from(sorted(TrainingConfig.__annotations__)), st.one_of(junk, integers, fractions)
)
def test_training_settings(name, value):
    config = clear(lambda: TrainingConfig(**{name: value}), name)
    if config is not None and (config.n_atoms or 1) * (config.k or 1) < 10**6:
        clear(lambda: config.resolve(100, 6), name, "n_atoms", "k")


@fuzz
@given(weights(sp.csr_matrix(FITTED.doc_atoms_)), weights(BOW))
def test_emissions_of_sparse_matrices(doc_atoms, bow):
    found = clear(lambda: fit_emissions(doc_atoms, bow, n_iter=2), "doc_atoms", "bow", "Complex")
    if found is not None:
        check_emissions(found, None)


@fuzz
@given(st.text(), texts)
def test_any_one_text(one, other):
    split = Chunker(max_tokens=8).split([one, other])
    assert sorted(set(split.documents)) in ([0, 1], [0], [1], [])
