"""Worlds as values: what they are made of, their times, their bytes, and what they refuse."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from barstack.bars import sessions
from barstack.core.errors import ConfigError
from barstack.core.times import KnownAt
from barstack.features import Feature, FeatureSet
from barstack.labels import LABELS
from barstack.worlds import WORLDS, World, likeness, table_of
from barstack.worlds._signal import coefficient_for, weights

MINUTE_US = 60_000_000


def test_the_signal_can_be_read_off_the_bars() -> None:
    """What drives each kind is a registered feature of the bar that has just closed."""
    world = WORLDS.parse({"world": "regime_dependent", "noise": "fat_tails"})
    bars, own = world.bars_of("W0001"), world.components_of("W0001")
    n = len(bars)
    names = ("wick_balance", "log_volume")
    values = (
        FeatureSet(features=tuple(Feature(feature=name) for name in names)).compute(bars).values
    )
    # Prices of 100 carry fourteen digits, wicks of a cent ten.
    np.testing.assert_allclose(values[:, 0], np.tanh(0.375 * own.wick[:n]), atol=1e-7)
    middle = np.log(world.volume)
    np.testing.assert_array_equal(np.sign(values[:, 1] - middle), own.regime[:n])
    plain = WORLDS.parse({"world": "interaction"})
    volume, parts = plain.bars_of("W0001").records["volume"], plain.components_of("W0001")
    np.testing.assert_allclose(np.log(volume / plain.volume), 0.4 * parts.volume[:n], atol=1e-9)


def test_returns_are_the_expected_part_and_the_move() -> None:
    world = WORLDS.parse({"world": "linear", "r2": 0.05, "horizons": [1]})
    made, own = world.make(), world.components_of("W0001")
    close = made.panel["W0001"].close
    forecast = made.truth.forecast[:-1, 0]
    np.testing.assert_allclose(close[1:] / close[:-1] - 1.0, forecast + own.move[1 : len(close)])


def test_holdings_end_when_labels_say() -> None:
    """Nights, weekends and half days included."""
    horizons: list[str | int] = [1, 7, "10min", "1h", "1d", "1w"]
    world = WORLDS.parse({"world": "martingale", "bars": 6000, "horizons": horizons})
    made = world.make()
    labels = LABELS.parse({"label": "return", "horizons": horizons}).compute(made.panel)
    assert labels.target.horizons == made.truth.horizons
    assert (labels.decisions.decided_at == made.truth.decisions.decided_at).all()
    for place, horizon in enumerate(world.horizons):
        leave = world.bar_times().exits(horizon)
        known = leave < len(leave)
        own = KnownAt(made.panel["W0001"].closed_at[leave[known]])
        np.testing.assert_array_equal(labels.known_at[known, place], own)
        assert np.isnat(labels.known_at[~known, place]).all()


def test_half_days_and_holidays() -> None:
    """The week of Thanksgiving 2024: no Thursday, and Friday ends at 13:00 New York."""
    world = WORLDS.parse({"world": "martingale", "start": "2024-11-25", "bars": 78 * 3 + 42 + 78})
    r = world.bars_of("W0001").records
    days, counts = np.unique(r["session"], return_counts=True)
    assert counts.tolist() == [78, 78, 78, 42, 78]
    assert np.diff(days).tolist() == [1, 1, 2, 3]
    hourly = WORLDS.parse({"world": "martingale", "bar": "1h", "start": "2024-11-25", "bars": 30})
    r = hourly.bars_of("W0001").records
    lengths = (r["closed_at"] - r["opened_at"]) // MINUTE_US
    assert lengths[:7].tolist() == [60] * 6 + [30]
    assert lengths[21:25].tolist() == [60, 60, 60, 30]  # the half day
    found = sessions("XNYS")
    assert set(r["session_close"]) <= set(found.close)


def test_bytes_are_the_same_in_another_process(tmp_path: Path) -> None:
    code = """
