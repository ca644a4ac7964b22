"""Honest features as people write them in pandas, and how they become one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from _audit_bars import frame_of, news_frame

from barstack.evaluation.audit import Data

# A column of one symbol: of its frame, and of everything there is, for those that look around.
Column = Callable[[pd.DataFrame, "Data"], pd.Series]


def table(data: Data, columns: Mapping[str, Column]) -> pd.DataFrame:
    """All columns of all symbols, with `symbol` and `decided_at` as index."""
    parts = {}
    for symbol, bars in data.panel.items():
        frame = frame_of(bars)
        parts[symbol] = pd.DataFrame({name: made(frame, data) for name, made in columns.items()})
    return pd.concat(parts, names=["symbol"])


def steps(frame: pd.DataFrame) -> pd.Series:
    return frame["close"].pct_change()


def momentum(length: int) -> Column:
    return lambda frame, data: frame["close"].pct_change(length)


def volatility(length: int) -> Column:
    return lambda frame, data: steps(frame).rolling(length).std()


def distance(length: int) -> Column:
    def made(frame: pd.DataFrame, data: Data) -> pd.Series:
        rolling = frame["close"].rolling(length)
        return (frame["close"] - rolling.mean()) / rolling.std().clip(lower=1e-9)

    return made


def trend(length: int) -> Column:
    return lambda frame, data: frame["close"] / frame["close"].ewm(span=length).mean() - 1.0


def relative_strength(length: int) -> Column:
    def made(frame: pd.DataFrame, data: Data) -> pd.Series:
        moves = frame["close"].diff()
        up = moves.clip(lower=0).ewm(alpha=1 / length, adjust=False).mean()
        down = (-moves).clip(lower=0).ewm(alpha=1 / length, adjust=False).mean()
        return 100.0 * up / (up + down).clip(lower=1e-12)

    return made


def lagged(bars: int) -> Column:
    return lambda frame, data: steps(frame).shift(bars)


def bar_range(frame: pd.DataFrame, data: Data) -> pd.Series:
    return (frame["high"] - frame["low"]) / frame["close"]


def busy(length: int) -> Column:
    return lambda frame, data: (1 + frame["volume"]) / (1 + frame["volume"].rolling(length).mean())


def hour(frame: pd.DataFrame, data: Data) -> pd.Series:
    times = pd.DatetimeIndex(frame.index)
    return pd.Series(np.asarray(times.hour, float), frame.index)


def weekday(frame: pd.DataFrame, data: Data) -> pd.Series:
    return pd.Series(np.asarray(pd.DatetimeIndex(frame.index).dayofweek, float), frame.index)


def since_open(frame: pd.DataFrame, data: Data) -> pd.Series:
    return frame["close"] / frame.groupby("session")["open"].transform("first") - 1.0


def below_high(frame: pd.DataFrame, data: Data) -> pd.Series:
    """Below the highest price of the session so far."""
    return frame["close"] / frame.groupby("session")["high"].cummax() - 1.0


def from_last_session(frame: pd.DataFrame, data: Data) -> pd.Series:
    last = frame.groupby("session")["close"].last().shift(1)
    return frame["close"] / frame["session"].map(last) - 1.0


def bar_us(data: Data) -> int:
    return next(iter(data.panel.values())).length_us


def longer_bar(bars: int) -> Column:
    """Move of the last closed bar that is so many times longer, joined when it closes."""

    def made(frame: pd.DataFrame, data: Data) -> pd.Series:
        length = pd.Timedelta(bars * bar_us(data), "us")
        longer = frame["close"].resample(length, label="right", closed="right").last().dropna()
        moves = longer.pct_change().rename("longer").rename_axis("at").reset_index()
        here = pd.DataFrame({"at": frame.index})
        joined = pd.merge_asof(here, moves.astype({"at": here["at"].dtype}), on="at")
        return pd.Series(joined["longer"].to_numpy(), frame.index)

    return made


def expanding_score(frame: pd.DataFrame, data: Data) -> pd.Series:
    moves = steps(frame)
    return (moves - moves.expanding().mean()) / moves.expanding().std().clip(lower=1e-12)


def others(frame: pd.DataFrame, data: Data) -> pd.Series:
    """Mean of the latest moves of all symbols, whenever they last closed a bar."""
    moves = {symbol: steps(frame_of(bars)) for symbol, bars in data.panel.items()}
    latest = [each.reindex(frame.index, method="ffill") for each in moves.values()]
    return pd.concat(latest, axis=1).mean(axis=1)


def mood(frame: pd.DataFrame, data: Data) -> pd.Series:
    return join(frame, news_frame(data.series["news"]).sort_values("known_at"), "known_at")


def join(frame: pd.DataFrame, told: pd.DataFrame, clock: str) -> pd.Series:
    """The latest of what was told, by a clock of its own."""
    here = pd.DataFrame({clock: frame.index})
    joined = pd.merge_asof(here, told.astype({clock: here[clock].dtype}), on=clock)
    return pd.Series(joined["mood"].to_numpy(), frame.index)


def filtered(frame: pd.DataFrame, data: Data) -> pd.Series:
    """Probability of the wild of two regimes, from the past alone."""
    return _regimes(steps(frame).to_numpy(), smoothed=False, index=frame.index)


def smoothed(frame: pd.DataFrame, data: Data) -> pd.Series:
    """The same, from the future too."""
    return _regimes(steps(frame).to_numpy(), smoothed=True, index=frame.index)


def _regimes(moves: Any, *, smoothed: bool, index: pd.Index) -> pd.Series:
    calm = 1e-3
    likely = np.stack([np.exp(-0.5 * (moves / s) ** 2) / s for s in (calm, 2.5 * calm)], axis=1)
    likely = np.nan_to_num(likely, nan=1.0) + 1e-30
    stay = np.array([[0.97, 0.03], [0.03, 0.97]])
    forward = np.empty_like(likely)
    state = np.array([0.5, 0.5])
    for row in range(len(likely)):
        state = (state @ stay) * likely[row]
        state /= state.sum()
        forward[row] = state
    if smoothed:
        back = np.array([1.0, 1.0])
        for row in range(len(likely) - 1, -1, -1):
            joint = forward[row] * back
            back = stay @ (likely[row] * back)
            back /= back.sum()
            forward[row] = joint / joint.sum()
    return pd.Series(forward[:, 1], index)


def draw(rng: np.random.Generator, data: Data, count: int = 6) -> dict[str, Column]:
    """Some honest features, always at least three with many values."""
    length = int(rng.integers(4, 40))
    steady: dict[str, Column] = {
        f"momentum_{length}": momentum(length),
        f"volatility_{length}": volatility(max(length, 8)),
        f"trend_{length}": trend(length),
    }
    further: dict[str, Column] = {
        f"distance_{length}": distance(length),
        f"rsi_{length}": relative_strength(length),
        "lag_1": lagged(1),
        "lag_3": lagged(3),
        "range": bar_range,
        f"busy_{length}": busy(length),
        "hour": hour,
        "weekday": weekday,
        "since_open": since_open,
        "below_high": below_high,
        "from_last_session": from_last_session,
        "longer_bar": longer_bar(int(rng.integers(3, 8))),
        "expanding_score": expanding_score,
        "regime": filtered,
    }
    if len(data.panel) > 1:
        further["others"] = others
    if data.series:
        further["mood"] = mood
    names = list(further)
    chosen = [names[place] for place in rng.choice(len(names), count, replace=False)]
    return steady | {name: further[name] for name in chosen}
