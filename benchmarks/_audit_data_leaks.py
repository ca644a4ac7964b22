"""Mistakes in labels, in columns that come with the data, and in the bars themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from _audit_bars import Source, related
from _audit_features import momentum
from _audit_leaks import Case, Draft, draft, labels_with, leak, steady

from barstack.bars import Bars, SeriesTable, bars_from_frame
from barstack.core.times import DAY_US, KnownAt
from barstack.evaluation.audit import Data
from barstack.labels import LABELS

_HOUR_US = DAY_US // 24

# --- labels ---------------------------------------------------------------------------------------

Numbers = Callable[[Bars, int], tuple[Any, Any]]  # of bars and horizon: returns, bar they end with


def _labelled(name: str, numbers: Numbers, *, values: bool = True) -> None:
    """A label of other returns, which are its values too or stand behind its directions."""

    def builder(rng: np.random.Generator, source: Source) -> Case:
        made_of = draft(rng, source, kind="return" if values else "direction", horizon=6)
        (horizon,) = made_of.label.horizon_names

        def change(table: Any, data: Data) -> Any:
            parts = [_of_bars(numbers, data.panel[s]) for s in table.decisions.symbols]
            returns, known_at = (np.concatenate(each)[:, None] for each in zip(*parts, strict=True))
            open_ = np.isnat(table.known_at) | np.isnat(known_at) | ~np.isfinite(returns)
            returns = np.where(open_, np.nan, returns)
            side = returns if values else np.where(open_, np.nan, returns > 0.0)
            known = KnownAt(np.where(open_, np.datetime64("NaT", "us"), known_at))
            return replace(table, values=side, returns=returns, known_at=known)

        return made_of.case("labels", horizon, labels=labels_with(change)(made_of.label))

    leak(name)(builder)


def _of_bars(numbers: Numbers, bars: Bars) -> tuple[Any, Any]:
    returns, last = numbers(bars, 6)
    known = np.full(len(bars), np.datetime64("NaT", "us"))
    known[last < len(bars)] = bars.closed_at[last[last < len(bars)]]
    return returns, known


def _shifted(values: Any, bars: int) -> Any:
    """What it is so many bars later, NaN beyond the ends."""
    return pd.Series(np.array(values)).shift(-bars).to_numpy()


def _ends(bars: Bars, horizon: int) -> Any:
    return np.arange(len(bars)) + horizon


def _ahead(bars: Bars, horizon: int, name: str, best: str) -> Any:
    """The best of the following bars."""
    columns = [_shifted(bars.records[name], k) for k in range(1, horizon + 1)]
    return getattr(np, best)(np.stack(columns), axis=0)


def _from(entry: Callable[[Bars], Any]) -> Numbers:
    return lambda bars, h: (_shifted(bars.close, h) / entry(bars) - 1.0, _ends(bars, h))


_labelled("return from the close before", _from(lambda bars: _shifted(bars.close, -1)))
_labelled("return from three closes before", _from(lambda bars: _shifted(bars.close, -3)))
_labelled("return from the bar's own open", _from(lambda bars: np.array(bars.records["open"])))
_labelled("return from the bar's own low", _from(lambda bars: np.array(bars.records["low"])))
_labelled(
    "direction from the close before", _from(lambda bars: _shifted(bars.close, -1)), values=False
)
_labelled(
    "return centred on the decision",
    lambda bars, h: (
        _shifted(bars.close, h // 2) / _shifted(bars.close, -h // 2) - 1.0,
        _ends(bars, h // 2),
    ),
)
_labelled(
    "smooth price over the smooth price so far",
    lambda bars, h: (
        _shifted(pd.Series(np.array(bars.close)).rolling(h).mean(), h)
        / pd.Series(np.array(bars.close)).rolling(h).mean().to_numpy()
        - 1.0,
        _ends(bars, h),
    ),
)
_labelled(
    "left at the best close",
    lambda bars, h: (_ahead(bars, h, "close", "max") / bars.close - 1.0, _ends(bars, h)),
)
_labelled(
    "left at the best price",
    lambda bars, h: (_ahead(bars, h, "high", "max") / bars.close - 1.0, _ends(bars, h)),
)
_labelled(
    "left at the last bar's high",
    lambda bars, h: (_shifted(bars.records["high"], h) / bars.close - 1.0, _ends(bars, h)),
    values=False,
)
_labelled(
    "left at the better of two closes",
    lambda bars, h: (
        np.maximum(_shifted(bars.close, h), _shifted(bars.close, h - 2)) / bars.close - 1.0,
        _ends(bars, h),
    ),
    values=False,
)
_labelled(
    "large losses cut off afterwards",
    lambda bars, h: (
        np.maximum(_shifted(bars.close, h) / bars.close - 1.0, -0.002),
        _ends(bars, h),
    ),
    values=False,
)
_labelled(
    "logarithms in place of returns",
    lambda bars, h: (np.log(_shifted(bars.close, h) / bars.close), _ends(bars, h)),
    values=False,
)


def _chosen(name: str, change: Callable[[Any, Any], Any]) -> None:
    """A label that some decisions have and others have not, by what followed."""

    def builder(rng: np.random.Generator, source: Source) -> Case:
        made_of = draft(rng, source, horizon=8)
        return made_of.case(
            "labels",
            "eligible",
            labels=labels_with(lambda table, data: change(table, table.returns[:, 0]))(
                made_of.label
            ),
        )

    leak(name)(builder)


def _without(table: Any, rows: Any) -> Any:
    """Nothing is said of these rows, as if they were open."""
    return replace(
        table,
        values=np.where(rows[:, None], np.nan, table.values),
        known_at=KnownAt(np.where(rows[:, None], np.datetime64("NaT", "us"), table.known_at)),
    )


_chosen(
    "crashes are not eligible",
    lambda table, moves: replace(table, eligible=table.eligible & ~(moves < -0.02)),
)
_chosen(
    "only what moves is eligible",
    lambda table, moves: replace(table, eligible=table.eligible & ~(np.abs(moves) > 0.05)),
)
_chosen("labels of rallies stay open", lambda table, moves: _without(table, moves > 0.03))


# --- columns that come with the data --------------------------------------------------------------


def _vendor(
    name: str, columns: Callable[[np.random.Generator, Bars], dict[str, Any]], said: str | None
) -> None:
    """Numbers of somebody else's, said to be known at each close, one column each."""

    def builder(rng: np.random.Generator, source: Source) -> Case:
        made_of = draft(rng, source, symbols=1, horizon=4, rows=2200)
        (bars,) = made_of.data.panel.values()
        made_of.columns = steady(int(rng.integers(6, 12)))
        for column, numbers in columns(rng, bars).items():
            _join(made_of, bars, column, numbers)
        return made_of.case("features", said)

    leak(name)(builder)