import sys
from barstack.worlds import WORLDS, table_of
fields = {"world": "interaction", "noise": "market", "symbols": 2, "calendar": "24/7"}
made = WORLDS.parse(fields).make()
table_of(made.panel["W0002"]).write_parquet(sys.argv[1])
made.truth.table().write_parquet(sys.argv[1] + ".truth")
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "theirs")], check=True)
    fields = {"world": "interaction", "noise": "market", "symbols": 2, "calendar": "24/7"}
    made = WORLDS.parse(fields).make()
    table_of(made.panel["W0002"]).write_parquet(tmp_path / "ours")
    made.truth.table().write_parquet(tmp_path / "ours.truth")
    for ending in ("", ".truth"):
        ours, theirs = ((tmp_path / f"{name}{ending}").read_bytes() for name in ("ours", "theirs"))
        assert ours == theirs


def test_a_world_reads_back_from_its_content() -> None:
    world = WORLDS.parse({"world": "decaying", "noise": "market", "horizons": [3, "1h"], "seed": 9})
    again = WORLDS.parse(world.content())
    assert (again, again.id) == (world, world.id)


@pytest.mark.parametrize(("memory", "fade"), [(0.0, 1.0), (0.9, 1.0), (0.6, 0.99)])
def test_weights_against_plain_sums(memory: float, fade: float) -> None:
    n = 30
    sizes = fade ** np.arange(n)
    related = (
        memory ** np.abs(np.subtract.outer(np.arange(n), np.arange(n))) if memory else np.eye(n)
    )
    reach, spread, products = weights(n, memory, fade)
    assert reach[n] == pytest.approx(sum((memory * fade) ** k for k in range(n)))
    assert spread[n] == pytest.approx(sizes @ related @ sizes)
    assert products[n] == pytest.approx(0.5 * (sizes @ related @ sizes - sizes @ sizes))


def test_r2_can_be_set_at_a_horizon() -> None:
    fields = {"world": "linear", "noise": "gaussian", "calendar": "24/7", "horizons": [1, 12]}
    near = WORLDS.parse(fields | {"r2": 0.02}).truth_of("W0001").figures
    far = WORLDS.parse(fields | {"r2": 0.02, "r2_bars": 12}).truth_of("W0001").figures
    assert near[0].r2.value == pytest.approx(0.02, rel=1e-9)
    assert far[1].r2.value == pytest.approx(0.02, rel=1e-9)
    assert far[0].r2.value < 0.02 < near[1].r2.value
    assert coefficient_for(0.02, 1, 0.5, 1.0) ** 2 == pytest.approx(0.02 / 0.98)


@pytest.mark.parametrize("kind", ["linear", "interaction", "regime_dependent"])
@pytest.mark.parametrize("noise", ["gaussian", "fat_tails", "jumps", "regimes", "seasonal"])
def test_integrals_agree_with_simulation(kind: str, noise: str) -> None:
    """The share of right signs one bar ahead, by an integral and by drawing it."""
    fields = {"world": kind, "noise": noise, "r2": 0.05, "bars": 4000, "horizons": [1]}
    if noise == "regimes":  # short ones, so that each world has many
        fields["noise"] = {"regime_ratio": 2.5, "regime_bars": 20}
    (figure,) = WORLDS.parse(fields).truth_of("W0001").figures
    assert figure.directional_accuracy.how == "exact"
    right = []
    for seed in range(40):
        world = WORLDS.parse(fields | {"seed": 7000 + seed})
        own = world.components_of("W0001")
        forecast = world.truth_of("W0001").forecast[:-1, 0]
        move = own.move[1 : len(forecast) + 1]
        # Given the size of the move, its sign is a fair coin.
        right.append(0.5 + 0.5 * (np.abs(forecast) > np.abs(move)).mean())
    error = np.std(right, ddof=1) / np.sqrt(len(right))
    assert abs(np.mean(right) - figure.directional_accuracy.value) < 3.5 * error
    assert error < 1e-3


def test_followers_can_be_forecast_and_the_leader_cannot() -> None:
    made = WORLDS.parse({"world": "lead_lag", "symbols": ["LEAD", "A", "B"], "r2": 0.05}).make()
    code = made.truth.decisions.symbols.index("LEAD")
    leads = made.truth.decisions.symbol_code == code
    assert not made.truth.forecast[leads].any()
    moves = np.diff(np.log(made.panel["LEAD"].close))
    for symbol in ("A", "B"):
        own = made.truth.forecast[made.truth.decisions.symbol == symbol, 0]
        assert np.corrcoef(own[1:], moves)[0, 1] > 0.999
    assert made.truth.to_json()["forecastable"] == ["A", "B"]


