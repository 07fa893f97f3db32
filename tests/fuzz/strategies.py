"""Strategies for arguments: values like a legal one that differ in type, shape or content."""

from typing import NamedTuple

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

ODD_TEXTS = [
    "", " ", "\x00", "\u200b", "<script>alert(1)</script>", "&amp;", "=1+1", "a\nb", "שלום עולם",
    "\u202eabc", "日本語の文章", "naïve e\u0301", "🏳️‍🌈 🙂", "١٢٣", "...", "word " * 999, "w" * 9999,
    "A B C", "1 2 3", "\ufeffbom", "../x", "\r\n", "\x1b[0m", "word \ud800",
]  # fmt: skip
texts = st.one_of(st.text(max_size=20), st.sampled_from(ODD_TEXTS))
numbers = st.one_of(st.integers(-3, 60), st.floats(), st.booleans())
integers = st.one_of(
    st.integers(1, 6), st.integers(0, 6), st.integers(1, 6).map(np.int64),
    st.integers(1, 6).map(np.uint8), st.sampled_from([-1, 10, 41, True, 1.0, "2", None]),
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
    st.builds(lambda: np.array(["x", None], dtype=object)),
)  # fmt: skip


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


def chances(**weights):
    """Draw one of the names, each as often as its number says."""
    return st.sampled_from([name for name, times in weights.items() for _ in range(times)])


def put(array, place, value):
    array = array.astype("f8") if array.dtype.kind in "iu" else array
    array[place] = value
    return array


VALUES = [
    lambda a, rng: a * np.float32(rng.choice([1e-40, 1e-20, 1e-6, 1e6, 1e17, 1e30])),
    lambda a, rng: put(a, rng.integers(len(a)), 0),
    lambda a, rng: put(a, slice(rng.integers(len(a)), None), a[0].copy()),
    lambda a, rng: a * 0 if rng.random() < 0.5 else np.repeat(a[:1], len(a), axis=0),
    lambda a, rng: put(a, np.s_[:, rng.integers(a.shape[1])], rng.choice([0, 5, -1e3])),
    lambda a, rng: put(a, (rng.integers(len(a)), 0), rng.choice([1e15, 5e-324, 1e4])),
    lambda a, rng: put(a, (rng.integers(len(a)), 0), rng.choice([np.nan, np.inf, -np.inf, 1e38])),
    lambda a, rng: -a,
    lambda a, rng: rng.normal(size=a.shape).astype(a.dtype),
    lambda a, rng: a[rng.integers(len(a), size=len(a))],
    lambda a, rng: a * rng.choice([1, 1e-30], size=(len(a), 1)),
    lambda a, rng: np.round(np.abs(a)),
]
DTYPES = [
    "f2",
    "f4",
    "f8",
    ">f4",
    ">f8",
    "g",
    "i1",
    "i8",
    "u2",
    "?",
    "O",
    "c8",
    "U9",
    "M8[s]",
    "f4",
    "f8",
]
SHAPES = [
    lambda a: a[:0], lambda a: a[:1], lambda a: a[:-1], lambda a: a[:, :0], lambda a: a[:, :-1],
    lambda a: np.hstack([a, a]), lambda a: a[0], lambda a: a[None], np.transpose, np.ravel,
    lambda a: np.vstack([a, a]),
]  # fmt: skip


def not_aligned(array):
    made = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    made[:] = array
    return made


def read_only(array):
    array.flags.writeable = False
    return array


ANY_DTYPE = [
    np.asfortranarray, lambda a: a[::-1, ::-1], lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    read_only, list, np.ndarray.tolist, lambda a: tuple(map(tuple, a.tolist())),
    lambda a: pd.DataFrame(a.astype(object), index=range(5, 5 + len(a))),
]  # fmt: skip
FLOATS_ONLY = [
    lambda a: pd.Series(list(a)), lambda a: np.broadcast_to(a[:1], a.shape), pd.DataFrame,
    lambda a: np.ma.array(a, mask=np.zeros(a.shape, dtype=bool)),
    lambda a: np.ma.array(a, mask=np.arange(a.size).reshape(a.shape) == 3), np.asmatrix,
    sp.csr_matrix, not_aligned, lambda a: (row for row in a), torch.tensor,
    lambda a: list(torch.tensor(a)), lambda a: torch.tensor(a).to(torch.bfloat16),
    lambda a: torch.tensor(a).T.contiguous().T, lambda a: torch.tensor(a).requires_grad_(),
    lambda a: torch.tensor(a).to("meta"), lambda a: torch.tensor(a).to_sparse(),
]  # fmt: skip


