"""When decisions fall, and clocks."""

import numpy as np
import pytest

from barstack.core.clock import ReplayClock, WallClock, epoch_s
from barstack.core.errors import ConfigError, LeakError
from barstack.core.schedule import AT_EACH_CLOSE, Schedule
from barstack.testing import walk


def test_at_each_close_every_bar_has_one_decision() -> None:
    panel = {"B": walk(bars=5, symbol="B"), "A": walk(bars=3, symbol="A")}
    decisions = AT_EACH_CLOSE.decisions(panel)
    assert decisions.symbols == ("A", "B")
    assert decisions.symbol_code.tolist() == [0] * 3 + [1] * 5
    np.testing.assert_array_equal(decisions.decided_at[3:], panel["B"].closed_at)


def test_latency_moves_every_decision_and_is_never_negative() -> None:
    bars = walk(bars=5)
    later = Schedule(latency_us=2_500_000).decided_at(bars.closed_at)
    assert set(later - bars.closed_at) == {np.timedelta64(2_500_000, "us")}
    with pytest.raises(LeakError, match="before the bar has closed"):
        Schedule(latency_us=-1)


def test_a_replayed_clock_stands_still_and_never_goes_back() -> None:
    clock = ReplayClock(np.datetime64("2026-01-05T14:30"))
    assert clock.now() == clock.now() == np.datetime64("2026-01-05T14:30")
    assert epoch_s(clock) == 1_767_623_400.0
    clock.advance_to(clock.now())
    for moment in (np.datetime64("2026-01-05T14:29"), np.datetime64("NaT")):
        with pytest.raises(ConfigError, match="stands at 2026-01-05 14:30 UTC and cannot go back"):
            clock.advance_to(moment)


def test_the_wall_clock_goes_forward_in_utc() -> None:
    before, after = WallClock().now(), WallClock().now()
    assert np.datetime64("2026-01-01") < before <= after
    assert before.dtype == np.dtype("datetime64[us]")