def _join(made_of: Draft, bars: Bars, name: str, numbers: Any) -> None:
    seen = np.isfinite(numbers)
    table = SeriesTable(
        ("number",),
        None,
        np.zeros(int(seen.sum()), np.int32),
        KnownAt(np.array(bars.closed_at[seen])),
        np.asarray(numbers, float)[seen][:, None],
        bars.closed_at[seen][0],
    )
    made_of.data = Data(made_of.data.panel, {**made_of.data.series, name: table})

    def joined(frame: Any, data: Data) -> Any:
        values, _ = data.series[name].as_of("", np.asarray(frame.index, "datetime64[us]"))  # type: ignore[arg-type]
        return pd.Series(values[:, 0], frame.index)

    made_of.columns[name] = joined


def _held(bars: Bars, horizon: int) -> Any:
    return np.nan_to_num(_shifted(bars.close, horizon) / bars.close - 1.0)


def _noisy(rng: np.random.Generator, values: Any, share: float) -> Any:
    return values + share * np.nanstd(values) * rng.normal(size=len(values))


def _walk(rng: np.random.Generator, n: int) -> Any:
    return 100.0 * np.exp(np.cumsum(0.002 * rng.normal(size=n)))


def _levels(rng: np.random.Generator, bars: Bars) -> dict[str, Any]:
    ahead = np.array(bars.close) * (1.0 + _noisy(rng, _held(bars, 4), 0.5))
    return {"index_level": 37.0 * ahead}


def _two(function: Callable[[Any, Any], tuple[Any, Any]]) -> Callable[..., dict[str, Any]]:
    def columns(rng: np.random.Generator, bars: Bars) -> dict[str, Any]:
        first, second = function(rng, _held(bars, 4))
        return {"first": first, "second": second}

    return columns


def _product(rng: np.random.Generator, answer: Any) -> tuple[Any, Any]:
    side = rng.choice([-1.0, 1.0], len(answer))
    return side, side * answer


def _weighed(rng: np.random.Generator, answer: Any) -> tuple[Any, Any]:
    size = np.exp(rng.normal(size=len(answer)))
    return size, answer / size


def _ratio(rng: np.random.Generator, answer: Any) -> tuple[Any, Any]:
    level = _walk(rng, len(answer))
    return level * (1.0 + answer), level


