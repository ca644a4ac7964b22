"""Asking an artifact: in batch, in a stream, and wrongly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from barstack import Predictor, Run, load
from barstack.bars import Bars, resample
from barstack.core.errors import ArtifactError, ConfigError, DataError, LeakError
from barstack.testing import walk

Table = Callable[[Bars], pl.DataFrame]


@pytest.fixture(scope="module")
def predictor(finished: Run) -> Predictor:
    return load(finished.folder)


@pytest.fixture(scope="module")
def newer() -> Bars:
    """The bars of the study, and a thousand after them."""
    return walk(1400)


def mapping(bars: Bars, row: int) -> dict[str, Any]:
    """One bar as a feed would give it."""
    values = bars.records[row]
    opened = datetime.fromtimestamp(int(values["opened_at"]) / 1e6, UTC)
    return {"timestamp": opened} | {
        name: float(values[name]) for name in ("open", "high", "low", "close", "volume")
    }


def test_stream_equals_batch(predictor: Predictor, newer: Bars) -> None:
    """The last 300 bars: features to the bit, forecasts to rounding."""
    batch = predictor.forecasts(newer)["nnls"]
    features = predictor.trained.features.compute(newer).values
    stream = predictor.stream(newer[:-300])
    live = []
    for row in range(len(newer) - 300, len(newer)):
        forecast = stream.update(newer[row : row + 1])
        assert forecast is not None
        assert np.array_equal(stream.features[-1], features[row])
        assert forecast.decisions.decided_at[0] == newer.closed_at[row]
        live.append(forecast.values[0])
    expected = batch.values[-300:]
    assert np.abs(np.array(live) - expected).max() <= 1e-5 * expected.std()


def test_a_feed_of_mappings_equals_bars(predictor: Predictor, newer: Bars) -> None:
    one, other = predictor.stream(newer[:-5]), predictor.stream(newer[:-5])
    for row in range(len(newer) - 5, len(newer)):
        from_bars = one.update(newer[row : row + 1])
        from_feed = other.update(mapping(newer, row))
        assert from_bars is not None
        assert from_feed is not None
        np.testing.assert_array_equal(from_bars.values, from_feed.values)


def test_bars_outside_the_sessions_are_passed_by(predictor: Predictor, newer: Bars) -> None:
    trained = replace(predictor.trained, bars=replace(predictor.trained.bars, calendar="XNYS"))
    stream, plain = Predictor(trained).stream(newer[:-1]), predictor.stream(newer[:-1])
    before_the_open = mapping(newer, len(newer) - 1)
    before_the_open["timestamp"] = before_the_open["timestamp"].replace(hour=11)
    assert stream.update(before_the_open) is None
    last, expected = stream.update(newer[-1:]), plain.update(newer[-1:])
    assert last is not None
    assert expected is not None
    np.testing.assert_array_equal(last.values, expected.values)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"timestamp": datetime(2026, 1, 5, 14, 30)}, "no timezone"),
        ({"close": None}, "no finite close|not numbers"),
        ({"close": float("nan")}, "no finite close"),
        ({"low": -1.0}, "not positive"),
        ({"high": 1e-9}, "high below its low"),
        ({"volume": -1.0}, "negative volume"),
        ({"close": "100"}, "not numbers"),
    ],
)
def test_a_wrong_bar_in_a_feed(
    predictor: Predictor, newer: Bars, change: dict[str, Any], said: str
) -> None:
    stream = predictor.stream(newer[:-1])
    with pytest.raises(DataError, match=said):
        stream.update(mapping(newer, -1) | change)
    assert stream.update(mapping(newer, -1)) is not None  # and the stream goes on


def test_a_missing_field_in_a_feed(predictor: Predictor, newer: Bars) -> None:
    bar = mapping(newer, -1)
    del bar["close"]
    with pytest.raises(DataError, match="no column 'close'"):
        predictor.stream(newer[:-1]).update(bar)


def test_order_in_a_stream(predictor: Predictor, newer: Bars) -> None:
    stream = predictor.stream(newer[:-2])
    for wrong in (newer[-3:-2], newer[:1]):
        with pytest.raises(DataError, match=r"came after one closed .*in time order, each once"):
            stream.update(wrong)
    for wrong in (newer[-2:], newer[:0]):
        with pytest.raises(DataError, match="one bar at a time"):
            stream.update(wrong)
    assert stream.update(newer[-2:-1]) is not None


def test_a_bar_that_begins_before_the_last_has_ended(predictor: Predictor, newer: Bars) -> None:
    stream = predictor.stream(newer[:-1])
    late = newer[-1:].records.copy()
    late["opened_at"] -= newer.length_us // 2
    with pytest.raises(DataError, match=r"begins before the one before it ended.*side by side"):
        stream.update(Bars(newer.symbol, newer.length_us, late))
    assert stream.update(newer[-1:]) is not None


@pytest.mark.parametrize("wrong", [None, 3.0, [1.0, 2.0]])
def test_what_is_no_bar_in_a_feed(predictor: Predictor, newer: Bars, wrong: Any) -> None:
    with pytest.raises(DataError, match=f"A {type(wrong).__name__} is no bar of"):
        predictor.stream(newer[:-1]).update(wrong)


def test_a_symbol_that_was_not_trained_on_is_named(
    predictor: Predictor, newer: Bars, table: Table
) -> None:
    other = Bars("OTHER", newer.length_us, newer.records)
    with pytest.warns(UserWarning, match=r"OTHER: not among the symbols .*\(WALK\)"):
        found = predictor.predict(other)
    pd.testing.assert_frame_equal(
        found.drop(columns="symbol"), predictor.predict(newer).drop(columns="symbol")
    )
    with pytest.warns(UserWarning, match="OTHER: not among"):
        predictor.stream(symbol="OTHER")


def test_tables_by_symbol(predictor: Predictor, newer: Bars, table: Table) -> None:
    own = table(newer)
    pd.testing.assert_frame_equal(predictor.predict({"WALK": own}), predictor.predict(newer))
    named = own.with_columns(symbol=pl.lit("WALK"))
    pd.testing.assert_frame_equal(predictor.predict(named), predictor.predict(newer))
    with pytest.raises(DataError, match=r"table of WALK has rows of OTHER in 'symbol'"):
        predictor.predict(named.with_columns(symbol=pl.lit("OTHER")))


def test_a_stream_from_nothing_warms_up(predictor: Predictor, newer: Bars) -> None:
    stream = predictor.stream()
    answers = [stream.update(newer[row : row + 1]) for row in range(420)]
    assert not any(answers[:399])  # warming up, then within what training has seen
    assert answers[-1] is not None
    empty = predictor.stream(newer[:0])
    assert empty.update(newer[:1]) is None


def test_a_stream_is_of_one_symbol(predictor: Predictor, newer: Bars) -> None:
    other = walk(1400, symbol="OTHER")
    with pytest.raises(DataError, match="stream is of WALK, the bars are of OTHER"):
        predictor.stream(newer[:-1]).update(other[-1:])
    with pytest.raises(DataError, match="no bars of WALK, but of OTHER"):
        predictor.stream(other, symbol="WALK")


def test_of_several_symbols_one_must_be_named(two_symbols: Run, table: Table) -> None:
    predictor = load(two_symbols.folder)
    newer = {"OTHER": walk(500, seed=1, symbol="OTHER"), "WALK": walk(500)}
    for ask in (predictor.predict, predictor.stream):
        with pytest.raises(ConfigError, match=r"Which symbol\? Trained on OTHER, WALK"):
            ask(table(newer["WALK"]))
    with pytest.raises(ConfigError, match=r"Which symbol\?"):
        predictor.stream()
    both = predictor.predict(newer)
    assert sorted(both["symbol"].unique()) == ["OTHER", "WALK"]
    assert both["decided_at"].is_monotonic_increasing
    # A stream warmed by all symbols takes the bars of its own.
    stream = predictor.stream({name: bars[:-1] for name, bars in newer.items()}, symbol="WALK")
    alone = predictor.stream(newer["WALK"][:-1])
    last = newer["WALK"][-1:]
    one, other = stream.update(last), alone.update(last)
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one.values, other.values)


def test_tables_give_what_bars_give(predictor: Predictor, newer: Bars, table: Table) -> None:
    polars = table(newer)
    expected = predictor.predict(newer)
    assert predictor.predict(polars).equals(expected)
    assert predictor.predict(polars.to_pandas()).equals(expected)
    assert list(expected.columns[:4]) == ["decided_at", "symbol", "return_1bars", "return_4bars"]
    assert str(expected["decided_at"].dt.tz) == "UTC"


def test_bars_of_another_length(predictor: Predictor, newer: Bars, table: Table) -> None:
    said = "1h long; the artifact was trained on 30min. Resample"
    hours = resample(newer, 3_600_000_000)["WALK"]
    whole_hours = walk(1400, length_us=3_600_000_000)
    for wrong in (hours, {"WALK": hours}, table(whole_hours)):
        with pytest.raises(ConfigError, match=said):
            predictor.predict(wrong)
        with pytest.raises(ConfigError, match=said):
            predictor.stream(wrong)
    five = table(walk(1400, length_us=300_000_000))
    with pytest.raises(ConfigError, match="5min long; the artifact was trained on 30min"):
        predictor.predict(five)


def test_bars_that_training_has_seen(predictor: Predictor, newer: Bars) -> None:
    with pytest.raises(
        LeakError, match=r"newest of these bars closed at .* has seen what followed"
    ):
        predictor.predict(newer[:390])


def test_too_few_bars_before_the_newest(predictor: Predictor, newer: Bars) -> None:
    with pytest.raises(DataError, match=r"All 5 bars to forecast lie within the warm-up"):
        predictor.predict(newer[-5:])


@pytest.mark.parametrize(
    ("wrong", "error"),
    [({}, DataError), ({"WALK": [1]}, DataError), ([1, 2], DataError), (None, DataError)],
)
def test_what_is_no_bars(predictor: Predictor, wrong: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        predictor.predict(wrong)


def test_bars_under_another_name(predictor: Predictor, newer: Bars) -> None:
    with pytest.raises(DataError, match="'SPY' maps to bars of WALK"):
        predictor.predict({"SPY": newer})


def test_no_forecast_is_made_before_training_ended(predictor: Predictor, newer: Bars) -> None:
    forecast = predictor.forecasts(newer)["nnls"]
    assert forecast.kind == "forward"
    assert (forecast.decisions.decided_at >= forecast.trained_through).all()


def test_load_takes_a_run_or_an_artifact(finished: Run) -> None:
    assert repr(load(finished.folder)) == repr(load(finished.folder / "artifact"))
    with pytest.raises(ArtifactError):
        load(finished.folder.parent)
