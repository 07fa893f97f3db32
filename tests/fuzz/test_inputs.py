"""Generated input to every stage: a clear error and nothing changed, or a result that is whole.

``make test`` tries 300 inputs for each, ``make fuzz`` 20,000 (``SAETM_FUZZ``); the same ones each
time. The error is a ValueError or TypeError of one of the words of the call's arguments.
"""

import os
import warnings

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from saetm_plugins import SAETopicModel, evaluation, train_sae
from saetm_plugins.atoms.training.config import TrainingConfig
from saetm_plugins.emission import fit_emissions, infer_doc_atoms
from saetm_plugins.validation import check_embeddings

fuzz = settings(
    max_examples=int(os.environ.get("SAETM_FUZZ", "300")),
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)

RNG = np.random.default_rng(0)
THEMES = RNG.integers(4, size=40)
EMBEDDINGS = (np.eye(4, 6)[THEMES] + 0.2 * RNG.normal(size=(40, 6))).astype(np.float32)
TEXTS = [" ".join(f"{'abcd'[t]}{'klmno'[i]}word" for i in RNG.integers(5, size=6)) for t in THEMES]
SAE = train_sae(EMBEDDINGS, n_atoms=10, k=2, n_steps=60)
THETA = RNG.dirichlet(np.full(4, 0.3), size=12).astype(np.float32)
COUNTS = RNG.poisson(0.7, size=(12, 6)).astype(np.float32)
EMISSIONS = fit_emissions(THETA, COUNTS)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    FITTED = SAETopicModel(4, sae=SAE).fit(TEXTS, EMBEDDINGS)