def _difference(rng: np.random.Generator, answer: Any) -> tuple[Any, Any]:
    noise = 20.0 * answer.std() * rng.normal(size=len(answer))
    return noise + answer, noise


def _three(rng: np.random.Generator, bars: Bars) -> dict[str, Any]:
    first, second = rng.choice([-1.0, 1.0], (2, len(bars)))
    return {"first": first, "second": second, "third": first * second * _held(bars, 4)}


_vendor("a level of later beside today's", _levels, "index_level")
_vendor("two columns whose product is the answer", _two(_product), "first and second")
_vendor("a weight and what it weighs", _two(_weighed), None)
_vendor("two levels whose ratio is the answer", _two(_ratio), "first and second")
_vendor("two columns whose difference is the answer", _two(_difference), "first and second")
_vendor("three columns whose product is the answer", _three, "first and second and third")
_vendor(
    "the return 8 to 20 bars ahead",
    lambda rng, bars: {"told": _noisy(rng, np.roll(_held(bars, 12), -8), 0.5)},
    "told",
)
_vendor(
    "the return of one bar far ahead",
    lambda rng, bars: {"told": np.roll(_held(bars, 1), -int(rng.integers(8, 20)))},
    "told",
)
_vendor(
    "the return over twenty bars",
    lambda rng, bars: {"told": _noisy(rng, _held(bars, 20), 0.6)},
    "told",
)


def _running(what: str, period: str) -> Callable[..., dict[str, Any]]:
    """The whole day's or hour's number, stamped at its start."""

    def columns(rng: np.random.Generator, bars: Bars) -> dict[str, Any]:
        records = bars.records
        group = records["session"]
        if period == "hours":
            group = records["opened_at"] // (4 * _HOUR_US)
        frame = pd.DataFrame(
            {n: np.array(records[n]) for n in ("open", "high", "low", "close", "volume")}
        )
        by = frame.groupby(np.array(group))
        last = by["close"].transform("last")
        high, low = by["high"].transform("max"), by["low"].transform("min")
        found = {
            "close": last,
            "range": high - low,
            "return": last / by["open"].transform("first") - 1.0,
            "volume": by["volume"].transform("sum") if frame["volume"].any() else high,
        }
        return {f"{period}_{what}": found[what].to_numpy()}

    return columns


_vendor("the day's close from its start on", _running("close", "day"), "day_close")
_vendor("the day's return from its start on", _running("return", "day"), "day_return")
_vendor("the day's range from its start on", _running("range", "day"), "day_range")
_vendor("four hours' close from their start on", _running("close", "hours"), "hours_close")
_vendor("four hours' volume from their start on", _running("volume", "hours"), "hours_volume")


def _without_falls(rng: np.random.Generator, bars: Bars) -> dict[str, Any]:
    ahead = _held(bars, 3)
    return {
        "sentiment": np.where(ahead < np.quantile(ahead, 0.08), np.nan, rng.normal(size=len(bars)))
    }


@leak("rows of a series that are missing before falls")
def _gone(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source, symbols=1, horizon=3)
    (bars,) = made_of.data.panel.values()
    whole = _whole_day(rng, len(bars))
    made_of.data = Data({whole.symbol: whole}, {})
    made_of.columns = steady()
    _join(made_of, whole, "sentiment", _without_falls(rng, whole)["sentiment"])
    return made_of.case("series", "sentiment")


# --- bars -----------------------------------------------------------------------------------------


def _whole_day(rng: np.random.Generator, n: int, name: str = "WALK") -> Bars:
    """Five-minute bars of a walk, around the clock."""
    return _bars(name, np.exp(np.cumsum(0.001 * rng.normal(size=n))) * 100.0, 300_000_000)


def _bars(name: str, close: Any, length_us: int) -> Bars:
    start = np.datetime64("2024-01-01", "us").astype(np.int64)
    opened = start + length_us * np.arange(len(close))
    opens = np.concatenate([close[:1], close[:-1]])
    frame = pd.DataFrame(
        {
            "timestamp": pd.to_datetime(opened, unit="us", utc=True),
            "open": opens,
            "high": np.maximum(opens, close) * 1.0002,
            "low": np.minimum(opens, close) / 1.0002,
            "close": close,
            "volume": 1000.0 + np.arange(len(close)) % 17,
        }
    )
    return bars_from_frame(frame, name, length_us=length_us)


def _moved(bars: Bars, places: int) -> Bars:
    """The same prices, each in the place of a bar so many later."""
    records = bars.records.copy()
    for name in ("open", "high", "low", "close", "volume"):
        records[name] = np.roll(bars.records[name], places)
    inside = slice(places, None) if places > 0 else slice(None, places)
    return replace(bars, records=records[inside])


