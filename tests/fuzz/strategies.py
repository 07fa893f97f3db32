"""Strategies for arguments: values like a legal one that differ in type, shape or content."""

from typing import NamedTuple

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

ODD_TEXTS = [
    "", " ", "\x00", "\u200b", "<script>alert(1)</script>", "=1+1", "a\nb", "שלום עולם",
    "\u202eabc", "日本語の文章", "naïve e\u0301", "🏳️‍🌈 🙂", "١٢٣", "...", "word " * 999, "w" * 9999,
    "1 2 3", "\ufeffbom", "../x", "\x1b[0m", "word \ud800",
]  # fmt: skip
texts = st.one_of(st.text(max_size=20), st.sampled_from(ODD_TEXTS))
numbers = st.one_of(st.integers(-3, 60), st.floats(), st.booleans())
integers = st.one_of(
    st.integers(0, 6), st.integers(1, 6).map(np.uint8),
    st.sampled_from([-1, 10, 41, True, 1.0, "2", None]),
)  # fmt: skip
fractions = st.one_of(
    st.floats(0, 1), st.floats(0, 1).map(np.float32),
    st.sampled_from([0, 1, -0.0, 5e-324, -1e-9, 1.0001, np.nan, "0.5"]),
)  # fmt: skip
junk = st.one_of(
    st.none(), numbers, texts, st.binary(max_size=3), st.lists(numbers, max_size=3),
    st.lists(texts, max_size=3), st.sampled_from([object(), range(3), complex(1, 1), len, pd.NA]),
    st.builds(dict), st.builds(set), st.builds(np.zeros, st.just(3)), st.builds(sp.eye, st.just(3)),
    st.builds(lambda: iter("ab")), st.builds(lambda: pd.DataFrame({"a": [1]})),
)  # fmt: skip
seeds = st.integers(0, 2**32 - 1)


class Choice(tuple):
    """Legal values of an argument; the first is given while another argument is changed."""

    def __new__(cls, *values):
        return super().__new__(cls, values)


class Only(NamedTuple):
    """What an argument may be given, and nothing else."""

    strategy: st.SearchStrategy


def often(good, rest):
    """Draw from `good` four times in five."""
    return st.integers(0, 4).flatmap(lambda n: good if n else rest)


def with_value(array, index, value):
    array = array.astype("f8") if array.dtype.kind in "iu" else array.copy()
    array[index] = value
    return array


def unsorted(array):
    made = sp.csr_matrix(array)
    order = np.lexsort((-made.indices, np.repeat(range(len(array)), np.diff(made.indptr))))
    made.indices, made.data = made.indices[order], made.data[order]
    made.has_sorted_indices = False
    return made


def damaged(array, name, value, kind=sp.csr_matrix):
    made = kind(array)
    getattr(made, name)[1:2] = value
    return made


VALUES = [
    lambda a, rng: a * np.float32(rng.choice([1e-40, 1e-20, 1e-6, 7, 1e6, 1e17, 1e30])),
    lambda a, rng: with_value(a, rng.integers(len(a)), 0),
    lambda a, rng: with_value(a, slice(rng.integers(len(a)), None), a[0]),
    lambda a, rng: with_value(a, np.s_[:, rng.integers(a.shape[1])], rng.choice([0, 5])),
    lambda a, rng: with_value(a, (0, rng.integers(a.shape[1])), rng.choice([1e15, 5e-324, 1e4])),
    lambda a, rng: with_value(a, (0, 0), rng.choice([np.nan, np.inf, -1, 1e38])),
    lambda a, rng: a[rng.integers(len(a), size=len(a))],
    lambda a, rng: a * rng.choice([1, 0, 1e-30], size=(len(a), 1)),
]  # fmt: skip
DTYPES = ["f2", "f8", ">f4", "g", "i1", "i8", "u2", "?", "O", "c8", "U9", "M8[s]"]
SHAPES = [
    lambda a: a[:0], lambda a: a[:1], lambda a: a[:-1], lambda a: a[:, :0], lambda a: a[:, :-1],
    lambda a: np.hstack([a, a]), lambda a: a[0], lambda a: a[None], lambda a: np.vstack([a, a]),
]  # fmt: skip
DENSE = [
    np.asfortranarray, lambda a: np.repeat(a, 2, axis=1)[:, ::2], list, np.ndarray.tolist,
    lambda a: pd.DataFrame(a.astype(object), index=range(5, 5 + len(a))), sp.csr_matrix,
    lambda a: np.broadcast_to(a[:1], a.shape), lambda a: (row for row in a), torch.tensor,
    lambda a: np.ma.array(a, mask=np.arange(a.size).reshape(a.shape) == 3), pd.DataFrame,
    lambda a: np.ma.array(a, mask=np.zeros(a.shape, dtype=bool)),
    lambda a: torch.tensor(a).to(torch.bfloat16), lambda a: torch.tensor(a).to("meta"),
]  # fmt: skip
SPARSE = [
    sp.csr_matrix, sp.csr_array, sp.csc_matrix, sp.coo_matrix, sp.lil_matrix, unsorted, unsorted,
    lambda a: damaged(a, "indices", 10**6), lambda a: damaged(a, "indptr", -1),
    lambda a: damaged(a, "indices", -(2**31), sp.csc_matrix),
]  # fmt: skip


