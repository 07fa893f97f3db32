"""Times of documents: dates, years or other numbers, and numbers that encode dates."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from pandas.api.types import is_datetime64_any_dtype as is_datetime

from saetm_plugins.analysis.groups import warn_of_missing
from saetm_plugins.validation import check_choice

# By their unit: how pandas converts numbers to dates, and what they are called.
_UNITS: dict[str, tuple[dict[str, Any], str]] = {
    "s": ({"unit": "s"}, "seconds since 1970"),
    "ms": ({"unit": "ms"}, "milliseconds since 1970"),
    "us": ({"unit": "us"}, "microseconds since 1970"),
    "ns": ({"unit": "ns"}, "nanoseconds since 1970"),
    "excel": ({"unit": "D", "origin": "1899-12-30"}, "days as Excel numbers them"),
}
# Dates without separators, by the number of their digits.
_DIGITS = {6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_EARLIEST, _LATEST = "1990", "2050"  # of numbers that are read as dates
_DAY_FIRST = r"^\s*(\d{1,2})[./-](\d{1,2})[./-](\d{4})\b"
_QUARTER = r"(\d{4})[- ]?Q([1-4])"


def read_times(
    times: Any, n_documents: int, name: str = "times", *, as_numbers: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Read any array-like by :func:`parse_times`: float64 or datetime64, and which are known."""
    no_list = isinstance(times, str | bytes | set | dict) or sp.issparse(times)
    if no_list or not hasattr(times, "__len__") or getattr(times, "ndim", 1) != 1:
        raise TypeError(f"{name} must hold a time for each document; found {type(times).__name__}")
    if np.ma.isMaskedArray(times):
        raise TypeError(f"{name} is a masked array; give missing times as NaN or None")
    series = pd.Series(times).reset_index(drop=True)
    if len(series) != n_documents:
        raise ValueError(f"{name} has {len(series)} entries for {n_documents} documents")
    known = series.notna().to_numpy()
    warn_of_missing(int((~known).sum()), n_documents, name)
    series = parse_times(series, name, as_numbers=as_numbers)
    if is_datetime(series):
        return series.to_numpy(), known
    return series.to_numpy(dtype=np.float64, na_value=np.nan), known


def parse_times(
    times: pd.Series,
    name: str = "times",
    *,
    unit: str | None = None,
    format: str | None = None,
    as_numbers: bool = False,
    day_first: bool = False,
    leave_out: bool = False,
    at: Callable[[int], str] | None = None,
) -> pd.Series:
    """Return times as dates without a zone (those with one in UTC), else as float64.

    Parameters
    ----------
    times : Series of shape (n,)
        Dates, ISO texts, quarters ("2019Q1"), years or other numbers. Numbers that are seconds,
        milliseconds, … since 1970 (of 1990 to 2049), days of Excel (of 1990 to 2049), or dates such
        as 20190104 in every row are read as dates, with a warning.
    name : str
        For messages.
    unit : {"s", "ms", "us", "ns", "excel"}, optional
        The unit of numbers that are dates.
    format : str, optional
        How dates are written, for ``strptime``: "%d.%m.%Y".
    as_numbers : bool, default=False
        Never read numbers as dates.
    day_first : bool, default=False
        Texts such as "28/02/2024" or "28.2.2024" are dates, the day first; ISO texts are as well.
    leave_out : bool, default=False
        Entries that cannot be read are missing, with a warning, where fewer than half are such.
    at : callable, optional
        Names a row, counted from 0, in errors; ``times[3]`` by default.
    """
    at = at or (lambda row: f"{name}[{row}]")
    limit = times.notna().sum() / 2 if leave_out else 0
    if unit is not None:
        check_choice(unit, "time_unit", tuple(_UNITS))
    if isinstance(times.dtype, pd.PeriodDtype):
        times = times.dt.to_timestamp()
    if pd.api.types.is_bool_dtype(times.dtype):
        raise TypeError(f"{name} must hold dates, years or numbers; found True and False")
    known = times.notna().to_numpy()
    if format is not None:
        integers = times.convert_dtypes()  # 20190104.0, beside missing ones, is 20190104
        dates = pd.to_datetime(integers.astype("string"), format=format, errors="coerce")
        problem = f"not a date as {format!r} writes it"
        _refuse(times, known & dates.isna().to_numpy(), at, problem, limit)
        times = dates
    elif not pd.api.types.is_numeric_dtype(times.dtype) and not is_datetime(times):
        times = _parse_texts(times, known, at, day_first, limit)
    if is_datetime(times):
        return times if times.dt.tz is None else times.dt.tz_convert("UTC").dt.tz_localize(None)
    numbers = times.astype("Float64").astype(np.float64)
    infinite = np.flatnonzero(np.isinf(numbers))
    if len(infinite):
        raise ValueError(f"{at(infinite[0])} is infinite")
    if unit is not None:
        within = numbers.where(numbers.abs() < 1e18)  # pandas 2 overflows
        dates = pd.to_datetime(within, errors="coerce", **_UNITS[unit][0])
        _refuse(times, known & dates.isna().to_numpy(), at, "out of the range of dates", limit)
        return dates
    return numbers if as_numbers or not known.any() else _recognise(numbers, known, name)


