"""Times of documents (dates, years, numbers) and the periods they are cut into."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from saetm_plugins.analysis.times import read_times
from saetm_plugins.validation import check_count, is_integer

_MOST_VALUES = 25  # distinct numbers that are periods of their own
_MOST_PERIODS = 100_000
_ABOUT = 20  # periods that "auto" aims at, at most
_STEPS = (1, 2, 5)
# Calendar units from the longest to the shortest, by their mean length in days.
_CALENDAR = (("Y", 365.25), ("Q", 91.3), ("M", 30.4), ("W", 7.0), ("D", 1.0), ("h", 1 / 24))


@dataclass(frozen=True)
class Periods:
    """Consecutive periods, and the one of each document.

    Attributes
    ----------
    names : list, length P
        Numbers where a period is one, else texts: "1850–1859", "2020-03".
    codes : ndarray of shape (n,), int64
        -1 where the time is missing or in no period.
    """

    names: list[Any]
    codes: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Documents in each period, (P,)."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))


def cut_into_periods(times: Any, bins: Any, n_documents: int, name: str = "times") -> Periods:
    """Cut times into consecutive periods; some may hold no documents.

    Parameters
    ----------
    times : array-like of length n
        As of :func:`saetm_plugins.analysis.times.parse_times`; numbers are not read as dates where
        `bins` are numbers. A document without a time is in no period, with a warning.
    bins : "auto", int, str or sequence
        As of :func:`saetm_plugins.analysis.topic_trends`.
    n_documents : int
    name : str
        Of the argument, for errors.
    """
    edges = [] if isinstance(bins, str) or not hasattr(bins, "__len__") else list(bins)
    as_numbers = bool(edges) and all(isinstance(edge, numbers.Real) for edge in edges)
    values, known = read_times(times, n_documents, name, as_numbers=as_numbers)
    if isinstance(bins, str) and bins != "auto":
        if values.dtype.kind != "M":
            raise ValueError(f"bins={bins!r} is for dates; {name} holds numbers")
        return _calendar(values, known, bins)
    if isinstance(bins, str):
        return _auto_dates(values, known) if values.dtype.kind == "M" else _auto(values, known)
    if is_integer(bins):
        n_bins = check_count(bins, "bins")
        if n_bins > _MOST_PERIODS:
            raise ValueError(f"bins must be at most {_MOST_PERIODS:,} periods; found {n_bins:,}")
        return _equal(values, known, n_bins)
    return _between(values, known, _read_edges(bins, values))


def _auto(values: np.ndarray, known: np.ndarray) -> Periods:
    found = np.unique(values[known])
    whole = (found == np.round(found)).all()
    if len(found) <= _MOST_VALUES and (not whole or np.ptp(found) <= 2 * _MOST_VALUES):
        if whole:  # years without documents are periods, too
            found = np.arange(found[0], found[-1] + 1)
        codes = np.full(len(values), -1)
        codes[known] = np.searchsorted(found, values[known])
        return Periods([int(v) if v == round(v) else float(v) for v in found], codes)
    step = _round_step(np.ptp(found) / _ABOUT, whole=bool(whole))
    first, last = np.floor(found[0] / step), np.floor(found[-1] / step)
    # A step below 1 is not exact; a multiple of it, rounded, is.
    edges = np.round(np.arange(first, last + 2) * step, 12)
    return _between(values, known, edges)


def _round_step(least: float, *, whole: bool) -> float:
    """Return the smallest of …, 0.1, 0.2, 0.5, 1, 2, 5, 10, … that is at least `least`."""
    power = 10.0 ** np.floor(np.log10(least)) if least > 0 else 1.0
    step = next((s * power for s in _STEPS if s * power >= least * (1 - 1e-9)), 10 * power)
    return max(step, 1.0) if whole else step


def _auto_dates(values: np.ndarray, known: np.ndarray) -> Periods:
    days = np.ptp(values[known]) / np.timedelta64(1, "D")
    for unit, length in _CALENDAR:
        if days / length >= _ABOUT / 4:
            step = _round_step(days / length / _ABOUT, whole=True) if unit == "Y" else 1
            return _calendar(values, known, unit if step == 1 else f"{int(step)}Y")
    return _calendar(values, known, _CALENDAR[-1][0])


def _calendar(values: np.ndarray, known: np.ndarray, length: str) -> Periods:
    """Cut dates into calendar periods of a pandas length; several years begin at a multiple."""
    try:
        offset = pd.tseries.frequencies.to_offset(length, is_period=True)
        each = pd.PeriodIndex(pd.DatetimeIndex(values[known]), freq=offset.base)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"bins={length!r} is not a period of pandas: {error}") from None
    numbers, step = each.asi8, int(offset.n)
    first = int(numbers.min())
    if each.freqstr.startswith("Y"):  # decades begin with 1850, not with the first document
        first = int(each.min().year) // step * step - 1970
    codes = np.full(len(values), -1)
    codes[known] = (numbers - first) // step
    n_periods = int(codes.max()) + 1
    starts = pd.PeriodIndex.from_ordinals(first + step * np.arange(n_periods), freq=offset.base)
    names = [str(start) for start in starts]
    if step > 1:
        names = [f"{start}–{start + step - 1}" for start in starts]
    return Periods(names, codes)


def _equal(values: np.ndarray, known: np.ndarray, n_bins: int) -> Periods:
    low, high = values[known].min(), values[known].max()
    if low == high:
        return _between(values, known, np.array([low, low]))
    if values.dtype.kind == "M":
        span = (high - low) / np.timedelta64(1, "us")
        steps = (np.linspace(0, span, n_bins + 1)).astype("timedelta64[us]")
        return _between(values, known, low.astype("datetime64[us]") + steps)
    return _between(values, known, np.linspace(low, high, n_bins + 1))


def _read_edges(bins: Any, values: np.ndarray) -> np.ndarray:
    try:
        if values.dtype.kind == "M":
            edges = pd.to_datetime(list(bins)).to_numpy(dtype="datetime64[us]")
        else:
            edges = np.asarray(list(bins), dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            f'bins must be "auto", a number of periods, a length such as "10Y", or edges; found '
            f"{bins!r}"
        ) from None
    if len(edges) < 2 or not (edges[1:] > edges[:-1]).all():
        raise ValueError(f"bins must hold at least 2 edges, in rising order; found {bins!r}")
    return edges


def _between(values: np.ndarray, known: np.ndarray, edges: np.ndarray) -> Periods:
    """Cut between edges: a period holds its lower edge, the last one its upper edge as well."""
    codes = np.full(len(values), -1)
    given = values[known].astype(edges.dtype)
    inside = (given >= edges[0]) & (given <= edges[-1])
    found = np.minimum(np.searchsorted(edges, given, side="right") - 1, len(edges) - 2)
    codes[known] = np.where(inside, found, -1)
    if (codes < 0).all():
        raise ValueError(f"bins from {edges[0]} to {edges[-1]} hold no document")
    if edges.dtype.kind == "M":
        names: list[Any] = [f"{low}–{high}" for low, high in pairwise(edges.astype("M8[D]"))]
    elif (edges == np.round(edges)).all() and (values[known] == np.round(values[known])).all():
        ends = [(int(low), int(high) - 1) for low, high in pairwise(edges)]
        names = [low if low >= high else f"{low}–{high}" for low, high in ends]
    else:
        names = [f"{low:.6g}–{high:.6g}" for low, high in pairwise(edges)]
    return Periods(names, codes)