def pick(rng, choices):
    return choices[int(rng.integers(len(choices)))]


def plain_floats(array):
    return array.dtype in (np.float32, np.float64) and array.dtype.isnative


@st.composite
def rows(draw, whole):
    """Vectors (n, d) like `whole` with another dtype, layout, shape or value, or two of these."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    array = np.array(whole)
    what = draw(chances(same=2, values=6, dtype=3, layout=4, two=5, shape=2))
    with np.errstate(all="ignore"):
        if what == "shape":
            return pick(rng, SHAPES)(array)
        if what in ("values", "two"):
            array = pick(rng, VALUES)(array, rng)
        if what in ("dtype", "two"):
            array = array.astype(pick(rng, DTYPES)) if rng.random() < 0.7 else array
        if what in ("layout", "two") and array.size:
            layouts = ANY_DTYPE + FLOATS_ONLY if plain_floats(array) else ANY_DTYPE
            return pick(rng, layouts)(array)
    return array


FORMATS = [sp.csr_matrix, sp.csr_array, sp.csc_matrix, sp.coo_matrix, sp.lil_matrix, sp.dok_matrix]


@st.composite
def weights(draw, whole):
    """A matrix of numbers from 0 like `whole`, dense or sparse; some sparse ones are damaged."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    array = whole.toarray() if sp.issparse(whole) else np.array(whole)
    what = draw(chances(same=2, zero=4, scale=4, dtype=2, format=8, index=3, bad=2, shape=1))
    with np.errstate(all="ignore"):
        if what == "shape":
            return pick(rng, SHAPES)(array)
        if what == "dtype":
            return array.astype(pick(rng, DTYPES))
        if what == "zero":
            array[rng.random(len(array)) < 0.3] = 0
            array[:, rng.random(array.shape[1]) < 0.2] = 0
        elif what == "scale":
            array = array * np.float32(rng.choice([1e-38, 1e-30, 1e-12, 7, 1e4, 1e10, 1e20]))
        elif what == "bad":
            array[0, rng.integers(array.shape[1])] = rng.choice([np.nan, np.inf, -1, 1e38])
    if what != "index":
        made = pick(rng, FORMATS)(array)
        return _in_disorder(made, rng) if made.nnz and rng.random() < 0.5 else made
    made = sp.csr_matrix(array) if rng.random() < 0.5 else sp.csc_matrix(array)
    changed = made.indices if rng.random() < 0.5 else made.indptr
    changed[rng.integers(len(changed) - 1)] = rng.choice([-1, 10**6, -(2**31)])
    return made


def _in_disorder(made, rng):
    """Return an equal matrix with stored zeros, entries in two parts, or unsorted columns."""
    if made.format == "coo":
        return type(made)(
            (np.tile(made.data / 2, 2), (np.tile(made.row, 2), np.tile(made.col, 2))), made.shape
        )
    if made.format in ("csr", "csc"):
        made.data[rng.integers(made.nnz)] = 0
        for start, end in zip(made.indptr, made.indptr[1:], strict=False):
            made.indices[start:end] = made.indices[start:end][::-1].copy()
            made.data[start:end] = made.data[start:end][::-1].copy()
        made.has_sorted_indices = False
    return made


def numbered(found):
    return pd.Series(found, index=range(9, 9 + len(found)), dtype=object)


@st.composite
def documents(draw, whole):
    """Texts like `whole` with odd ones among them, in a list or another container."""
    found = list(whole)
    what = draw(chances(odd=12, missing=2, length=1, unordered=1))
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, len(found) - 1))
        found[place] = draw(junk if what == "missing" else texts)
    if what == "length":
        found = found[: draw(st.integers(0, len(found)))]
    if what == "unordered":
        return draw(st.sampled_from([dict.fromkeys, set]))(map(str, found))
    makers = [list, list, tuple, iter, lambda each: np.array(each, dtype=object), numbered]
    return draw(st.sampled_from(makers))(found)


