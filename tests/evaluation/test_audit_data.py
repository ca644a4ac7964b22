"""Labels nobody can act on, columns that know the answer, and bars that a source got wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.evaluation.audit_pipelines import features, frame

from barstack.bars import Bars, bars_from_frame
from barstack.core.times import DAY_US, KnownAt
from barstack.evaluation.audit import Data, Leak, Pipeline, hunt
from barstack.labels import LABELS, LabelTable
from barstack.testing import walk

HORIZON = 4
LABEL = LABELS.parse({"label": "return", "horizons": [HORIZON]})
DIRECTION = LABELS.parse({"label": "direction", "horizons": [HORIZON]})
BARS = walk(bars=900)
NAT = np.datetime64("NaT", "us")


def found(
    labels: Callable[[Data], Any],
    table: Callable[[Data], Any] = features,
    data: Data | None = None,
    **options: Any,
) -> list[Leak]:
    """What the audit before every run says."""
    pipeline = Pipeline(table, labels)
    return list(hunt(pipeline, data or Data({"WALK": BARS}), short=True, **options))


def plain(data: Data) -> LabelTable:
    return LABEL.compute(data.panel)


def later(values: Any, bars: int) -> Any:
    return pd.Series(np.array(values)).shift(-bars).to_numpy()


# --- labels ---------------------------------------------------------------------------------------


def highest(bars: Bars, name: str) -> Any:
    return np.max([later(bars.records[name], k) for k in range(1, HORIZON + 1)], axis=0)


RETURNS = {
    "close before": lambda bars: later(bars.close, HORIZON) / later(bars.close, -1) - 1.0,
    "own open": lambda bars: later(bars.close, HORIZON) / bars.records["open"] - 1.0,
    "smooth over smooth": lambda bars: (
        later(pd.Series(np.array(bars.close)).rolling(3).mean(), HORIZON)
        / pd.Series(np.array(bars.close)).rolling(3).mean().to_numpy()
        - 1.0
    ),
    "best close": lambda bars: highest(bars, "close") / bars.close - 1.0,
    "best price": lambda bars: highest(bars, "high") / bars.close - 1.0,
    "high of the last bar": lambda bars: later(bars.records["high"], HORIZON) / bars.close - 1.0,
    "losses cut off afterwards": lambda bars: np.maximum(
        later(bars.close, HORIZON) / bars.close - 1.0, -0.001
    ),
    "logarithm": lambda bars: np.log(later(bars.close, HORIZON) / bars.close),
}


def with_returns(made: Callable[[Bars], Any], *, only: bool) -> Callable[[Data], LabelTable]:
    """A label of these returns; `only`: they are its values too."""

    def labels(data: Data) -> LabelTable:
        table = (LABEL if only else DIRECTION).compute(data.panel)
        numbers = np.concatenate([made(data.panel[s]) for s in table.decisions.symbols])[:, None]
        open_ = np.isnat(table.known_at) | ~np.isfinite(numbers)
        returns = np.where(open_, np.nan, numbers)
        side = returns if only else np.where(open_, np.nan, returns > 0.0)
        return replace(
            table,
            values=side,
            returns=returns,
            known_at=KnownAt(np.where(open_, NAT, table.known_at)),
        )

    return labels


@pytest.mark.parametrize("name", RETURNS)
def test_returns_behind_a_label_are_those_of_a_holding(name: str) -> None:
    (leak,) = found(with_returns(RETURNS[name], only=False))
    assert (leak.stage, leak.column) == ("labels", "4bars")
    assert "no holding from the close at the decision" in leak.what


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("close before", "begins at an earlier price"),
        ("own open", "begins at an earlier price"),
        ("smooth over smooth", "begins at an earlier price"),
        ("best close", "highest close"),
        ("best price", "highest price"),
        ("logarithm", None),
    ],
)
def test_a_label_of_one_s_own_is_measured(name: str, words: str | None) -> None:
    """Where nothing says that it is a return it may be anything, but not begin in the past."""
    leaks = found(with_returns(RETURNS[name], only=True))
    assert [words in leak.what for leak in leaks if words] == ([True] if words else [])
    assert words or not leaks


def test_profits_want_returns() -> None:
    """Volatility is a label like any other; where profits are computed from it, it is none."""
    volatility = with_returns(
        lambda bars: later(pd.Series(np.log(bars.close)).diff().rolling(HORIZON).std(), HORIZON),
        only=True,
    )
    assert not found(volatility)
    pipeline = Pipeline(features, volatility, traded=True)
    (leak,) = hunt(pipeline, Data({"WALK": BARS}), short=True)
    assert leak.stage == "labels"


@pytest.mark.parametrize(
    "label",
    [
        {"label": "triple_barrier", "upper": 4.0, "lower": 0.3, "span": 20},
        {"label": "triple_barrier", "upper": 0.3, "lower": 4.0, "span": 20},
        {"label": "triple_barrier", "upper": 20.0, "lower": 10.0, "unit": "bps"},
        {"label": "meta", "side": {"feature": "rsi", "above": 55, "below": 45}},
        {
            "label": "meta",
            "side": {"feature": "rsi", "above": 55, "below": 45},
            "base": {"label": "triple_barrier", "upper": 1.0, "lower": 0.5, "span": 20},
        },
        {"label": "three_class_volatility", "span": 20},
        {"label": "return", "overnight": False},
    ],
    ids=lambda label: "-".join(map(str, list(label.values())[:3])),
)
def test_our_own_labels_are_those_of_a_holding(label: dict[str, Any]) -> None:
    parsed = LABELS.parse(label | {"horizons": [10]})

    def table(data: Data) -> pd.DataFrame:
        made = features(data)
        moves = made["move"].groupby("symbol")
        return made.assign(volatility=moves.transform(lambda each: each.rolling(20).std()))

    pipeline = Pipeline(table, lambda data: parsed.compute(data.panel), traded=True)
    assert not list(hunt(pipeline, Data({"WALK": BARS})))


@pytest.mark.parametrize(
    "rows",
    [lambda moves: moves < -0.002, lambda moves: np.abs(moves) > 0.01],
    ids=["crashes", "whatever moves"],
)
@pytest.mark.parametrize("how", ["not eligible", "open"])
def test_decisions_are_not_chosen_by_what_followed(rows: Any, how: str) -> None:
    def labels(data: Data) -> LabelTable:
        table = plain(data)
        gone = rows(np.nan_to_num(table.returns[:, 0]))
        if how == "not eligible":
            return replace(table, eligible=table.eligible & ~gone)
        known = KnownAt(np.where(gone[:, None], NAT, table.known_at))
        values = np.where(gone[:, None], np.nan, table.values)
        return replace(table, known_at=known, values=values)

    assert ("labels", "eligible") in {(each.stage, each.column) for each in found(labels)}


# --- columns --------------------------------------------------------------------------------------


def told(**columns: Any) -> Callable[[Data], pd.DataFrame]:
    """Honest features, and numbers that somebody gives for every bar."""

    def table(data: Data) -> pd.DataFrame:
        made = features(data)
        at = pd.Index(BARS.closed_at)
        for name, numbers in columns.items():
            known = pd.Series(np.asarray(numbers, float), at)
            made[name] = known.reindex(made.index.get_level_values("decided_at")).to_numpy()
        return made

    return table


ANSWER = np.nan_to_num(later(BARS.close, HORIZON) / BARS.close - 1.0)
RNG = np.random.default_rng(0)
SIDE, OTHER = RNG.choice([-1.0, 1.0], (2, len(BARS)))
NOISE = RNG.normal(size=len(BARS))
LEVEL = 50.0 * np.exp(np.cumsum(0.01 * NOISE))
DAYS = pd.Series(np.array(BARS.records["session"]))


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"a": SIDE, "b": SIDE * ANSWER}, "a and b"),
        ({"a": LEVEL * (1.0 + ANSWER), "b": LEVEL}, "a and b"),
        ({"a": NOISE + ANSWER, "b": NOISE}, "a and b"),
        ({"a": 7.0 * BARS.close * (1.0 + ANSWER + 0.3 * ANSWER.std() * NOISE)}, "a"),
        ({"a": np.roll(ANSWER, -10) + 0.3 * ANSWER.std() * NOISE}, "a"),
        ({"a": np.nan_to_num(later(BARS.close, 20) / later(BARS.close, 8) - 1.0)}, "a"),
        ({"a": DAYS.groupby(DAYS).transform(lambda d: BARS.close[d.index[-1]])}, "a"),
        (
            {
                "a": DAYS.groupby(DAYS).transform(
                    lambda d: (
                        BARS.records["high"][d.index].max() - BARS.records["low"][d.index].min()
                    )
                )
            },
            "a",
        ),
        ({"a": np.where(np.quantile(ANSWER, 0.1) > ANSWER, np.nan, NOISE)}, "a"),
    ],
    ids=[
        *("product", "ratio", "difference", "level later", "bars 10 to 14", "bars 8 to 20"),
        *("close of the day", "range of the day", "unknown before falls"),
    ],
)
def test_columns_that_know_alone_or_together(columns: dict[str, Any], name: str) -> None:
    # Looked up by date in arrays of this file, each may be a column that the audit cannot see too.
    (leak,) = [each for each in found(plain, told(**columns)) if each.column == name]
    assert leak.stage == "features"


def test_three_columns_that_know_together() -> None:
    table = told(a=SIDE, b=OTHER, c=SIDE * OTHER * ANSWER)
    leaks = hunt(Pipeline(table, plain), Data({"WALK": BARS}))
    (leak,) = [each for each in leaks if not each.blind]
    assert leak.column == "a and b and c"


def bars_of(close: Any, symbol: str = "WALK", length_us: int = 300_000_000) -> Bars:
    """Around the clock."""
    opens = np.concatenate([close[:1], close[:-1]])
    table = pd.DataFrame(
        {
            "timestamp": pd.date_range("2024-01-01", periods=len(close), freq=f"{length_us}us"),
            "open": opens,
            "high": np.maximum(opens, close) * 1.0001,
            "low": np.minimum(opens, close) / 1.0001,
            "close": close,
            "volume": 1.0,
        }
    )
    return bars_from_frame(table, symbol, length_us=length_us, timezone="UTC")


def test_the_way_back_to_a_peg_is_no_leak() -> None:
    def table(data: Data) -> pd.DataFrame:
        parts = {}
        for symbol, bars in data.panel.items():
            close = pd.Series(np.array(bars.close), pd.Index(bars.closed_at, name="decided_at"))
            away = close / close.rolling(50).mean() - 1.0
            parts[symbol] = frame(bars).assign(away=away, level=close)
        return pd.concat(parts, names=["symbol"])

    close = 1.0 + 0.0005 * np.random.default_rng(1).normal(size=1500)
    assert not found(plain, table, Data({"WALK": bars_of(close)}))


# --- bars -----------------------------------------------------------------------------------------


def group(n: int = 1500, symbols: int = 3) -> dict[str, Any]:
    """Prices that move together."""
    rng = np.random.default_rng(3)
    both = rng.normal(size=n)
    moves = both + 0.6 * rng.normal(size=(symbols, n))
    return {f"S{k}": 100.0 * np.exp(np.cumsum(0.001 * each)) for k, each in enumerate(moves)}


def places(panel: dict[str, Bars]) -> set[tuple[str, str]]:
    return {(each.stage, each.column) for each in found(plain, data=Data(panel))}


@pytest.mark.parametrize("symbols", [3, 9])
@pytest.mark.parametrize("shift", [0, 1, -1, 12, -36])
def test_symbols_by_other_clocks(symbols: int, shift: int) -> None:
    prices = group(symbols=symbols)
    prices["S1"] = np.roll(prices["S1"], shift)
    panel = {name: bars_of(price[2:-2], name) for name, price in prices.items()}
    assert places(panel) == (set() if shift == 0 else {("bars", "S1")})


def test_a_few_mornings_are_no_other_clock() -> None:
    rng = np.random.default_rng(6)
    moves = rng.normal(size=(2, 360))
    gaps = 12.0 * np.array([1.0, -1.0, 1.0, 1.0, -1.0])
    moves[:, ::72] = gaps, np.roll(gaps, 1)  # each open of one as the other's of the day before
    panel = {
        name: bars_of(100.0 * np.exp(0.001 * np.cumsum(own)), name)
        for name, own in zip("AB", moves, strict=True)
    }
    assert places(panel) == set()


def test_days_that_close_at_other_hours() -> None:
    rng = np.random.default_rng(4)
    world = np.cumsum(rng.normal(size=24 * 700))
    panel = {}
    for name, hour in (("A", 6), ("B", 16), ("C", 21)):
        own = world + 0.6 * np.cumsum(rng.normal(size=len(world)))
        panel[name] = bars_of(100.0 * np.exp(0.002 * own[hour::24]), name, DAY_US)
    assert {stage for stage, _ in places(panel)} == {"bars"}
    on_time = {}
    for (name, bars), hour in zip(panel.items(), (6, 16, 21), strict=True):
        records = bars.records.copy()
        for time in ("opened_at", "closed_at", "session_open", "session_close"):
            records[time] += hour * DAY_US // 24
        on_time[name] = replace(bars, records=records)
    assert places(on_time) == set()


def test_quotes_that_are_repeated() -> None:
    prices = group()
    stuck = prices["S0"][np.arange(1500) // 6 * 6]
    bars = bars_of(stuck, "S0")
    records = bars.records.copy()
    records["high"] = records["low"] = records["open"] = records["close"]
    panel = {name: bars_of(each, name) for name, each in prices.items()}
    repeated = {"S0": replace(bars, records=records)}
    assert ("bars", "S0") in places(panel | repeated)
    assert places(repeated) == {("bars", "S0")}


@pytest.mark.parametrize("falls", [True, False])
def test_bars_that_are_missing(falls: bool) -> None:
    bars = bars_of(group(3000)["S0"], "S0")
    ahead = np.append(np.diff(bars.close), 0.0)
    lots = ahead if falls else np.random.default_rng(5).normal(size=len(bars))
    kept = lots >= np.quantile(lots, 0.05)
    thinned = replace(bars, records=bars.records[kept])
    assert places({"S0": thinned}) == ({("bars", "S0")} if falls else set())