numbers = st.one_of(
    st.integers(-3, 60),
    st.sampled_from([2**31, 2**63, 2**70, -(2**70), 1e30, -1e30, 1e300, 5e-324, 1e-30]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.booleans(),
)
texts = st.one_of(
    st.text(max_size=20),
    st.text(st.characters(categories=["Cs", "Cc", "Cf", "Lo", "Lu"]), max_size=8),
    st.sampled_from(
        ["", " ", "\ud800", "\x00", "<b>x</b>", "שלום עולם", "مرحبا", "w" * 10**6, "a b c"]
    ),
)
junk = st.one_of(
    st.none(), numbers, texts, st.binary(max_size=3), st.lists(numbers, max_size=3),
    st.just(object()), st.just({}), st.just(set()), st.just(np.zeros(3)), st.just(sp.eye(3)),
    st.just(np.array(["x", None], dtype=object)), st.just(complex(1, 1)),
)  # fmt: skip
dtypes = st.sampled_from(["f2", "f4", "f8", "i1", "i8", "u4", "?", "c8", "U3", "O", "M8[s]"])


@st.composite
def matrices(draw, columns=6):
    """Arrays of every dtype, layout and pathology, of the right width as often as not."""
    kind = draw(st.sampled_from(["any", "scaled", "scaled", "holed", "masked", "torch", "wrapped"]))
    if kind == "any":
        return draw(arrays(draw(dtypes), draw(array_shapes(max_dims=3, min_side=0, max_side=7))))
    base = draw(st.sampled_from([EMBEDDINGS[:12], EMBEDDINGS[:1], EMBEDDINGS[:12] * 0]))
    base = np.asfortranarray(base[:, :columns]) if draw(st.booleans()) else base[:, :columns].copy()
    with np.errstate(all="ignore"):
        base = base * np.float32(draw(st.sampled_from([1, 1e-40, 1e-20, 1e17, 1e30, -1])))
    if kind == "holed":
        base[draw(st.integers(0, len(base) - 1)), 0] = draw(st.sampled_from([np.nan, np.inf, 1e38]))
    if kind == "masked":
        return np.ma.array(
            base, mask=np.arange(base.size).reshape(base.shape) == draw(st.integers(0, 99))
        )
    if kind == "torch":
        tensor = torch.tensor(base, requires_grad=draw(st.booleans()))
        return draw(st.sampled_from([tensor, tensor.to("meta"), tensor.to_sparse(), list(tensor)]))
    if kind == "wrapped":
        makers = (list, tuple, sp.csr_matrix, lambda rows: rows[::-1, ::-1], np.ndarray.tolist)
        return draw(st.sampled_from(makers))(base)
    return base


@st.composite
def weights(draw, whole):
    """A non-negative matrix like `whole`, damaged in one of many ways."""
    kind = draw(
        st.sampled_from(["junk", "scale", "scale", "zero", "index", "bad", "sparse", "any"])
    )
    matrix = whole.copy()
    if kind == "junk":
        return draw(junk)
    if kind == "any":
        return draw(matrices(columns=whole.shape[1]))
    if kind == "scale":
        with np.errstate(all="ignore"):
            return matrix * np.float32(
                draw(st.sampled_from([1e-38, 1e-30, 1e-12, 1, 1e10, 1e20, 1e38]))
            )
    if kind == "zero":
        matrix[draw(st.integers(0, len(matrix) - 1)) :] = 0
        matrix[:, : draw(st.integers(0, matrix.shape[1] - 1))] = 0
        return matrix
    if kind == "bad":
        matrix[0, 0] = draw(st.sampled_from([np.nan, np.inf, -1, 1e38, 5e-324]))
        return matrix
    made = draw(st.sampled_from([sp.csr_matrix, sp.csc_matrix, sp.coo_matrix, sp.lil_matrix]))(
        matrix
    )
    if kind == "index" and hasattr(made, "indices"):
        made.indices[0] = draw(st.sampled_from([-1, 10**6, -(2**31)]))
    if kind == "index" and hasattr(made, "indptr"):
        made.indptr[1] = draw(st.sampled_from([made.indptr[1], -1, 10**6]))
    return made


def clear(act, *names):
    """Return what a call gives, or None where it is refused by a clear error."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return act()
        except (ValueError, TypeError) as error:
            refusal = error
    if not any(name in str(refusal) for name in names):
        raise AssertionError(f"{refusal!r} names none of {names}") from refusal
    return None


def state(model):
    return {key: value for key, value in vars(model).items() if key != "_loaded_encoder"}


def check_model(model):
    np.testing.assert_allclose(model.doc_topics_.sum(axis=1), 1, atol=1e-3)
    np.testing.assert_allclose(model.topic_prevalence_.sum(), 1, atol=1e-3)
    if model.components_ is not None:
        np.testing.assert_allclose(model.components_.sum(axis=1), 1, atol=1e-3)


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


PARAMETERS = sorted(set(SAETopicModel().get_params()) - {"verbose", "sae"})


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
    import copy

    model = copy.copy(FITTED)
    before = state(model)
    if clear(lambda: getattr(model, name)(value), *EDITS[name], "n_topics", "P(word") is None:
        assert all(before[key] is kept for key, kept in state(model).items())
    else:
        check_model(model)


@fuzz
@given(st.lists(texts, min_size=1, max_size=3), numbers, st.booleans())
def test_batches(documents, decay, with_words):
    import copy

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


@fuzz
@given(st.lists(st.one_of(junk, st.lists(st.tuples(numbers, numbers), max_size=3)), max_size=3))
def test_gensim_bags(bags):
    pytest.importorskip("gensim")
    model = _gensim_model()
    found = clear(lambda: model.inference(bags)[0], "corpus", "bow")
    if found is not None:
        assert found.shape == (len(bags), model.num_topics)
        assert np.isfinite(found).all()


def _gensim_model(made=[]):  # noqa: B006
    if not made:
        made.append(FITTED.to_gensim())
    return made[0]


@settings(fuzz, max_examples=max(1, fuzz.max_examples // 3))  # each is a whole fit
@given(matrices(), st.one_of(st.none(), st.none(), junk), junk)
def test_clusterer(rows, classes, threshold):
    clusterer = pytest.importorskip("saetm_plugins.bertopic").SAEClusterer
    made = clusterer(2, sae=SAE, outlier_threshold=threshold)
    found = clear(
        lambda: made.fit(rows, classes), "outlier_threshold", "X", "y", "n_topics", "embeddings",
        "array", "data", "sample", "convert", "argument must be",
    )  # fmt: skip
    if found is not None:
        assert ((found.labels_ >= -1) & (found.labels_ < found.n_topics_)).all()
