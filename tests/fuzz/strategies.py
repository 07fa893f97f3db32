"""Values of every kind: wrong ones, and those that differ from a legal one in a respect or two."""

from collections.abc import Iterable
from typing import NamedTuple

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from hypothesis.extra.numpy import array_shapes, arrays

numbers = st.one_of(
    st.integers(-3, 60),
    st.sampled_from([2**31, 2**63, 2**70, -(2**70), 1e30, -1e30, 1e300, 5e-324, 1e-30]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.booleans(),
)
ODD_TEXTS = [
    "", " ", "\x00", "\u200b", "<b>x</b>", "<script>alert(1)</script>", "&amp;", "=1+1", "a\nb",
    "שלום עולם", "مرحبا بالعالم", "\u202eabc", "日本語の文章", "naïve e\u0301", "🏳️‍🌈 🙂", "١٢٣",
    "...", "w" * 10**6, "word " * 10**4, "A B C", "1 2 3", "\ufeffbom", "'; drop", "../x", "\r\n",
    "\x1b[0m",
]  # fmt: skip
texts = st.one_of(
    st.text(max_size=20),
    st.text(st.characters(categories=["Cc", "Cf", "Lo", "Lu"]), max_size=8),
    st.sampled_from(ODD_TEXTS),
)
broken_texts = st.one_of(
    st.text(st.characters(categories=["Cs"]), min_size=1, max_size=3), st.just("word \ud800")
)
junk = st.one_of(
    st.none(), numbers, texts, broken_texts, st.binary(max_size=3), st.lists(numbers, max_size=3),
    st.lists(texts, max_size=3), st.just(object()), st.just({}), st.just(set()), st.just(range(3)),
    st.just(np.zeros(3)), st.just(sp.eye(3)), st.just(np.array(["x", None], dtype=object)),
    st.just(complex(1, 1)), st.just(len), st.just(iter("ab")), st.just(pd.DataFrame({"a": [1]})),
    st.just(np.datetime64("NaT")), st.just(pd.NA), st.just(np.float64("nan")), st.just(Iterable),
)  # fmt: skip
dtypes = st.sampled_from(["f2", "f4", "f8", "i1", "i8", "u4", "?", "c8", "U3", "O", "M8[s]"])
any_arrays = dtypes.flatmap(
    lambda dtype: arrays(dtype, array_shapes(max_dims=3, min_side=0, max_side=7))
)


def often(good, rest):
    """Draw from `good` four times in five; one_of() counts what it is given twice once."""
    return st.integers(0, 4).flatmap(lambda n: good if n else rest)


def mostly(good):
    """Draw from `good`, and junk one time in five; one_of() draws each kind of junk as often."""
    return often(good, junk)


class Choice(tuple):
    """Legal values of an argument; the first is what stands for it while another one is changed."""

    def __new__(cls, *values):
        return super().__new__(cls, values)


def chances(**weights):
    """Draw one of the names, so many times in the sum of all."""
    return st.sampled_from([name for name, times in weights.items() for _ in range(times)])


seeds = st.integers(0, 2**32 - 1)
FORMATS = [
    sp.csr_matrix, sp.csr_array, sp.csc_matrix, sp.coo_matrix, sp.coo_array, sp.lil_matrix,
    sp.dok_matrix, sp.bsr_matrix, sp.dia_matrix,
]  # fmt: skip


@st.composite
def rows(draw, whole):
    """Vectors (n, d) like `whole`: another dtype, layout, size or value, one or two at a time."""
    rng = np.random.default_rng(draw(seeds))
    array = np.array(whole)
    what = draw(chances(same=2, values=6, dtype=3, layout=4, two=5, shape=2, any=1))
    if what == "any":
        return draw(any_arrays)
    if what == "shape":
        return _other_shape(array, rng)
    if what in ("values", "two"):
        array = _other_values(array, rng)
    if what in ("dtype", "two"):
        array = _other_dtype(array, rng)
    return _other_layout(array, rng) if what in ("layout", "two") else array


def _other_values(array, rng):
    array = array.astype("f8") if array.dtype.kind in "iu" else array
    with np.errstate(all="ignore"):
        match int(rng.integers(14)):
            case 0:
                return array * np.float32(rng.choice([1e-40, 1e-20, 1e-6, 1e6, 1e17]))
            case 1:
                array[rng.integers(len(array))] = 0
            case 2:
                array[rng.integers(len(array)) :] = array[0]
            case 3:
                array[:] = array[0] if rng.random() < 0.5 else 0
            case 4:
                array[:, rng.integers(array.shape[1])] = rng.choice([0, 5, -1e3])
            case 5:
                array[rng.integers(len(array)), 0] = rng.choice([1e15, -1e15, 1e-38, 5e-324, 1e4])
            case 6:
                return -array
            case 7:
                return rng.normal(size=array.shape).astype(array.dtype)
            case 8:
                return array[rng.integers(len(array), size=len(array))]
            case 9:
                return array * rng.choice([1, 1e-30], size=(len(array), 1))
            case 10:
                return np.abs(array)
            case 11:
                return np.round(array)
            case 12:
                array[rng.integers(len(array)), 0] = rng.choice([np.nan, np.inf, -np.inf, 1e38])
            case 13:
                return array * np.float32(1e30)
    return array


def _other_dtype(array, rng):
    with np.errstate(all="ignore"):
        kind = str(rng.choice(["f2", "f4", "f8", ">f4", ">f8", "g", "i1", "i8", "u2", "?", "O",
                               "f4", "f8", "c8", "U9", "M8[s]", "V4"]))  # fmt: skip
        if kind in ("M8[s]", "V4"):
            return np.zeros(array.shape, kind)
        return array.astype(kind)


def _other_shape(array, rng):
    wide = np.hstack([array, array])
    return [
        array[:0], array[:1], array[:-1], array[:, :0], array[:, :-1], wide, array[0], array[None],
        array.T, array.ravel(), np.vstack([array, array]),
    ][int(rng.integers(11))]  # fmt: skip


def _other_layout(array, rng):
    wide = np.repeat(array, 2, axis=1)
    kind = int(rng.integers(19))
    if array.dtype.kind not in "fiub" or array.dtype.byteorder == ">" or array.dtype == "g":
        kind %= 8  # those that hold any dtype
    elif kind >= 17 and array.dtype.kind == "u":
        kind = 0
    match kind:
        case 0:
            return np.asfortranarray(array)
        case 1:
            return array[::-1, ::-1]
        case 2:
            return wide[:, ::2]
        case 3:
            array.flags.writeable = False
            return array
        case 4:
            return list(array)
        case 5:
            return tuple(map(tuple, array.tolist()))
        case 6:
            return array.tolist()
        case 7:
            return pd.DataFrame(array.astype(object), index=range(5, 5 + len(array)))
        case 8:
            return pd.Series(list(array))
        case 9:
            return np.broadcast_to(array[:1], array.shape)
        case 10:
            return np.ma.array(array, mask=np.zeros(array.shape, dtype=bool))
        case 11:
            return np.ma.array(array, mask=rng.random(array.shape) < 0.02)
        case 12:
            return np.asmatrix(array)
        case 13:
            return sp.csr_matrix(array.astype("f4"))
        case 14:
            buffer = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype)  # not aligned
            unaligned = buffer.reshape(array.shape)
            unaligned[:] = array
            return unaligned
        case 15:
            return pd.DataFrame(array)
        case 16:
            return (row for row in array)
    tensor = torch.tensor(array)
    if kind == 17:
        return [tensor, tensor.to(torch.bfloat16), list(tensor), tensor.T.contiguous().T][
            int(rng.integers(4))
        ]
    made = tensor.float()
    return [made.requires_grad_(), made.to("meta"), made.to_sparse(), torch.nn.Parameter(made)][
        int(rng.integers(4))
    ]


