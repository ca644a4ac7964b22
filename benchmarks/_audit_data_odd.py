"""Odd honest labels, columns and bars: what looks like knowledge of the future and is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from _audit_bars import Source, frame_of
from _audit_data_leaks import _bars, _join, _shifted
from _audit_features import Column, momentum, trend, volatility
from _audit_leaks import Draft, draft, labels_with, steady

from barstack.bars import Bars, SeriesTable
from barstack.core.times import DAY_US, DecidedAt, KnownAt
from barstack.evaluation.audit import Data, Pipeline
from barstack.labels import LABELS

Odd = Callable[[np.random.Generator, Source], tuple[Pipeline, Data]]
DATA_ODD: dict[str, Odd] = {}


def odd(name: str) -> Callable[[Callable[..., Draft]], Callable[..., Draft]]:
    """Enter an honest pipeline; what it gives besides a draft takes the place of functions."""

    def enter(builder: Callable[..., Any]) -> Callable[..., Any]:
        def made(rng: np.random.Generator, source: Source) -> tuple[Pipeline, Data]:
            given = builder(rng, source)
            made_of, parts = given if isinstance(given, tuple) else (given, {})
            case = made_of.case("", None, **parts)
            return case.pipeline, case.data

        DATA_ODD[name] = made
        return builder

    return enter


def _barriers(rng: np.random.Generator, source: Source, upper: float, lower: float) -> Draft:
    made_of = draft(rng, source)
    label = {"label": "triple_barrier", "horizons": [int(rng.integers(8, 30))], "span": 50}
    made_of.label = LABELS.parse(label | {"upper": upper, "lower": lower})
    made_of.columns |= {"volatility": volatility(20), "slow": volatility(60)}
    return made_of


@odd("barriers far above and close below")
def _above(rng: np.random.Generator, source: Source) -> Draft:
    return _barriers(rng, source, 4.0, 0.3)


@odd("barriers close above and far below")
def _below(rng: np.random.Generator, source: Source) -> Draft:
    return _barriers(rng, source, 0.3, 4.0)


def _ahead_volatility(close: Any, horizon: int) -> Any:
    """Root mean square of the returns of the following bars."""
    squares = pd.Series(np.diff(np.log(close), prepend=np.nan) ** 2)
    return _shifted(np.sqrt(squares.rolling(horizon).mean()), horizon)


@odd("volatility as a label, beside the return")
def _volatility(rng: np.random.Generator, source: Source) -> Any:
    made_of = draft(rng, source, kind="return", horizon=12)
    made_of.columns |= {"volatility": volatility(12), "slow": volatility(48)}

    def change(table: Any, data: Data) -> Any:
        found = [_ahead_volatility(data.panel[s].close, 12) for s in table.decisions.symbols]
        values = np.where(np.isnan(table.values), np.nan, np.concatenate(found)[:, None])
        return replace(table, values=values)

    return made_of, {"labels": labels_with(change)(made_of.label)}


def _own_label(number: Callable[[pd.DataFrame], Any], horizon: int) -> Callable[[Data], Any]:
    """A table of labels as people make it in pandas."""

    def labels(data: Data) -> pd.DataFrame:
        parts = {}
        for symbol, bars in data.panel.items():
            frame = frame_of(bars)
            known = np.full(len(bars), np.datetime64("NaT", "us"))
            known[:-horizon] = bars.closed_at[horizon:]
            values = np.where(np.isnat(known), np.nan, np.asarray(number(frame), float))
            parts[symbol] = pd.DataFrame({"known_at": known, "label": values}, frame.index)
        return pd.concat(parts, names=["symbol"])

    return labels


@odd("volatility as the only label")
def _only_volatility(rng: np.random.Generator, source: Source) -> Any:
    made_of = draft(rng, source)
    made_of.columns |= {"volatility": volatility(10), "slow": volatility(40)}
    labels = _own_label(lambda frame: _ahead_volatility(frame["close"].to_numpy(), 8), 8)
    return made_of, {"labels": labels}


@odd("the log of volatility as a label")
def _log_volatility(rng: np.random.Generator, source: Source) -> Any:
    made_of = draft(rng, source)
    made_of.columns |= {"volatility": volatility(10), "slow": volatility(40)}
    labels = _own_label(
        lambda frame: np.log(_ahead_volatility(frame["close"].to_numpy(), 8) + 1e-6), 8
    )
    return made_of, {"labels": labels}


@odd("volume as a label")
def _volume(rng: np.random.Generator, source: Source) -> Any:
    made_of = draft(rng, source)
    labels = _own_label(lambda frame: _shifted(np.log1p(frame["volume"]).rolling(4).mean(), 4), 4)
    return made_of, {"labels": labels}


@odd("the range ahead as a label")
def _range(rng: np.random.Generator, source: Source) -> Any:
    made_of = draft(rng, source)
    made_of.columns |= {"volatility": volatility(10)}

    def ahead(frame: pd.DataFrame) -> Any:
        high = _shifted(frame["high"].rolling(6).max(), 6)
        low = _shifted(frame["low"].rolling(6).min(), 6)
        return np.log(high / low)

    return made_of, {"labels": _own_label(ahead, 6)}


@odd("log returns as a label of one's own")
def _logs(rng: np.random.Generator, source: Source) -> Any:
    made_of = draft(rng, source)
    labels = _own_label(lambda frame: np.log(_shifted(frame["close"], 5) / frame["close"]), 5)
    return made_of, {"labels": labels}


@odd("returns from the next open as a label of one's own")
def _next_open(rng: np.random.Generator, source: Source) -> Any:
    made_of = draft(rng, source)
    labels = _own_label(
        lambda frame: _shifted(frame["close"], 5) / _shifted(frame["open"], 1) - 1.0, 5
    )
    return made_of, {"labels": labels}


@odd("returns in units of known volatility")
def _scaled(rng: np.random.Generator, source: Source) -> Any:
    made_of = draft(rng, source)
    labels = _own_label(
        lambda frame: (
            (_shifted(frame["close"], 5) / frame["close"] - 1.0)
            / (frame["close"].pct_change().rolling(50).std() + 1e-5)
        ),
        5,
    )
    return made_of, {"labels": labels}


def _walked(rng: np.random.Generator, source: Source, close: Any, length_us: int) -> Draft:
    made_of = draft(rng, source, symbols=1, horizon=int(rng.integers(1, 9)))
    made_of.data = Data({"WALK": _bars("WALK", close, length_us)}, {})
    made_of.columns = steady(int(rng.integers(4, 20))) | {
        "away": lambda frame, data: frame["close"] / frame["close"].rolling(50).mean() - 1.0
    }
    return made_of


@odd("a peg with noise")
def _peg(rng: np.random.Generator, source: Source) -> Draft:
    return _walked(rng, source, 1.0 + 0.0004 * rng.normal(size=1600), 300_000_000)


@odd("a peg that drifts, with noise, in ticks")
def _soft_peg(rng: np.random.Generator, source: Source) -> Draft:
    level = np.cumsum(0.00005 * rng.normal(size=1600))
    close = np.round(1.0 + level + 0.0004 * rng.normal(size=1600), 4)
    return _walked(rng, source, close, 300_000_000)


@odd("a price that reverts within a day")
def _reverting(rng: np.random.Generator, source: Source) -> Draft:
    away = np.zeros(1600)
    for row in range(1, len(away)):
        away[row] = 0.97 * away[row - 1] + 0.001 * rng.normal()
    return _walked(rng, source, 100.0 * np.exp(away), 300_000_000)


@odd("quotes that bounce between bid and ask")
def _bounce(rng: np.random.Generator, source: Source) -> Draft:
    middle = np.cumsum(0.0002 * rng.normal(size=1600))
    close = 50.0 * np.exp(middle + 0.0005 * rng.choice([-1.0, 1.0], 1600))
    return _walked(rng, source, np.round(close, 2), 60_000_000)


@odd("slow features against long labels")
def _slow(rng: np.random.Generator, source: Source) -> Draft:
    made_of = draft(
        rng, source, symbols=1, horizon=int(rng.integers(40, 80)), kind="return", rows=2400
    )
    made_of.columns |= {
        "slow": momentum(200),
        "slower": trend(300),
        "level": lambda frame, data: frame["close"],
        "time": lambda frame, data: pd.Series(np.arange(len(frame)) * 1.0, frame.index),
        "peak": lambda frame, data: frame["close"].cummax(),
    }
    return made_of


def _handed(made_of: Draft, bars: Bars, numbers: Any) -> Callable[[pd.DataFrame, Data], Any]:
    """Numbers of each bar as a series; what reads them: (n_rows, n_columns), the latest known."""
    n_rows, n_columns = numbers.shape
    names = tuple(f"number_{place}" for place in range(n_columns))
    code, known_at = np.zeros(n_rows, np.int32), KnownAt(np.array(bars.closed_at))
    handed = SeriesTable(names, None, code, known_at, numbers, bars.closed_at[0])
    made_of.data = Data(made_of.data.panel, {**made_of.data.series, "handed": handed})

    def read(frame: pd.DataFrame, data: Data) -> Any:
        at = DecidedAt(np.asarray(frame.index, "datetime64[us]"))
        return data.series["handed"].as_of("", at)[0]

    return read


@odd("hundreds of columns of noise")
def _noise(rng: np.random.Generator, source: Source) -> Draft:
    made_of = draft(rng, source, symbols=1)
    (bars,) = made_of.data.panel.values()
    read = _handed(made_of, bars, rng.normal(size=(len(bars), 120)))

    def noise(place: int) -> Column:
        return lambda frame, data: pd.Series(read(frame, data)[:, place], frame.index)

    made_of.columns |= {f"noise_{place}": noise(place) for place in range(120)}
    return made_of


@odd("numbers that are often unknown")
def _unknown(rng: np.random.Generator, source: Source) -> Draft:
    made_of = draft(rng, source, symbols=1)
    (bars,) = made_of.data.panel.values()
    holes = np.where(rng.random(len(bars)) < 0.3, np.nan, 1.0)
    read = _handed(made_of, bars, holes[:, None])
    made_of.columns["sparse"] = lambda frame, data: (
        frame["close"].pct_change() * read(frame, data)[:, 0]
    )
    return made_of


@odd("the last day's numbers, joined once it is over")
def _yesterday(rng: np.random.Generator, source: Source) -> Draft:
    made_of = draft(rng, source)

    def joined(what: str) -> Any:
        def made(frame: pd.DataFrame, data: Data) -> pd.Series:
            by = frame.groupby("session")
            whole = {"close": by["close"].last(), "volume": by["volume"].sum()}[what].shift(1)
            return frame["session"].map(whole)

        return made

    made_of.columns |= {"day_close": joined("close"), "day_volume": joined("volume")}
    return made_of


@odd("bars that are missing here and there")
def _missing(rng: np.random.Generator, source: Source) -> Draft:
    made_of = draft(rng, source, symbols=1)
    (bars,) = made_of.data.panel.values()
    kept = rng.random(len(bars)) > 0.08
    made_of.data = Data({bars.symbol: replace(bars, records=bars.records[kept])}, {})
    return made_of


@odd("a symbol that seldom trades beside one that often does")
def _seldom(rng: np.random.Generator, source: Source) -> Draft:
    made_of = draft(rng, source, symbols=1)
    walk = np.cumsum(0.001 * rng.normal(size=(2, 900)), axis=1)
    idle = rng.random(900) < 0.5
    close = 20.0 * np.exp(walk[1])
    for row in range(1, 900):
        close[row] = close[row - 1] if idle[row] else close[row]
    panel = {"OFTEN": 100.0 * np.exp(walk[0]), "SELDOM": close}
    made_of.data = Data({name: _bars(name, each, 300_000_000) for name, each in panel.items()}, {})
    made_of.columns = steady(6)
    return made_of


@odd("days that close at 06, 16 and 21 UTC, each on its own clock")
def _days(rng: np.random.Generator, source: Source) -> Draft:
    made_of = draft(rng, source, symbols=1, horizon=1)
    world = np.cumsum(rng.normal(size=24 * 900))
    panel = {}
    for name, hour in (("TOKYO", 6), ("PARIS", 16), ("NEWYORK", 21)):
        own = world + 0.7 * np.cumsum(rng.normal(size=len(world)))
        bars = _bars(name, 100.0 * np.exp(0.002 * own[hour::24]), DAY_US)
        records = bars.records.copy()
        for time in ("opened_at", "closed_at", "session_open", "session_close"):
            records[time] += hour * DAY_US // 24
        panel[name] = replace(bars, records=records)
    made_of.data, made_of.columns = Data(panel, {}), steady(5)
    return made_of


@odd("a label that nothing is known of where nothing moves")
def _unmoved(rng: np.random.Generator, source: Source) -> Draft:
    made_of = draft(rng, source)
    label = {"label": "three_class_volatility", "horizons": [8], "threshold": 0.7}
    made_of.label = LABELS.parse(label)
    return made_of


@odd("a meta-label behind a rule")
def _meta(rng: np.random.Generator, source: Source) -> Draft:
    made_of = draft(rng, source)
    side = {"feature": "rsi", "above": 55, "below": 45}
    base = {"label": "triple_barrier", "upper": 2.0, "lower": 0.7, "span": 50}
    made_of.label = LABELS.parse({"label": "meta", "horizons": [12], "side": side, "base": base})
    return made_of


@odd("a vendor who knows a little")
def _vendor(rng: np.random.Generator, source: Source) -> Draft:
    made_of = draft(rng, source, symbols=1, horizon=4)
    (bars,) = made_of.data.panel.values()
    ahead = np.nan_to_num(_shifted(bars.close, 4) / bars.close - 1.0)
    _join(made_of, bars, "hint", ahead + 8.0 * ahead.std() * rng.normal(size=len(ahead)))
    return made_of


@odd("known when the bar after it opens")
def _later(rng: np.random.Generator, source: Source) -> Any:
    made_of = draft(rng, source, kind="return")

    def change(table: Any, data: Data) -> Any:
        return replace(table, known_at=KnownAt(table.known_at + np.timedelta64(1, "s")))

    return made_of, {"labels": labels_with(change)(made_of.label)}
