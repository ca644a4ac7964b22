"""Levels and calendar in pandas."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from _pandas_common import (
    MINUTE_US,
    Floats,
    before,
    column,
    first_rows,
    rolling,
    rolling_mean,
    share,
    shift,
    through_session,
    values,
)

_STEPS = np.array([n * 10.0**power for power in range(-12, 9) for n in (1, 2, 5)])
_WEEKDAYS = 2 * np.pi / 7 * np.arange(7)


@column
def distance_to_high(frame: pd.DataFrame, window: int) -> Floats:
    return np.log(values(frame["close"] / frame["high"].rolling(window).max()))


@column
def distance_to_low(frame: pd.DataFrame, window: int) -> Floats:
    return np.log(values(frame["close"] / frame["low"].rolling(window).min()))


@column
def donchian_position(frame: pd.DataFrame, window: int) -> Floats:
    high = shift(values(frame["high"].rolling(window).max()))
    low = shift(values(frame["low"].rolling(window).min()))
    return share(values(frame["close"]) - low, high - low, 0.5)


@column
def session_position(frame: pd.DataFrame) -> Floats:
    by = frame.groupby("session", sort=False)
    high, low = values(by["high"].cummax()), values(by["low"].cummin())
    return share(values(frame["close"]) - low, high - low, 0.5)


def _last_close(frame: pd.DataFrame, first: npt.NDArray[np.int64]) -> Floats:
    return values(frame["close"])[np.append(first[1:], len(frame)) - 1]


@column
def prior_session_position(frame: pd.DataFrame) -> Floats:
    first = first_rows(frame)
    high = through_session(frame, first, before(np.maximum.reduceat(values(frame["high"]), first)))
    low = through_session(frame, first, before(np.minimum.reduceat(values(frame["low"]), first)))
    return share(values(frame["close"]) - low, high - low, 0.5)


@column
def prior_close_distance(frame: pd.DataFrame) -> Floats:
    first = first_rows(frame)
    close = through_session(frame, first, before(_last_close(frame, first)))
    return np.log(values(frame["close"]) / close)


@column
def opening_range_position(frame: pd.DataFrame, minutes: int) -> Floats:
    first = first_rows(frame)
    early = frame["opened_at"].to_numpy() - frame["session_open"].to_numpy() < minutes * MINUTE_US
    early[first] = True
    latest = np.cumsum(early) - 1
    by = frame.loc[early, ["session", "high", "low"]].groupby("session", sort=False)
    high, low = values(by["high"].cummax())[latest], values(by["low"].cummin())[latest]
    return share(values(frame["close"]) - low, high - low, 0.5)


@column
def pivot_distance(frame: pd.DataFrame) -> Floats:
    first = first_rows(frame)
    high = np.maximum.reduceat(values(frame["high"]), first)
    low = np.minimum.reduceat(values(frame["low"]), first)
    pivot = before((high + low + _last_close(frame, first)) / 3)
    return 1 - through_session(frame, first, pivot) / values(frame["close"])


def _swings(x: Floats, strength: int) -> tuple[npt.NDArray[np.bool_], Floats, Floats]:
    """Where a swing high becomes known, the high it would be, and the highest of its window."""
    middle = shift(x, strength)
    highest = values(rolling(x, 2 * strength + 1).max())
    return (middle == highest) & (values(rolling(x, strength).max()) < middle), middle, highest


@column
def swing_high_distance(frame: pd.DataFrame, strength: int) -> Floats:
    known, middle, highest = _swings(values(frame["high"]), strength)
    level = values(pd.Series(np.where(known, middle, np.nan)).ffill())
    return np.log(values(frame["close"]) / np.where(np.isnan(level), highest, level))


@column
def swing_low_distance(frame: pd.DataFrame, strength: int) -> Floats:
    known, middle, highest = _swings(-values(frame["low"]), strength)
    level = values(pd.Series(np.where(known, middle, np.nan)).ffill())
    return np.log(values(frame["close"]) / np.where(np.isnan(level), -highest, -level))


@column
def level_strength(frame: pd.DataFrame, strength: int) -> Floats:
    close = values(frame["close"])
    usual = rolling_mean(frame["high"] - frame["low"], 2 * strength + 1)
    total = np.zeros(len(close))
    for side in (values(frame["high"]), -values(frame["low"])):
        known, middle, _ = _swings(side, strength)
        found = np.concatenate([np.full(4, np.nan), np.abs(middle[known])])
        latest = np.cumsum(known) + 3
        for back in range(4):
            total += np.fmax(usual - np.abs(close - found[latest - back]), 0)
    out = share(total, usual, 0.0)
    out[: 2 * strength] = np.nan
    return out


@column
def round_number_distance(frame: pd.DataFrame, spacing: float) -> Floats:
    close = values(frame["close"])
    steps = close / _STEPS[np.searchsorted(_STEPS, spacing * close, side="right") - 1]
    return np.abs(steps - np.floor(steps + 0.5))


def _time_of_day(frame: pd.DataFrame) -> Floats:
    since_open = frame["closed_at"].to_numpy() - frame["session_open"].to_numpy()
    return since_open * (2 * np.pi / 86_400_000_000)


@column
def time_of_day_sin(frame: pd.DataFrame) -> Floats:
    return np.sin(_time_of_day(frame))


@column
def time_of_day_cos(frame: pd.DataFrame) -> Floats:
    return np.cos(_time_of_day(frame))


def _weekday(frame: pd.DataFrame) -> npt.NDArray[np.int64]:
    return (frame["session"].to_numpy() + 3) % 7


@column
def day_of_week_sin(frame: pd.DataFrame) -> Floats:
    return np.sin(_WEEKDAYS)[_weekday(frame)]


@column
def day_of_week_cos(frame: pd.DataFrame) -> Floats:
    return np.cos(_WEEKDAYS)[_weekday(frame)]


@column
def session_progress(frame: pd.DataFrame) -> Floats:
    opened = frame["session_open"].to_numpy()
    length = frame["session_close"].to_numpy() - opened
    return np.clip((frame["closed_at"].to_numpy() - opened) / length, 0, 1)


@column
def half_day(frame: pd.DataFrame) -> Floats:
    first = first_rows(frame)
    length = (frame["session_close"].to_numpy() - frame["session_open"].to_numpy())[first]
    longest = pd.Series(length).rolling(11, min_periods=1).max()
    half = (length < longest.to_numpy()).astype(float)
    half[0] = np.nan
    return through_session(frame, first, half)


@column
def days_since_last_session(frame: pd.DataFrame) -> Floats:
    first = first_rows(frame)
    session = frame["session"].to_numpy(np.float64)[first]
    return through_session(frame, first, session - before(session))