@st.composite
def labels(draw, whole):
    """One value a document like `whole`: classes, groups, times or assignments."""
    found = list(whole)
    what = draw(chances(same=2, kinds=6, few=3, other=2, container=5, length=1))
    if what == "length":
        return found[: draw(st.integers(0, len(found) - 1))]
    if what == "few":
        return [found[0]] * len(found)
    if what == "kinds":
        kinds = st.one_of(texts, st.integers(-1, 5), st.floats(0, 9))
        other = draw(st.lists(kinds, min_size=1, max_size=4))
        return [other[place % len(other)] for place in range(len(found))]
    if what == "other":
        found[draw(st.integers(0, len(found) - 1))] = draw(junk)
        return found
    return draw(st.sampled_from([
        tuple, np.array, pd.Series, iter, numbered, lambda each: np.array(each, dtype=object),
        lambda each: pd.Series(each, dtype="category"), lambda each: np.array(each)[:, None],
        lambda each: torch.tensor(range(len(each))),
        lambda each: np.ma.array(range(len(each)), mask=[1] + [0] * (len(each) - 1)),
    ]))(found)  # fmt: skip


@st.composite
def word_lists(draw, whole):
    """Lists of words like `whole` with one word or one list changed, or fewer lists."""
    found = [list(each) for each in whole]
    words = sorted({word for each in found for word in each})
    what = draw(chances(same=1, word=3, list=1, length=1, few=1))
    place = draw(st.integers(0, len(found) - 1))
    if what == "word" and found[place]:
        other = draw(st.one_of(st.sampled_from(words), texts, st.none()))
        found[place][draw(st.integers(0, len(found[place]) - 1))] = other
    elif what == "list":
        found[place] = draw(st.one_of(st.lists(texts, max_size=5), texts, st.none()))
    elif what == "length":
        found = found[: draw(st.integers(0, len(found)))]
    elif what == "few":
        found = [each[: draw(st.integers(0, 5))] for each in found]
    return draw(st.sampled_from([list, tuple, lambda each: np.array(each, dtype=object)]))(found)


@st.composite
def frames(draw, whole):
    """A table like `whole` with a column gone, changed or made the index, or with fewer rows."""
    table, name = whole.copy(), draw(st.sampled_from(list(whole.columns)))
    what = draw(chances(same=4, rows=4, column=2, gone=2, index=2))
    if what == "rows":
        return table.iloc[draw(st.lists(st.integers(0, len(table) - 1), max_size=len(table)))]
    if what == "gone":
        return table.drop(columns=name)
    if what == "index":
        return table.set_index(name)
    if what == "column":
        table[name] = [draw(st.one_of(numbers, texts, st.none()))] * len(table)
    return table


def nearly(value):
    """Draw a value that differs from the legal `value` in a respect or two, or not at all."""
    if isinstance(value, st.SearchStrategy):
        return value
    if isinstance(value, Choice):
        others = [nearly(each) for each in value if not isinstance(each, str)]
        return st.one_of(st.sampled_from(list(value)), st.sampled_from(list(value)), *others)
    if isinstance(value, pd.DataFrame):
        return frames(value)
    if sp.issparse(value):
        return weights(value)
    if isinstance(value, np.ndarray) and value.ndim == 2:
        return rows(value)
    if isinstance(value, list) and value and isinstance(value[0], str):
        return st.one_of(documents(value), labels(value))
    if isinstance(value, np.ndarray) or (isinstance(value, list) and value):
        return labels(value)
    if isinstance(value, (bool, np.bool_)):
        return st.sampled_from([True, False, np.True_, 0, None, "yes"])
    if isinstance(value, (int, float, str)):
        return {int: integers, float: fractions, str: texts}[type(value)]
    return st.just(value)


def values_like(value):
    """Draw what an argument may be given: nearly `value` four times in five, else anything."""
    return value.strategy if isinstance(value, Only) else often(nearly(value), junk)
