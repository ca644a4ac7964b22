from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, DataError, LeakError
from barstack.core.forecast import Forecast, Kind, Target, concatenate
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


def test_rows_of_other_bars_are_not_found() -> None:
    here = forecast(times(0, 30), times(0, 0)).decisions
    other = forecast(times(0, 31), times(0, 0)).decisions
    assert here.find(here).tolist() == [0, 1]
    with pytest.raises(DataError, match=r"No row for SPY decided at 2026-01-05 15:31 UTC"):
        here.find(other)