@st.composite
def weights(draw, whole):
    """A matrix of numbers from 0 like `whole`, sparse as often as not; damaged now and then."""
    rng = np.random.default_rng(draw(seeds))
    array = whole.toarray() if sp.issparse(whole) else np.array(whole)
    what = draw(
        chances(same=2, zero=4, scale=4, dtype=2, format=8, index=2, bad=2, shape=1, any=1, junk=1)
    )
    if what == "junk":
        return draw(junk)
    if what == "any":
        return draw(any_arrays)
    if what == "shape":
        return _other_shape(array, rng)
    with np.errstate(all="ignore"):
        if what == "dtype":
            array = _other_dtype(array, rng)
        elif what == "zero" or (what == "format" and rng.random() < 0.5):
            array[rng.random(len(array)) < 0.3] = 0
            array[:, rng.random(array.shape[1]) < 0.2] = 0
        elif what == "scale":
            array = array * np.float32(rng.choice([1e-38, 1e-30, 1e-12, 1e-3, 7, 1e4, 1e10, 1e20]))
        elif what == "bad":
            array[0, rng.integers(array.shape[1])] = rng.choice([np.nan, np.inf, -1, 1e38])
    if what in ("same", "bad", "dtype") and (rng.random() < 0.5 or array.dtype.kind not in "fiub"):
        return array
    if array.dtype.kind not in "fiub" or array.dtype.byteorder == ">" or array.dtype == "f2":
        return array
    return _other_format(array, rng, damage=what == "index")