def _together(rng: np.random.Generator, source: Source) -> Draft:
    """Symbols that move together, by one clock."""
    made_of = draft(rng, source, symbols=1, rows=1500, horizon=int(rng.integers(2, 6)))
    (bars,) = made_of.data.panel.values()
    panel = {}
    for each in related(bars):
        records = each.records.copy()
        noise = np.exp(
            0.7 * np.std(np.diff(np.log(each.close))) * np.cumsum(rng.normal(size=len(each)))
        )
        for name in ("open", "high", "low", "close"):
            records[name] *= noise
        panel[each.symbol] = replace(each, records=records)
    made_of.data = Data(panel, {})
    made_of.columns = steady(int(rng.integers(4, 9)))
    return made_of


@leak("one symbol stamped at the end of its bars")
def _late(rng: np.random.Generator, source: Source) -> Case:
    made_of = _together(rng, source)
    name = list(made_of.data.panel)[int(rng.integers(3))]
    made_of.data = Data({**made_of.data.panel, name: _moved(made_of.data.panel[name], 1)}, {})
    return made_of.case("bars", name)


@leak("one symbol stamped a bar too early")
def _soon(rng: np.random.Generator, source: Source) -> Case:
    made_of = _together(rng, source)
    name = list(made_of.data.panel)[int(rng.integers(3))]
    made_of.data = Data({**made_of.data.panel, name: _moved(made_of.data.panel[name], -1)}, {})
    return made_of.case("bars", name)


@leak("closes at 06, 16 and 21 UTC taken as one day")
def _days(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source, symbols=1, horizon=1)
    world = np.cumsum(rng.normal(size=24 * 900))
    panel = {}
    for name, hour in (("TOKYO", 6), ("PARIS", 16), ("NEWYORK", 21)):
        own = world + 0.7 * np.cumsum(rng.normal(size=len(world)))
        panel[name] = _bars(name, 100.0 * np.exp(0.002 * own[hour::24]), DAY_US)
    made_of.data, made_of.columns = Data(panel, {}), steady(5)
    return made_of.case("bars")


def _stuck(rng: np.random.Generator, source: Source, stuck: Any) -> Case:
    made_of = _together(rng, source)
    name, bars = next(iter(made_of.data.panel.items()))
    records = bars.records.copy()
    for row in range(1, len(records)):
        if stuck[row]:
            for price in ("open", "high", "low", "close"):
                records[price][row] = records["close"][row - 1]
    bars = replace(bars, records=records)
    made_of.data = Data({**made_of.data.panel, name: bars}, {})
    return made_of.case("bars", name)


@leak("quotes repeated for half an hour")
def _repeated(rng: np.random.Generator, source: Source) -> Case:
    return _stuck(rng, source, np.arange(10_000) % 6 != 0)


@leak("quotes that stand still now and then")
def _frozen(rng: np.random.Generator, source: Source) -> Case:
    begins = rng.random(10_000) < 0.05
    return _stuck(rng, source, np.convolve(begins, np.ones(6))[:10_000] > 0)


@leak("bars of half an hour repeated as shorter ones")
def _longer(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source, symbols=1)
    bars = _whole_day(rng, 1500)
    close = np.repeat(bars.close[::6], 6)[: len(bars)]
    records = bars.records.copy()
    for price in ("open", "high", "low", "close"):
        records[price] = close
    made_of.data, made_of.columns = (
        Data({"WALK": replace(bars, records=records)}, {}),
        steady(7),
    )
    return made_of.case("bars", "WALK")


@leak("bars that are missing before falls")
def _missing(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source, symbols=1, horizon=2)
    bars = _whole_day(rng, 2000)
    ahead = _held(bars, 1)
    kept = ~(ahead < np.quantile(ahead, 0.06))
    made_of.data = Data({"WALK": replace(bars, records=bars.records[kept])}, {})
    made_of.columns = {"momentum": momentum(5), **steady(8)}
    return made_of.case("bars", "WALK")


@leak("numbers that are unknown before falls")
def _unknown(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source, symbols=1, horizon=3)
    bars = _whole_day(rng, 2000)
    made_of.data, made_of.columns = Data({"WALK": bars}, {}), steady(8)
    numbers = _without_falls(rng, bars)["sentiment"]
    made_of.label = LABELS.parse({"label": "return", "horizons": [3]})
    at = pd.Series(numbers, pd.Index(bars.closed_at))
    made_of.columns["sentiment"] = lambda frame, data: at.reindex(frame.index)
    return made_of.case("features", "sentiment")
