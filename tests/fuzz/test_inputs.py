"""Generated input to every stage: a clear error and nothing changed, or a result that is whole."""

import copy

import hypothesis.strategies as st
import numpy as np
from fuzzing import (
    COUNTS,
    EMBEDDINGS,
    EMISSIONS,
    FITTED,
    SAE,
    THETA,
    check_model,
    clear,
    fuzz,
    junk,
    matrices,
    numbers,
    state,
    texts,
    weights,
)
from hypothesis import given

from saetm_plugins import SAETopicModel, evaluation
from saetm_plugins.atoms.training.config import TrainingConfig
from saetm_plugins.emission import fit_emissions, infer_doc_atoms
from saetm_plugins.validation import check_embeddings


@fuzz
@given(matrices())
def test_embeddings(rows):
    found = clear(lambda: check_embeddings(rows), "embeddings", "Complex")
    if found is not None:
        assert found.dtype == np.float32
        assert np.isfinite(found).all()


@fuzz
@given(matrices())
def test_autoencoder(rows):
    codes = clear(lambda: SAE.transform(rows), "embeddings", "Complex")
    if codes is not None:
        assert np.isfinite(codes.data).all()
        assert (codes.data >= 0).all()
        assert np.isfinite(SAE.reconstruct(rows)).all()


@fuzz
@given(st.sampled_from(sorted(TrainingConfig.__annotations__)), junk)
def test_training_settings(name, value):
    config = clear(lambda: TrainingConfig(**{name: value}), name)
    if config is not None and (config.n_atoms or 1) * (config.k or 1) < 10**6:
        clear(lambda: config.resolve(100, 6), name, "n_atoms", "k")


@fuzz
@given(weights(THETA), weights(COUNTS), st.sampled_from(["em", "em", "em", "adam"]), numbers)
def test_emissions(theta, counts, solver, background):
    found = clear(
        lambda: fit_emissions(theta, counts, solver, 3, background_weight=background),
        "bow", "doc_atoms", "background_weight", "Complex",
    )  # fmt: skip
    if found is not None:
        np.testing.assert_allclose(found.atom_words.sum(axis=1), 1, atol=1e-3)
        np.testing.assert_allclose(found.background.sum(), 1, atol=1e-3)
        assert found.background_mass >= 0


@fuzz
@given(weights(COUNTS), st.one_of(st.none(), junk, weights(np.ones((1, 4)))), numbers)
def test_inference(counts, prevalence, prior):
    found = clear(
        lambda: infer_doc_atoms(counts, EMISSIONS, prevalence, prior=prior),
        "bow", "prevalence", "prior", "Complex",
    )  # fmt: skip
    if found is not None:
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-3)


PARAMETERS = sorted(set(SAETopicModel().get_params()) - {"verbose"})


@fuzz
@given(st.sampled_from(PARAMETERS), junk)
def test_parameters(name, value):
    if name == "encoder" and isinstance(value, str):
        return  # a name of a model, for the hub
    model = SAETopicModel(**{"n_topics": 4, "sae": SAE, name: value})
    before = state(model)
    if clear(lambda: model.fit(None, EMBEDDINGS), name) is None:
        assert state(model).keys() == before.keys()
    else:
        check_model(model)


@fuzz
@given(st.one_of(junk, st.lists(texts, max_size=4)), st.one_of(st.none(), matrices()))
def test_documents(documents, embeddings):
    if embeddings is None:
        embeddings = EMBEDDINGS[: len(documents)] if isinstance(documents, list) else EMBEDDINGS
    before = state(FITTED)
    found = clear(
        lambda: FITTED.transform(documents, embeddings), "documents", "embeddings", "Complex"
    )
    if found is not None:
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-3)
    assert all(before[key] is value for key, value in state(FITTED).items())


EDITS = {
    "merge_topics": ("topics_to_merge",),
    "split_topic": ("topic", "n="),
    "drop_atoms": ("atoms",),
    "set_topic_labels": ("topic_labels",),
    "retopic": ("n_topics",),
}
edits = st.one_of(
    junk, st.lists(junk, max_size=4), st.dictionaries(st.integers(-1, 5), texts, max_size=3)
)


@fuzz
@given(st.sampled_from(sorted(EDITS)), edits)
def test_edits(name, value):
    model = copy.copy(FITTED)
    before = state(model)
    if clear(lambda: getattr(model, name)(value), *EDITS[name], "n_topics", "P(word") is None:
        assert all(before[key] is kept for key, kept in state(model).items())
    else:
        check_model(model)


@fuzz
@given(st.lists(texts, min_size=1, max_size=3), numbers, st.booleans())
def test_batches(documents, decay, with_words):
    model = copy.copy(FITTED)
    before = state(model)
    found = clear(
        lambda: model.partial_fit(documents, EMBEDDINGS[: len(documents)], decay=decay),
        "documents", "decay",
    )  # fmt: skip
    if found is None:
        assert all(before[key] is kept for key, kept in state(model).items())
    else:
        check_model(model)


@fuzz
@given(st.one_of(junk, st.lists(junk, max_size=4)), st.one_of(junk, st.lists(junk, max_size=4)))
def test_metrics(one, other):
    names = ("labels", "classes", "topics", "texts", "topic_words", "doc_topics", "word_vectors")
    for metric in (evaluation.normalized_mutual_information, evaluation.purity):
        found = clear(lambda metric=metric: metric(one, other), *names)
        assert found is None or 0 <= found <= 1 + 1e-9
    found = clear(lambda: evaluation.coverage(one), *names)
    assert found is None or 0 <= found <= 1
    found = clear(lambda: evaluation.topic_diversity(one, 2), *names)
    assert found is None or 0 < found <= 1
    scores = clear(lambda: evaluation.topic_significance(one, other), *names)
    assert scores is None or np.isfinite(np.concatenate(scores)).all()