def _other_format(array, rng, damage):
    """Return `array` as a sparse matrix: of any format, with repeats, explicit zeros, disorder."""
    made = FORMATS[int(rng.integers(len(FORMATS)))](array)
    if made.nnz == 0:
        return made
    if made.format == "coo" and rng.random() < 0.5:  # an entry in two parts
        halves = np.concatenate([made.data / 2, made.data / 2])
        places = np.tile(made.row, 2), np.tile(made.col, 2)
        made = type(made)((halves, places), shape=made.shape)
    if made.format in ("csr", "csc"):
        if rng.random() < 0.3:
            made.data[rng.integers(made.nnz)] = 0
        if rng.random() < 0.3:
            made.indices, made.indptr = made.indices.astype("i8"), made.indptr.astype("i8")
        if rng.random() < 0.3:
            for start, end in zip(made.indptr, made.indptr[1:], strict=False):
                made.indices[start:end] = made.indices[start:end][::-1].copy()
                made.data[start:end] = made.data[start:end][::-1].copy()
            made.has_sorted_indices = False
    if damage and hasattr(made, "indptr"):
        if rng.random() < 0.5:
            made.indices[rng.integers(len(made.indices))] = rng.choice([-1, 10**6, -(2**31)])
        else:
            made.indptr[rng.integers(len(made.indptr))] = rng.choice([-1, 10**6])
    elif damage and made.format == "coo":
        made.col[rng.integers(made.nnz)] = rng.choice([-1, 10**6])
    return made


@st.composite
def documents(draw, whole):
    """Texts like `whole`: some odd, in a list or what else holds texts in an order."""
    found = list(whole)
    what = draw(chances(odd=12, broken=2, none=1, length=1, junk=1))
    if what == "junk":
        return draw(junk)
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, len(found) - 1))
        found[place] = draw({"broken": broken_texts, "none": junk}.get(what, texts))
    if what == "length":
        found = found[: draw(st.integers(0, len(found)))]
    makers = [list, list, tuple, iter, lambda each: np.array(each, dtype=object)]
    makers += [lambda each: pd.Series(each, index=range(9, 9 + len(each)), dtype=object)]
    makers += [lambda each: pd.Series(each, dtype="category"), pd.Series] if what == "odd" else [
        set, dict
    ]  # fmt: skip
    made = draw(st.sampled_from(makers))
    if made in (set, dict):
        return dict.fromkeys(map(str, found)) if made is dict else set(map(str, found))
    return made(found)


@st.composite
def labels(draw, whole):
    """One value a document like `whole`: classes, groups, times or assignments."""
    found = list(whole)
    what = draw(chances(same=2, kinds=6, few=3, other=2, container=5, length=1, junk=1))
    if what == "junk":
        return draw(junk)
    if what == "length":
        return found[: draw(st.integers(0, len(found) - 1))]
    if what == "few":
        return [found[0]] * len(found)
    if what == "kinds":
        other = draw(st.lists(st.one_of(texts, st.integers(-1, 5), st.floats(0, 9)), min_size=1,
                              max_size=4))  # fmt: skip
        made = draw(st.sampled_from([str, lambda value: value]))
        return [made(other[place % len(other)]) for place in range(len(found))]
    if what == "other":
        for _ in range(draw(st.integers(1, 3))):
            found[draw(st.integers(0, len(found) - 1))] = draw(junk)
        return found
    return draw(st.sampled_from([
        tuple, np.array, pd.Series, iter,
        lambda each: pd.Series(each, index=range(3, 3 + len(each))),
        lambda each: pd.Series(each, dtype="category"), lambda each: np.array(each, dtype=object),
        lambda each: np.array(each)[:, None], lambda each: torch.tensor(range(len(each))),
        lambda each: np.ma.array(range(len(each)), mask=[1] + [0] * (len(each) - 1)),
    ]))(found)  # fmt: skip