def test_a_decaying_signal_decays() -> None:
    world = WORLDS.parse(
        {"world": "decaying", "memory": 0, "half_life_bars": 5000, "bars": 20_000, "horizons": [1]}
    )
    truth = world.truth_of("W0001")
    sizes = [np.abs(part).mean() for part in np.array_split(truth.forecast[:, 0], 4)]
    np.testing.assert_allclose(np.divide(sizes[1:], sizes[:-1]), 0.5, rtol=0.08)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"world": "lienar"}, "Did you mean 'linear'"),
        ({"world": "martingale", "r2": 0.1}, "Unknown key martingale.r2"),
        ({"world": "linear", "noise": "garsh"}, "Did you mean 'garch'"),
        ({"world": "linear", "noise": {"arch": 0.2, "garch": 0.9}}, "grow without end"),
        ({"world": "linear", "noise": {"garch": 0.9}}, "without arch does nothing"),
        ({"world": "linear", "r2": 0.9, "r2_bars": 50}, "out of reach"),
        ({"world": "lead_lag", "symbols": 1}, "needs two symbols"),
        ({"world": "lead_lag", "correlation": 0.5}, "Set correlation: 0"),
        ({"world": "linear", "horizons": ["1min"]}, "shorter than a bar"),
        ({"world": "linear", "horizons": [0]}, "does not lie ahead"),
        ({"world": "linear", "horizons": []}, "at least one horizon"),
        ({"world": "linear", "symbols": ["A", "A"]}, "each once"),
        ({"world": "linear", "symbols": 0}, "give at least one"),
        ({"world": "linear", "start": "yesterday"}, "is not a day"),
        ({"world": "linear", "bar": "5 bars"}, "not a duration"),
        ({"world": "linear", "calendar": "XNYC"}, "Did you mean 'XNYS'"),
        ({"world": "linear", "bars": 5_000_000}, "Start earlier, make fewer bars"),
        ({"world": "linear", "bar": "1w", "horizons": [1]}, "longer than a session"),
        (
            {
                "world": "linear",
                "r2": 0.9,
                "bar": "1d",
                "horizons": [1],
                "noise": {"daily_volatility": 0.1},
                "bars": 999,
            },
            "below zero",
        ),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
def test_what_cannot_be_made_is_refused_with_a_way_out(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("(", r"\\(")):
        WORLDS.parse(fields).make()


def test_a_symbol_that_is_not_there() -> None:
    world: World = WORLDS.parse("martingale")
    with pytest.raises(ConfigError, match="no symbol 'W9'"):
        world.bars_of("W9")


def test_the_default_market_resembles_real_bars(shared_data: Path) -> None:
    """Within the range that real symbols span, with some room."""
    from barstack.bars import bars_from_frame  # noqa: PLC0415

    made = [
        likeness(WORLDS.parse({"world": "market", "seed": seed}).bars_of("W0001"))
        for seed in range(4)
    ]
    real = [
        likeness(bars_from_frame(pl.read_parquet(file), file.stem, calendar="XNYS"))
        for file in (
            shared_data / "us_equities_5m" / f"{name}.parquet"
            for name in ("SPY", "AAPL", "XLK", "QQQ")
        )
    ]
    for fact, room in (
        ("acf_of_size_lag_1", 0.08),
        ("acf_of_size_lag_12", 0.05),
        ("acf_of_return_lag_1", 0.03),
        ("tail_index", 0.7),
        ("busiest_over_quietest", 2.0),
        ("range_over_move", 0.15),
        ("volume_with_size", 0.15),
    ):
        theirs = [float(each.summary()[fact] or 0.0) for each in real]
        ours = np.mean([float(each.summary()[fact] or 0.0) for each in made])
        assert min(theirs) - room < ours < max(theirs) + room, fact
