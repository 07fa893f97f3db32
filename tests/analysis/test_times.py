"""Numbers and texts that stand for dates, and messages that name the row."""

import warnings

import numpy as np
import pandas as pd
import pytest

from saetm_plugins.analysis.periods import cut_into_periods
from saetm_plugins.analysis.times import parse_times


def periods(times, bins="auto"):
    """Return the names of periods, and the warnings as one text."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        names = cut_into_periods(times, bins, len(times)).names
    return names, " ".join(str(each.message) for each in given)


DAYS = pd.date_range("2019-01-04", periods=24, freq="31D")


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (DAYS.astype("datetime64[s]").astype(np.int64), "seconds since 1970: 1546560000 is 2019"),
        (DAYS.astype("datetime64[ms]").astype(np.int64), "milliseconds since 1970"),
        (DAYS.astype("datetime64[ns]").astype(np.int64), "nanoseconds since 1970"),
        (43469 + 31 * np.arange(24) + 0.5, "days as Excel numbers them"),
        (DAYS.strftime("%Y%m%d").astype(int), "dates written %Y%m%d: 20190104 is 2019-01-04"),
        (DAYS.strftime("%Y%m%d").astype(float), "dates written %Y%m%d"),
        (DAYS.strftime("%Y%m%d"), "dates written %Y%m%d"),
        (DAYS.strftime("%Y%m%d%H%M%S").astype(int), "dates written %Y%m%d%H%M%S"),
    ],
)
def test_numbers_that_stand_for_dates_are_read_as_dates_and_said(times, said):
    expected, _ = periods(DAYS)
    assert expected[0] == "2019Q1"
    found = periods(pd.Series(times))
    assert found[0] == expected
    assert said in found[1]
    with_gaps = pd.Series([None, *times], dtype=object)
    assert periods(with_gaps)[0] == expected


@pytest.mark.parametrize(
    "times",
    [[1850, 1999], [0.1, 0.9], [200101, 200102], [20191301, 20190101], [30000, 40000], [5, 2e9]],
)
def test_other_numbers_stay_numbers(times):
    names, said = periods(times)
    assert not said
    assert not any("-" in str(name) for name in names)


def test_numbers_stay_numbers_where_edges_of_periods_are():
    assert periods([20190104, 20200101], [20190000, 20200000, 20210000]) == (
        ["20190000–20199999", "20200000–20209999"],
        "",
    )


def test_quarters():
    assert periods(["2019Q1", "2019-Q3", "2019 Q2", None])[0] == ["2019-01", "2019-02", "2019-03",
        "2019-04", "2019-05", "2019-06", "2019-07"]  # fmt: skip


def test_units_and_formats_are_as_they_are_said():
    days = parse_times(pd.Series([0, 86400, None]), unit="s")
    assert days.dropna().dt.strftime("%Y-%m-%d").tolist() == ["1970-01-01", "1970-01-02"]
    days = parse_times(pd.Series(["04.01.2019", None, "05.01.2019"]), format="%d.%m.%Y")
    assert days.dropna().dt.day.tolist() == [4, 5]
    months = parse_times(pd.Series([200101, None, 200102], dtype="float"), format="%Y%m")
    assert months.dropna().dt.month.tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"times\[1\] is '5', not a date as '%d\.%m\.%Y' writes"):
        parse_times(pd.Series(["04.01.2019", "5"]), format="%d.%m.%Y")
    with pytest.raises(ValueError, match=r"times\[0\] is 1e\+30, out of the range of dates"):
        parse_times(pd.Series([1e30]), unit="s")
    with pytest.raises(ValueError, match="time_unit must be one of s, ms, us, ns, excel"):
        parse_times(pd.Series([1]), unit="D")
