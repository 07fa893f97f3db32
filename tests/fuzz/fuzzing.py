"""What the tests with generated input share: values of every kind, a small corpus, one oracle.

``make test`` tries 300 inputs for each entry, ``make fuzz`` 20,000 (``SAETM_FUZZ``); the same ones
each time. What is refused raises a ValueError or TypeError that names an argument of the call.
"""

import os
import warnings

import hypothesis.strategies as st
import numpy as np
import scipy.sparse as sp
import torch
from hypothesis import HealthCheck, Phase, settings
from hypothesis.extra.numpy import array_shapes, arrays

from saetm_plugins import SAETopicModel, train_sae
from saetm_plugins.emission import fit_emissions

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


def clear(act, *names, errors=(ValueError, TypeError, FileNotFoundError)):
    """Return what a call gives, or None where it is refused by a clear error."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return act()
        except errors as error:
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
