from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, DataError, LeakError
from barstack.core.forecast import (
    LEVELS,
    Forecast,
    Kind,
    Target,
    concatenate,
    level_name,
    uncrossed,
)
from barstack.core.times import DecidedAt, TrainedThrough

TARGET = Target("return", ("1h",))


def times(*minutes: int) -> Any:
    return np.datetime64("2026-01-05T15:00", "us") + np.array(minutes, "timedelta64[m]")


def forecast(decided: Any, trained: Any, kind: Kind = "forward", values: Any = None) -> Forecast:
    decisions = Decisions(("SPY",), np.zeros(len(decided), np.int32), DecidedAt(decided))
    if values is None:
        values = np.zeros((len(decided), 1, 1))
    return Forecast(decisions, TARGET, values, TrainedThrough(trained), kind)


def test_a_forward_forecast_never_knows_what_came_after() -> None:
    forecast(times(0, 30), times(0, 30))  # known in the very moment: allowed
    with pytest.raises(LeakError, match=r"SPY decided at .* 15:30 UTC .* through .* 15:31 UTC"):
        forecast(times(0, 30), times(0, 31))


def test_a_forward_forecast_says_through_when_it_was_trained() -> None:
    with pytest.raises(LeakError, match="through never"):
        forecast(times(0), np.array(["NaT"], "datetime64[us]"))


@pytest.mark.parametrize("kind", ["crossed", "in_sample"])
def test_other_kinds_may_and_are_marked(kind: Kind) -> None:
    made = forecast(times(0), times(60), kind)
    assert made.kind == kind
    assert made.take(np.array([0])).kind == kind
    assert concatenate([made, made]).kind == kind


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_numbers_are_finite(wrong: float) -> None:
    values = np.array([[[0.0]], [[wrong]]])
    with pytest.raises(ConfigError, match=r"SPY at 2026-01-05 15:30 UTC is .* not finite"):
        forecast(times(0, 30), times(0, 0), values=values)


@pytest.mark.parametrize("shape", [(2,), (2, 1), (2, 1, 2), (2, 2, 1), (3, 1, 1)])
def test_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"need \(2, 1, 1\)"):
        forecast(times(0, 30), times(0, 0), values=np.zeros(shape))


def test_quantiles_rise_with_their_level() -> None:
    target = Target("quantiles", ("1h",), (0.1, 0.5, 0.9))
    decisions = forecast(times(0, 30), times(0, 0)).decisions
    through = TrainedThrough(times(0, 0))
    values = np.array([[[-0.1, 0.0, 0.1]], [[-0.1, 0.1, 0.0]]])
    with pytest.raises(ConfigError, match=r"SPY at 2026-01-05 15:30 UTC .*fall.*Sort them"):
        Forecast(decisions, target, values, through)
    made = Forecast(decisions, target, uncrossed(values, target), through)
    np.testing.assert_array_equal(made.signal[:, 0], [0.0, 0.0])
    assert list(made.columns())[-3:] == ["q10_1h", "q50_1h", "q90_1h"]


@pytest.mark.parametrize(
    "levels",
    [
        (),
        (0.1, 0.9),
        (0.5, 0.1),
        (0.1, 0.1, 0.5),
        (0.0, 0.5),
        (0.5, 1.0),
        (0.12345, 0.5),
        (np.nan, 0.5),
        ("0.1", 0.5),
        (0, 0.5),
    ],
)
def test_levels_that_name_no_quantiles_are_refused(levels: Any) -> None:
    with pytest.raises(ConfigError, match=r"shares above 0 and below 1 that rise"):
        Target("quantiles", ("1h",), levels)


def test_tasks_are_known_and_only_quantiles_have_levels() -> None:
    with pytest.raises(ConfigError, match="has no levels"):
        Target("return", ("1h",), LEVELS)
    with pytest.raises(ConfigError, match=r"Unknown task 'returns'\. Known: return"):
        Target.from_json({"task": "returns", "horizons": ["1h"]})


def test_names_of_levels_differ() -> None:
    levels = [each / 10_000 for each in range(1, 10_000)]
    assert len({level_name(level) for level in levels}) == len(levels)
    assert [float("0." + level_name(level)[1:]) for level in levels] == levels


def test_a_target_is_read_back_as_are_those_written_before_there_were_levels() -> None:
    target = Target("quantiles", ("1h", "1d"), LEVELS)
    assert Target.from_json(json.loads(json.dumps(target.to_json()))) == target
    assert TARGET.to_json() == {"task": "return", "horizons": ["1h"]}
    assert Target.from_json({"format": 1, "task": "return", "horizons": ["1h"]}) == TARGET


def test_rows_of_other_bars_are_not_found() -> None:
    here = forecast(times(0, 30), times(0, 0)).decisions
    other = forecast(times(0, 31), times(0, 0)).decisions
    assert here.find(here).tolist() == [0, 1]
    with pytest.raises(DataError, match=r"No row for SPY decided at 2026-01-05 15:31 UTC"):
        here.find(other)
