"""Series in a feature table: live equals history, and nothing is seen before it was known."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barstack import Feature, FeatureSet, assert_causal
from barstack.bars import Bars, Series, SeriesTable
from barstack.core.errors import ConfigError, DataError, LeakError
from barstack.core.times import KnownAt
from barstack.features import check_known
from barstack.testing import walk

BARS = walk(160)
OTHER = walk(160, seed=1, symbol="OTHER")
OWN = (Feature(feature="rsi"), Feature(feature="body", timeframe="1h"))
FEATURES = FeatureSet(
    features=OWN,
    series={
        "news": Series(columns=("mood", "count"), max_age="6h", fill=0.0, age=True),
        "macro": Series(columns=("rate",), per_symbol=False),
    },
)
Row = dict[str, Any]


def frame(columns: list[str], rows: list[Row]) -> pl.DataFrame:
    kinds: dict[str, Any] = {"known_at": pl.Datetime("us", "UTC"), "symbol": pl.String}
    schema = {name: kinds.get(name, pl.Float64) for name in columns}
    return pl.DataFrame(rows, schema=schema)


def moment(at: np.datetime64) -> Any:
    return at.astype("datetime64[us]").item().replace(tzinfo=UTC)


def rows_of(seed: int, n_rows: int = 60) -> dict[str, list[Row]]:
    """News about two symbols and macro figures, some known at the very close of a bar."""
    rng = np.random.default_rng(seed)
    closes = BARS.closed_at
    spread = closes[0] + rng.integers(-3_600, 20 * 86_400, n_rows).astype("timedelta64[s]")
    times = np.where(rng.random(n_rows) < 0.3, rng.choice(closes, n_rows), spread)
    times = np.unique(times)
    found: dict[str, list[Row]] = {"news": [], "macro": []}
    for at in times:
        if rng.random() < 0.7:
            symbol = "WALK" if rng.random() < 0.6 else "OTHER"
            mood = None if rng.random() < 0.2 else float(rng.normal())
            found["news"].append(
                {"known_at": moment(at), "symbol": symbol, "mood": mood, "count": 1.0}
            )
        else:
            found["macro"].append({"known_at": moment(at), "rate": float(rng.normal())})
    return found


def tables_of(rows: dict[str, list[Row]]) -> dict[str, pl.DataFrame]:
    return {
        "news": frame(["known_at", "symbol", "mood", "count"], rows["news"]),
        "macro": frame(["known_at", "rate"], rows["macro"]),
    }


def live(bars: Bars, rows: dict[str, list[Row]], known_rows: int) -> npt.NDArray[np.float64]:
    """Everything in the order in which it became known; the first few rows beforehand."""
    before = {name: each[:known_rows] for name, each in rows.items()}
    stream = FEATURES.stream(bars.length_us, bars.symbol, tables_of(before))
    events: list[tuple[Any, int, Any]] = [
        (row["known_at"], 0, (name, row))
        for name, each in rows.items()
        for row in each[known_rows:]
    ]
    events += [(moment(at), 1, place) for place, at in enumerate(bars.closed_at)]
    values = []
    for _, is_bar, what in sorted(events, key=lambda event: event[:2]):
        if is_bar:
            values.append(stream.update(bars.records[what : what + 1])[0])
        else:
            stream.know(*what)
    return np.array(values)


@given(st.integers(0, 10_000), st.integers(0, 5))
@settings(max_examples=15, deadline=None)
def test_live_equals_history_bit_for_bit(seed: int, known_rows: int) -> None:
    rows = rows_of(seed)
    table = FEATURES.compute({"OTHER": OTHER, "WALK": BARS}, tables_of(rows))
    for bars in (BARS, OTHER):
        own = table.values[table.decisions.symbol == bars.symbol]
        assert live(bars, rows, known_rows).tobytes() == own.tobytes()


def test_columns_are_named_after_their_series() -> None:
    assert FEATURES.columns == (
        *("rsi_14", "body@1h", "macro.rate", "news.mood", "news.count", "news.age_hours"),
    )
    table = FEATURES.compute(BARS, tables_of(rows_of(0)))
    plain = FeatureSet(features=OWN).compute(BARS)
    assert table.columns == FEATURES.columns
    np.testing.assert_array_equal(table.values[:, :2], plain.values)


def test_a_set_without_series_is_the_set_it_was() -> None:
    """Ids of features, trials and artifacts made before there were series."""
    assert FeatureSet(features=(Feature(feature="rsi"),)).identity() == [
        "FeatureSet", None, 1, {"features": [Feature(feature="rsi").id]},
    ]  # fmt: skip
    assert FeatureSet(**FEATURES.content()) == FEATURES
    assert FeatureSet(**FEATURES.content()).id != FeatureSet(features=OWN).id
    reordered = FeatureSet(features=OWN, series=dict(reversed(FEATURES.series.items())))
    assert (reordered.id, reordered.columns) == (FEATURES.id, FEATURES.columns)


def test_it_continues_after_a_restart() -> None:
    rows, half = rows_of(3), len(BARS) // 2
    tables = tables_of(rows)
    before = FEATURES.stream(BARS.length_us, "WALK", tables)
    before.update(BARS.records[:half])
    after = FEATURES.stream(BARS.length_us, "WALK", {n: t[:0] for n, t in tables.items()})
    after.restore(before.snapshot())
    with pytest.raises(DataError, match="was made without it"):
        after.know("macro", {"known_at": moment(BARS.closed_at[3]), "rate": 1.0})
    rest = FEATURES.compute(BARS, tables).values[half:]
    assert after.update(BARS.records[half:]).tobytes() == rest.tobytes()


def test_what_is_given_in_the_middle_of_a_bar_waits_for_its_close() -> None:
    """A bar that reaches us late is decided without what was known after its close."""
    spec = FeatureSet(features=OWN, series={"macro": Series(columns=("rate",), per_symbol=False)})
    stream = spec.stream(BARS.length_us, "WALK", {"macro": tables_of(rows_of(0))["macro"][:0]})
    stream.know("macro", {"known_at": moment(BARS.closed_at[0]), "rate": 1.0})
    soon = BARS.closed_at[0] + np.timedelta64(1, "s")
    stream.know("macro", {"known_at": moment(soon), "rate": 2.0})
    seen = [stream.update(BARS.records[row : row + 1])[0, 2] for row in range(2)]
    assert seen == [1.0, 2.0]


def test_a_row_that_an_earlier_decision_should_have_seen() -> None:
    stream = FEATURES.stream(BARS.length_us, "WALK", tables_of({"news": [], "macro": []}))
    stream.update(BARS.records[:5])
    for at in (BARS.closed_at[4], BARS.closed_at[1]):  # the very moment of a decision, and before
        with pytest.raises(
            DataError,
            match=r"row of series macro: it was known at 2026-01-05 .*, and the "
            r"decision of 2026-01-05 17:00 UTC was made without it.*moment at which it reached",
        ):
            stream.know("macro", {"known_at": moment(at), "rate": 1.0})
    stream.know("macro", {"known_at": moment(BARS.closed_at[5]), "rate": 1.0})
    assert stream.update(BARS.records[5:6])[0, 2] == 1.0


@pytest.mark.parametrize(
    ("name", "change", "error", "message"),
    [
        ("nws", {}, ConfigError, r"There is no series 'nws' in the features\. Did you mean 'news'"),
        ("news", {"mood": "good"}, DataError, "'mood' holds String"),
        ("news", {"known_at": "2026-01-09"}, DataError, "calendar dates"),
        ("news", {"symbol": None}, DataError, "has no symbol"),
        ("macro", {}, DataError, "row of series macro has no column 'rate'"),
    ],
)
def test_a_wrong_row_leaves_the_stream_as_it_was(
    name: str, change: Row, error: type[Exception], message: str
) -> None:
    rows = rows_of(1)
    stream = FEATURES.stream(BARS.length_us, "WALK", tables_of(rows))
    stream.update(BARS.records[:50])
    good = {"known_at": moment(BARS.closed_at[50]), "symbol": "WALK", "mood": 1.0, "count": 1.0}
    with pytest.raises(error, match=message):
        stream.know(name, good | change)
    rest = FEATURES.compute(BARS, tables_of(rows)).values[50:]
    assert stream.update(BARS.records[50:]).tobytes() == rest.tobytes()


def test_two_rows_of_one_moment_contradict_each_other_live_too() -> None:
    stream = FEATURES.stream(BARS.length_us, "WALK", tables_of({"news": [], "macro": []}))
    stream.know("macro", {"known_at": moment(BARS.closed_at[0]), "rate": 1.0})
    stream.know("macro", {"known_at": moment(BARS.closed_at[0]), "rate": 1.0})
    with pytest.raises(DataError, match="two rows known at 2026-01-05 15:00 UTC that differ"):
        stream.know("macro", {"known_at": moment(BARS.closed_at[0]), "rate": 2.0})


def test_a_series_missing_or_too_many() -> None:
    tables = tables_of(rows_of(0))
    with pytest.raises(ConfigError, match=r"Series 'news' \(mood, count\) is missing\. Give it as"):
        FEATURES.compute(BARS, {"macro": tables["macro"]})
    with pytest.raises(ConfigError, match=r"There is no series 'extra' in the features"):
        FEATURES.compute(BARS, tables | {"extra": tables["macro"]})
    with pytest.raises(ConfigError, match=r"Series 'macro' \(rate\) is missing"):
        FEATURES.stream(BARS.length_us, "WALK", {"news": tables["news"]})
    other = Series(columns=("mood",)).read(tables["news"])
    with pytest.raises(ConfigError, match=r"series news is SeriesTable\(mood; .* are asked for"):
        FEATURES.compute(BARS, tables | {"news": other})


def test_names_of_series() -> None:
    with pytest.raises(ConfigError, match=r"Series name 'a\.b': use letters, digits and _"):
        FeatureSet(features=OWN, series={"a.b": Series(columns=("c",))})


def test_a_series_that_says_nothing_of_a_symbol() -> None:
    rows = rows_of(0)
    spec = {"news": Series(columns=("mood", "count"))}
    tables = {"news": spec["news"].read(tables_of(rows)["news"])}
    check_known(spec, tables, {"WALK": BARS})
    spy = walk(160, symbol="SPY")
    with pytest.raises(DataError, match=r"Series news has no value for SPY, .* UTC\. It is Series"):
        check_known(spec, tables, {"WALK": BARS, "SPY": spy})
    with pytest.raises(
        DataError, match=r"Series news has no value for WALK, .* its first at 2026-01"
    ):
        check_known(spec, tables, {"WALK": walk(1)})
    filled = {"news": Series(columns=("mood", "count"), fill=0.0)}
    check_known(filled, tables, {"WALK": BARS, "SPY": spy})


def test_the_audit_hunts_in_series_too(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = tables_of(rows_of(0))
    assert_causal(FEATURES, {"OTHER": OTHER, "WALK": BARS}, tables)

    def the_next_row(self: SeriesTable, symbol: str, decided_at: Any) -> Any:
        own = self.about(symbol)
        row = np.searchsorted(own.known_at, decided_at, side="right")
        values = np.concatenate([own.values, np.full((1, len(own.columns)), np.nan)])
        return values[row], KnownAt(decided_at)

    monkeypatch.setattr(SeriesTable, "as_of", the_next_row)
    with pytest.raises(
        LeakError, match=r"'(news\.mood|macro\.rate)' of WALK .* series after .* reads the future"
    ):
        assert_causal(FEATURES, BARS, tables)


def test_joining_by_calendar_date_would_have_leaked() -> None:
    """News of half past four about the day that has just ended, which the day's bars must not see.

    In a random walk nothing is to be known of the rest of the day. Joined by the date they bear,
    the news tells every bar of the day how the day ends.
    """
    bars = walk(2600)
    session = bars.records["session"]
    close = bars.close
    last = np.flatnonzero(np.diff(session, append=-1))
    first = np.concatenate([[0], last[:-1] + 1])
    mood = np.sign(close[last] / bars.records["open"][first] - 1.0)
    day = session[last].astype("datetime64[D]")
    half_past_four = bars.closed_at[last] + np.timedelta64(30, "m")
    news = pl.DataFrame({"date": day, "known_at": half_past_four, "mood": mood})
    news = news.with_columns(pl.col("known_at").dt.replace_time_zone("UTC"))

    by_date = dict(zip(day.tolist(), mood, strict=True))
    leaking = np.array([by_date[each] for each in session.astype("datetime64[D]").tolist()])
    spec = Series(columns=("mood",), per_symbol=False)
    as_known = FeatureSet(features=OWN, series={"news": spec}).compute(bars, {"news": news})
    ours = as_known.values[:, -1]

    ahead = close[last][np.searchsorted(last, np.arange(len(bars)))] / close - 1.0
    rows = ~np.isnan(ours) & (ahead != 0.0)
    by_date_ic = np.corrcoef(leaking[rows], ahead[rows])[0, 1]
    as_known_ic = np.corrcoef(ours[rows], ahead[rows])[0, 1]
    # Bars of one day share its end: about as many independent draws as days.
    noise = 1.0 / np.sqrt(len(last))
    assert by_date_ic > 4.0 * noise
    assert abs(as_known_ic) < 2.5 * noise
    # What our bars see is the day before.
    np.testing.assert_array_equal(ours[first[1:]], mood[:-1])
    # And the column that bears the date is refused as a moment.
    with pytest.raises(DataError, match="holds calendar dates"):
        Series(columns=("mood",), per_symbol=False, known_at="date").read(news)
