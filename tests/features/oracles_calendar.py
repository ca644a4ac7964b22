"""Calendar features from pandas' own dates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from tests.features.oracle import Oracle

_DAY_US = 86_400_000_000


def _date(f: Any) -> Any:
    return pd.to_datetime(f["session"], unit="D").dt


def _progress(f: Any, at: Any) -> Any:
    length = f["session_close"] - f["session_open"]
    return ((at - f["session_open"]) / length).clip(0, 1)


def _time_of_day(f: Any) -> Any:
    return 2 * np.pi * ((f["closed_at"] - f["session_open"]) % _DAY_US) / _DAY_US


def _of_sessions(f: Any, values: Any) -> Any:
    """A value for each session, through the session; none in the first."""
    values.iloc[0] = np.nan
    return f["session"].map(values)


def _half_day(f: Any) -> Any:
    length = (f["session_close"] - f["session_open"]).groupby(f["session"]).first()
    return _of_sessions(f, (length < length.rolling(11, min_periods=1).max()).astype(float))


def _days_since(f: Any) -> Any:
    days = pd.Series(f["session"].unique(), f["session"].unique())
    return _of_sessions(f, days.diff())


def _missing(f: Any) -> Any:
    out = []
    for _, day in f.groupby("session"):
        length = day["closed_at"] - day["opened_at"]
        usual = pd.concat([length, length.shift()], axis=1).max(axis=1)
        since = day["closed_at"].shift().fillna(day["session_open"])
        out.append(((day["opened_at"] - since) / usual).clip(lower=0))
    return pd.concat(out)


def _turn_of_month(f: Any) -> Any:
    values = {}
    for session in f["session"].unique():
        date = pd.Timestamp(session, unit="D")
        first = date.replace(day=1)
        last = first + pd.offsets.MonthEnd(0)
        begun = len(pd.bdate_range(first, date))
        left = len(pd.bdate_range(date + pd.Timedelta(days=1), last))
        values[session] = float(begun <= 3 or left == 0)
    return f["session"].map(values)


def _year(f: Any) -> Any:
    date = _date(f)
    return 2 * np.pi / 12 * (date.month - 1 + (date.day - 1) / date.days_in_month)


ORACLES: dict[str, Oracle] = {
    "session_progress": Oracle("pandas", lambda f: _progress(f, f["closed_at"])),
    "minutes_from_open": Oracle(
        "pandas", lambda f: ((f["closed_at"] - f["session_open"]) / 6e7).clip(lower=0)
    ),
    "minutes_to_close": Oracle(
        "pandas", lambda f: ((f["session_close"] - f["closed_at"]) / 6e7).clip(lower=0)
    ),
    "time_of_day_sin": Oracle("pandas", lambda f: np.sin(_time_of_day(f))),
    "time_of_day_cos": Oracle("pandas", lambda f: np.cos(_time_of_day(f))),
    "session_smile": Oracle(
        "pandas",
        lambda f: np.cos(2 * np.pi * _progress(f, (f["opened_at"] + f["closed_at"]) / 2)),
    ),
    "half_day": Oracle("pandas", _half_day),
    "days_since_last_session": Oracle("pandas", _days_since),
    "missing_bars": Oracle("pandas", _missing),
    "day_of_week_sin": Oracle("pandas", lambda f: np.sin(2 * np.pi * _date(f).day_of_week / 7)),
    "day_of_week_cos": Oracle("pandas", lambda f: np.cos(2 * np.pi * _date(f).day_of_week / 7)),
    "day_of_month": Oracle("pandas", lambda f: (_date(f).day - 1) / (_date(f).days_in_month - 1)),
    "turn_of_month": Oracle("pandas", _turn_of_month),
    "month_sin": Oracle("pandas", lambda f: np.sin(_year(f))),
    "month_cos": Oracle("pandas", lambda f: np.cos(_year(f))),
}
