"""The currency calendar turns at 17:00 New York, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.bars.filled import filled, filled_table

from barstack.bars import bars_from_frame, sessions
from barstack.core.errors import ConfigError
from barstack.core.times import DAY_US

NEW_YORK = ZoneInfo("America/New_York")


def moment(day: date) -> int:
    """17:00 New York of a day, by the standard library."""
    local = datetime.combine(day, time(17), NEW_YORK)
    return int(local.astimezone(UTC).timestamp()) * 1_000_000


def test_it_agrees_with_the_clocks_of_the_standard_library() -> None:
    found = sessions("FX")
    rows = np.concatenate([np.arange(0, len(found.day), 37), np.arange(13_000, 15_000)])
    for row in rows:
        day = date(1970, 1, 1) + timedelta(days=int(found.day[row]))
        assert day.weekday() < 5
        assert found.close[row] == moment(day)
        assert found.open[row] == moment(day - timedelta(days=1))
    assert (np.diff(found.open) > 0).all()
    assert (found.open[1:] >= found.close[:-1]).all()


@pytest.mark.parametrize(
    ("weekend", "opens"),
    [("2026-03-08", "21:00"), ("2026-11-01", "22:00"), ("2026-07-05", "21:00")],
)
def test_the_week_opens_on_sunday_evening(weekend: str, opens: str) -> None:
    found = sessions("FX")
    monday = np.datetime64(weekend, "D").astype(int) + 1
    row = int(np.searchsorted(found.day, monday))
    assert found.day[row] == monday
    assert str(np.datetime64(int(found.open[row]), "us"))[:16] == f"{weekend}T{opens}"
    assert found.open[row] - found.close[row - 1] in (47 * 3_600_000_000, 48 * 3_600_000_000,
                                                      49 * 3_600_000_000)  # fmt: skip


def test_clocks_cut_no_session() -> None:
    """They change on Sunday at 02:00, when none runs."""
    found = sessions("FX")
    since_2016 = found.day > 17_000
    assert set((found.close - found.open)[since_2016]) == {DAY_US}


def test_bars_of_the_weekend_are_left_out() -> None:
    table = filled_table("24/7", days=14, minutes=60, first="2026-01-05")
    bars = bars_from_frame(table, "EURUSD", calendar="FX")
    assert bars.outside == 2 * 48
    assert len(bars) == 14 * 24 - 96


def test_a_daily_bar_is_known_at_five_in_new_york() -> None:
    bars = filled("FX", minutes=1440, days=5, first="2026-03-05")
    closed = [str(at)[:16] for at in bars.closed_at]
    assert closed == ["2026-03-05T22:00", "2026-03-06T22:00", "2026-03-09T21:00",
                      "2026-03-10T21:00", "2026-03-11T21:00"]  # fmt: skip


def test_no_extended_hours_and_it_is_offered() -> None:
    with pytest.raises(ConfigError, match=r"FX .* no extended hours"):
        sessions("FX", "extended")
    with pytest.raises(ConfigError, match="Did you mean 'FX'"):
        sessions("FXX")
