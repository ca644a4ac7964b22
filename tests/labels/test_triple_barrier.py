"""The triple barrier: drawn by hand, against the slow reference, and turned over."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.labels.slow_barriers import differing

from barstack.bars import BAR, PROVIDERS, Bars
from barstack.core.errors import ConfigError, DataError
from barstack.labels import LABELS, TripleBarrier
from barstack.testing import walk

SETTINGS: list[dict[str, Any]] = [
    {},
    {"overnight": False},
    {"upper": 0.05, "lower": 0.05, "span": 10},
    {"upper": 0.3, "lower": 2.0, "span": 20, "limit_bars": 5, "overnight": False},
    {"unit": "bps", "upper": 40, "lower": 60},
    {"unit": "bps", "upper": 20, "lower": 20, "limit_bars": 7},
]


def drawn(*prices: tuple[float, float, float, float]) -> Bars:
    """Hourly bars around the clock: open, high, low, close."""
    hour = 3_600_000_000
    records = np.zeros(len(prices), BAR)
    records["opened_at"] = np.arange(len(prices)) * hour
    records["closed_at"] = records["opened_at"] + hour
    records["session_close"] = 24 * hour
    for place, name in enumerate(("open", "high", "low", "close")):
        records[name] = [bar[place] for bar in prices]
    return Bars("DRAWN", hour, records)


QUIET = (100.0, 100.5, 99.5, 100.0)


@pytest.mark.parametrize(
    ("second", "value", "price", "closes"),
    [
        ((100.0, 102.5, 99.5, 101.0), 2, 102.0, 2),  # upper, within the bar
        ((100.0, 100.5, 97.0, 100.0), 0, 98.0, 2),  # lower, within the bar
        ((103.0, 104.0, 97.0, 97.0), 2, 103.0, 2),  # opens above: left at the open
        ((97.0, 104.0, 96.0, 103.0), 0, 97.0, 2),  # opens below: worse than the barrier
        ((100.0, 102.5, 97.5, 102.0), 0, 98.0, 2),  # both within one bar: the lower
        ((100.0, 102.0, 99.0, 100.0), 2, 102.0, 2),  # touching is enough
        (QUIET, 1, 100.25, 3),  # neither: the close of the last bar
    ],
)
def test_how_a_holding_is_left(
    second: tuple[float, float, float, float], value: int, price: float, closes: int
) -> None:
    bars = drawn(QUIET, QUIET, second, (100.0, 100.5, 99.5, 100.25))
    label = TripleBarrier(horizons=(3,), unit="bps", upper=200, lower=200)
    outcome = label.outcome(bars, label.horizons[0])
    assert outcome.value[0] == value
    assert outcome.returns[0] == pytest.approx(price / 100.0 - 1.0, abs=1e-15)
    assert outcome.known_at[0] == bars.closed_at[closes]
    assert label.latest_known_at(bars)[0, 0] == bars.closed_at[3]


def test_a_short_holding_is_left_with_its_own_loss() -> None:
    both = (100.0, 102.5, 97.5, 100.0)
    label = TripleBarrier(horizons=(1,), unit="bps", upper=200, lower=100)
    short = label.outcome_short(drawn(QUIET, both, QUIET), label.horizons[0])
    assert short.value[0] == 0
    assert short.returns[0] == pytest.approx(0.01)  # the price rose to the loss
    gain = label.outcome_short(drawn(QUIET, (100.0, 100.5, 97.5, 99.0), QUIET), label.horizons[0])
    assert (gain.value[0], gain.returns[0]) == (2, pytest.approx(-0.02))


@pytest.mark.parametrize("horizon", [1, 12, "3h", "2d"])
@pytest.mark.parametrize("given_settings", SETTINGS, ids=str)
def test_it_equals_the_slow_reference(given_settings: dict[str, Any], horizon: str | int) -> None:
    label = TripleBarrier(horizons=(horizon,), **given_settings)
    assert differing(label, walk(700, seed=3, missing=0.1), horizon, **given_settings) == 0


@pytest.mark.parametrize(
    ("file", "calendar"),
    [
        ("us_equities_5m/SPY", "XNYS"),
        ("us_equities_1d_88/AAPL", "XNYS"),
        ("futures_5m/ES", "CMES"),
        ("fx_15m/EURUSD", "24/7"),
        ("crypto_15m/BTC-USD", "24/7"),
    ],
)
def test_it_equals_the_slow_reference_on_real_bars(
    shared_data: Path, file: str, calendar: str
) -> None:
    source = {"path": str(shared_data / f"{file}.parquet"), "calendar": calendar}
    (bars,) = PROVIDERS.parse({"provider": "files", **source}).load().values()
    for given_settings in ({"upper": 0.8}, {"unit": "bps", "upper": 20.0, "lower": 15.0}):
        for overnight in (True, False):
            if not overnight and bars.length_us == 86_400_000_000:
                continue  # a session of one bar holds nothing
            more: dict[str, Any] = given_settings | {"overnight": overnight}
            label = TripleBarrier(horizons=(12,), **more)
            assert differing(label, bars[:5000], 12, **more) == 0


@given(seed=st.integers(0, 999), power=st.integers(-8, 8), horizon=st.sampled_from([1, 5, "4h"]))
@settings(max_examples=25, deadline=None)
def test_the_unit_of_prices_changes_nothing(seed: int, power: int, horizon: str | int) -> None:
    bars = walk(200, seed=seed)
    records = bars.records.copy()
    for price in ("open", "high", "low", "close"):
        records[price] *= 2.0**power  # prices round alike
    label = TripleBarrier(horizons=(horizon,), upper=0.7, lower=0.9, span=10)
    one, other = (label.compute(each) for each in (bars, Bars("WALK", bars.length_us, records)))
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.known_at, other.known_at)


@given(
    seed=st.integers(0, 999),
    upper=st.floats(5, 300),
    lower=st.floats(5, 300),
    horizon=st.sampled_from([1, 6, "4h", "1session"]),
    overnight=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_short_is_long_of_the_price_turned_over(
    seed: int, upper: float, lower: float, horizon: str | int, overnight: bool
) -> None:
    """At 10,000 over the price, up is down; a fall by a part is a rise by another."""
    bars = walk(200, seed=seed)
    records = bars.records.copy()
    for price, source in (("open", "open"), ("high", "low"), ("low", "high"), ("close", "close")):
        records[price] = 1e4 / bars.records[source]
    turned = Bars("WALK", bars.length_us, records)
    about: dict[str, Any] = {"horizons": (horizon,), "unit": "bps", "overnight": overnight}
    up, down = upper * 1e-4, lower * 1e-4
    long = TripleBarrier(upper=(1 / (1 - up) - 1) * 1e4, lower=(1 - 1 / (1 + down)) * 1e4, **about)
    ahead = long.horizons[0]
    short = TripleBarrier(upper=upper, lower=lower, **about).outcome_short(bars, ahead)
    other = long.outcome(turned, ahead)
    np.testing.assert_array_equal(short.value, other.value)
    np.testing.assert_array_equal(short.known_at, other.known_at)
    np.testing.assert_allclose(1 + short.returns, 1 / (1 + other.returns), rtol=1e-9)


@given(seed=st.integers(0, 999), now=st.integers(40, 199), overnight=st.booleans())
@settings(max_examples=40, deadline=None)
def test_what_is_known_stays_as_it_is(seed: int, now: int, overnight: bool) -> None:
    bars = walk(200, seed=seed, missing=0.05)
    label = TripleBarrier(
        horizons=(4, "5h", "1session"), upper=0.6, span=8, limit_bars=(3, 9, 9), overnight=overnight
    )
    now = min(now, len(bars))
    whole, part = label.compute(bars), label.compute(bars[:now])
    known = whole.known_at[:now] <= bars.closed_at[now - 1]
    np.testing.assert_array_equal(~np.isnat(part.known_at), known)
    for name in ("values", "returns", "known_at"):
        np.testing.assert_array_equal(getattr(part, name)[known], getattr(whole, name)[:now][known])


def test_wider_barriers_are_touched_later() -> None:
    bars = walk(500)
    near, far = (
        TripleBarrier(horizons=("1d",), upper=width, lower=width, span=20).compute(bars)
        for width in (0.5, 1.0)
    )
    both = ~np.isnat(near.known_at) & ~np.isnat(far.known_at)
    assert (near.known_at[both] <= far.known_at[both]).all()
    assert (far.values[both] == 1).sum() > (near.values[both] == 1).sum()


def test_a_limit_leaves_sooner_and_moves_no_barrier() -> None:
    bars = walk(500)
    free = TripleBarrier(horizons=("1d",), span=20).compute(bars)
    cut = TripleBarrier(horizons=("1d",), span=20, limit_bars=4).compute(bars)
    touched = cut.values == np.array([[0.0], [2.0]])[:, None]
    for kind, rows in zip((0.0, 2.0), touched, strict=True):
        np.testing.assert_array_equal(free.values[rows], kind)
        np.testing.assert_array_equal(free.returns[rows], cut.returns[rows])
    held = np.searchsorted(bars.closed_at, cut.known_at[20:-4, 0]) - np.arange(20, len(bars) - 4)
    assert held.max() == 4


def test_a_limit_beyond_all_bars_is_none() -> None:
    bars, settings = walk(300), {"label": "triple_barrier", "horizons": [12], "span": 20}
    plain, far = (
        LABELS.parse(settings | each).compute(bars) for each in ({}, {"limit_bars": 10**18})
    )
    np.testing.assert_array_equal(plain.values, far.values)


def test_before_volatility_is_known_there_is_no_label() -> None:
    table = TripleBarrier(horizons=(3,), span=50).compute(walk(200))
    np.testing.assert_array_equal(table.eligible, np.arange(200) >= 50)
    assert np.isnat(table.known_at[:50]).all()
    assert TripleBarrier(horizons=(3,), unit="bps").compute(walk(200)).eligible.all()
    with pytest.raises(DataError, match="no volatility over a span of 50 bars: there are too few"):
        TripleBarrier(horizons=(3,), span=50).compute(walk(40))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"upper": "x"}, "Write a number above 0, or a list with one for each horizon; got 'x'"),
        ({"lower": 0}, "Write a number above 0"),
        ({"span": 1.5}, "Write a whole number above 0"),
        ({"upper": [1, 2, 3]}, "upper has 3 numbers for 1 horizons"),
        ({"limit_bars": []}, "got none"),
        ({"unit": "bps", "lower": 10_000}, "lies at a price of 0 or below"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LABELS.parse({"label": "triple_barrier", "horizons": [3], **wrong})