@st.composite
def matrices(draw, like, layouts):
    """Draw a matrix of another dtype or shape, or of another layout with or without new values."""
    rng = np.random.default_rng(draw(seeds))
    array = like.toarray() if sp.issparse(like) else np.array(like)
    what = draw(
        st.sampled_from(["values"] * 5 + ["layout"] * 5 + ["both"] * 4 + ["dtype", "shape"])
    )
    with np.errstate(all="ignore"):
        if what == "shape":
            return draw(st.sampled_from(SHAPES))(array)
        if what == "dtype":
            return array.astype(draw(st.sampled_from(DTYPES)))
        if what != "layout":
            array = draw(st.sampled_from(VALUES))(array, rng)
        return array if what == "values" else draw(st.sampled_from(layouts))(array)


def rows(like):
    """Draw vectors (n, d) like those of a matrix."""
    return matrices(like, DENSE)


def weights(like):
    """Draw a matrix of numbers from 0, dense or sparse; some sparse ones are damaged."""
    return matrices(like, SPARSE)


def shares(like):
    """Draw rows that sum to 1 or are empty, four times in five, else any weights."""
    rows = like.toarray()
    kept = [
        rows, rows[::-1], rows * (np.arange(len(rows)) % 3 > 0)[:, None], rows.astype("f8"),
        np.eye(rows.shape[1], dtype="f4")[rows.argmax(axis=1)],
    ]  # fmt: skip
    layouts = st.sampled_from(SPARSE[:7])  # those that are not damaged
    whole = st.builds(lambda layout, array: layout(array), layouts, st.sampled_from(kept))
    return often(whole, weights(like))


CONTAINERS = [
    list, tuple, iter, lambda each: np.array(each, dtype=object),
    lambda each: pd.Series(each, index=range(9, 9 + len(each)), dtype=object),
]  # fmt: skip
OTHER_CONTAINERS = [
    np.array, lambda each: np.array(each)[:, None], pd.Series, lambda each: set(map(str, each)),
    lambda each: torch.tensor(range(len(each))),
    lambda each: pd.Series(map(str, each), dtype="category"),
    lambda each: np.ma.array(range(len(each)), mask=[1] + [0] * (len(each) - 1)),
]  # fmt: skip


@st.composite
def lists(draw, like, others=texts, containers=CONTAINERS):
    """Draw the values of a list with others among them, or fewer, in a list or a container."""
    found = list(like)
    for _ in range(draw(st.integers(0, 4))):
        found[draw(st.integers(0, len(found) - 1))] = draw(often(others, often(others, junk)))
    if draw(st.integers(0, 14)) == 0:
        found = found[: draw(st.integers(0, len(found)))]
    return draw(st.sampled_from(containers))(found)


@st.composite
def labels(draw, like):
    """Draw a value for each document: classes, groups, times or assignments."""
    kinds = st.one_of(texts, st.integers(-1, 5), st.floats(0, 9))
    what = draw(st.sampled_from(["others", "others", "container", "few odd"]))
    if what == "few odd":
        return draw(lists(like, kinds))
    if what == "container":
        return draw(st.sampled_from(CONTAINERS + OTHER_CONTAINERS))(list(like))
    others = draw(st.lists(kinds, min_size=1, max_size=4))
    return [others[row % len(others)] for row in range(len(like))]


def word_lists(like):
    """Draw lists of words, some in another order, and a few with other words."""
    words = st.one_of(st.sampled_from(like[0]), st.sampled_from(like[1]), texts, st.none())
    others = often(st.permutations(like[0]), st.lists(words, max_size=6))
    return lists(like, others, [list, tuple, CONTAINERS[3]])


def nearly(value):
    """Draw a value that differs from the legal `value` in a respect or two, or not at all."""
    if isinstance(value, st.SearchStrategy):
        return value
    if isinstance(value, Choice):
        others = [nearly(each) for each in value if not isinstance(each, str)]
        return st.one_of(st.sampled_from(list(value)), st.sampled_from(list(value)), *others)
    if sp.issparse(value):
        return weights(value)
    if isinstance(value, np.ndarray) and value.ndim == 2:
        return rows(value)
    if isinstance(value, list) and value and isinstance(value[0], str):
        return st.one_of(lists(value), labels(value))
    if isinstance(value, np.ndarray) or (isinstance(value, list) and value):
        return labels(value)
    if isinstance(value, (bool, int, float, str)):
        bools = st.sampled_from([True, False, np.True_, 0, None, "yes"])
        return {bool: bools, int: integers, float: fractions, str: texts}[type(value)]
    return st.just(value)


def values_like(value):
    """Draw what an argument may be given: nearly `value` four times in five, else anything."""
    return value.strategy if isinstance(value, Only) else often(nearly(value), junk)