def _refuse(
    times: pd.Series, wrong: np.ndarray, at: Callable[[int], str], problem: str, limit: float
) -> None:
    """Name the first entry that is wrong: in a warning where fewer than `limit` are."""
    for row in np.flatnonzero(wrong)[:1]:
        value = times.iloc[row]
        message = f"{at(row)} is {repr(value) if isinstance(value, str) else value}, {problem}"
        if wrong.sum() >= limit:
            raise ValueError(message)
        count = f"{wrong.sum():,} of {len(times):,} times cannot be read and are left out"
        warnings.warn(f"{count}: {message}", UserWarning, stacklevel=4)


def _parse_texts(
    series: pd.Series, known: np.ndarray, at: Callable[[int], str], day_first: bool, limit: float
) -> pd.Series:
    """Read texts and objects as numbers where all are, else as dates."""
    for row, value in enumerate(series):
        if hasattr(value, "__len__") and not isinstance(value, str | bytes):
            found = type(value).__name__
            raise TypeError(f"{at(row)} must be a date, a year or a number; found {found}")
    numbers = pd.to_numeric(series, errors="coerce")
    if numbers[known].notna().all():
        return numbers.astype(np.float64)
    quarters = series[known].astype("string").str.extract(_QUARTER + r"\s*$")
    if quarters.notna().all(axis=None):
        texts = series.where(known, None).astype("string").str.strip()
        periods = pd.PeriodIndex(texts.str.replace(_QUARTER, r"\1Q\2", regex=True), freq="Q")
        return pd.Series(periods.to_timestamp())
    texts = series
    if day_first:
        iso = series.astype("string").str.replace(_DAY_FIRST, _as_iso, regex=True)
        texts = series.where(~known, iso)
    dates = pd.to_datetime(texts, errors="coerce", format="ISO8601", utc=True)
    problem = "neither a number nor an ISO date (give the format of others: "
    problem += "--day-first, --time-format, or in Python pandas.to_datetime(…, format=…))"
    _refuse(series, known & dates.isna().to_numpy(), at, problem, limit)
    return dates


def _as_iso(date: re.Match[str]) -> str:
    return f"{date[3]}-{date[2]:0>2}-{date[1]:0>2}"


def _recognise(numbers: pd.Series, known: np.ndarray, name: str) -> pd.Series:
    """Return numbers as dates where they can hardly be anything else, with a warning."""
    given = numbers[known]
    if (given == given.round()).all() and given.between(1e5, 1e15).all():
        texts = given.astype(np.int64).astype(str)
        format = _DIGITS.get(len(texts.iloc[0]), "")
        dates = pd.to_datetime(texts, format=format, errors="coerce")
        years = texts.str[:4].astype(int).between(1900, 2100)
        days = pd.to_datetime(texts, format="%y%m%d", errors="coerce")
        mistakable = format == "%Y%m" and days.notna().all()
        if format and dates.notna().all() and years.all() and not mistakable:
            return _say(numbers, dates, f"dates written {format}", name)
    for unit, (options, called) in _UNITS.items():
        first, last = pd.Timestamp(_EARLIEST), pd.Timestamp(_LATEST)
        dates = pd.to_datetime(given, errors="coerce", **options)
        is_round = unit == "excel" and (given % 100 == 0).all()  # thousands of something
        if ((dates >= first) & (dates < last)).all() and not is_round:
            return _say(numbers, dates, called, name)
    return numbers


def _say(numbers: pd.Series, dates: pd.Series, called: str, name: str) -> pd.Series:
    warnings.warn(
        f"{name} is read as {called}: {numbers[dates.index[0]]:.15g} is {dates.iloc[0]}",
        UserWarning,
        stacklevel=2,
    )
    return dates.reindex(numbers.index)