@st.composite
def word_lists(draw, whole):
    """Lists of words like `whole`: a word, or a list, of them changed."""
    found = [list(each) for each in whole]
    words = sorted({word for each in found for word in each})
    what = draw(st.sampled_from(["same", "word", "word", "word", "list", "length", "few"]))
    place = draw(st.integers(0, len(found) - 1))
    if what == "word" and found[place]:
        found[place][draw(st.integers(0, len(found[place]) - 1))] = draw(
            st.one_of(st.sampled_from(words), st.sampled_from(words), texts, st.none())
        )
    elif what == "list":
        found[place] = draw(st.one_of(st.lists(texts, max_size=5), texts, st.none()))
    elif what == "length":
        found = found[: draw(st.integers(0, len(found)))]
    elif what == "few":
        found = [each[: draw(st.integers(0, 5))] for each in found]
    return draw(st.sampled_from([list, tuple, lambda each: np.array(each, dtype=object)]))(found)


@st.composite
def frames(draw, whole):
    """A table like `whole`, with a column gone, changed or doubled, or fewer rows."""
    table = whole.copy()
    what = draw(chances(same=2, rows=4, column=4, gone=2, index=2, junk=1))
    if what == "junk":
        return draw(junk)
    if what == "rows":
        kept = draw(st.lists(st.integers(0, len(table) - 1), max_size=len(table)))
        return table.iloc[kept]
    name = draw(st.sampled_from(list(table.columns)))
    if what == "gone":
        return table.drop(columns=name)
    if what == "index":
        return table.set_index(name, drop=draw(st.booleans()))
    if what == "column":
        value = draw(st.one_of(numbers, texts, st.none()))
        with np.errstate(all="ignore"):
            table[name] = [value] * len(table)
    return table


integers = st.one_of(
    st.integers(1, 6), st.integers(0, 6), st.integers(1, 6).map(np.int64),
    st.integers(1, 6).map(np.uint8), st.sampled_from([-1, 10, 41, 10**6, 2**31, 2**70, True]),
    st.sampled_from([1.0, "2", np.array(2), np.float32(3), None]),
)  # fmt: skip
fractions = st.one_of(
    st.floats(0, 1), st.floats(0, 1), st.floats(0, 1).map(np.float32),
    st.sampled_from([0, 1, 0.0, 1.0, -0.0, 5e-324, 1 - 1e-16, -1e-9, 1.0001, np.nan, "0.5"]),
)  # fmt: skip


class Only(NamedTuple):
    """What an argument may be given, and nothing else: others check the rest."""

    strategy: st.SearchStrategy


def nearly(value):
    """Draw what differs from `value`, which is legal, in a respect or two, or not at all."""
    if isinstance(value, st.SearchStrategy):
        return value
    if isinstance(value, Choice):
        others = st.sampled_from(list(value))
        return st.one_of(others, others, *{type(each): nearly(each) for each in value
                                           if not isinstance(each, str)}.values())  # fmt: skip
    if isinstance(value, pd.DataFrame):
        return frames(value)
    if sp.issparse(value):
        return weights(value)
    if isinstance(value, np.ndarray) and value.ndim == 2:
        return rows(value)
    if isinstance(value, np.ndarray) or (
        isinstance(value, list) and value and not isinstance(value[0], (str, list))
    ):
        return labels(value)
    if isinstance(value, list) and value and isinstance(value[0], str):
        return st.one_of(documents(value), labels(value))
    return _nearly_plain(value)


def _nearly_plain(value):
    if isinstance(value, (bool, np.bool_)):
        return st.sampled_from([True, False, np.True_, 0, 1, None, "yes"])
    if isinstance(value, int):
        return integers
    if isinstance(value, float):
        return fractions
    if isinstance(value, str):
        return texts
    return st.just(value)


def values_like(value):
    """Draw what an argument that `value` is legal for may be given: four in five nearly legal."""
    if isinstance(value, Only):
        return value.strategy
    return mostly(nearly(value))
