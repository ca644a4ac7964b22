"""A stretch of time as values of the kind that a database's time column holds."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from barstack.core.errors import DataError
from barstack.core.times import DAY_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)
# As SQLite's own functions write times: their order as text is their order in time.
_TEXT = re.compile(r"\d{4}-\d{2}-\d{2}( \d{2}:\d{2}:\d{2}(\.\d+)?)?")


def bounds(sample: Any, start_us: int, end_us: int, timezone: str | None) -> list[Any]:
    """From (inclusive) and to (exclusive), to compare with a column that holds `sample`.

    Raises `DataError` for a column whose values have no order in time that databases know.
    """
    moments = [_EPOCH + timedelta(microseconds=time_us) for time_us in (start_us, end_us)]
    if isinstance(sample, date) and not isinstance(sample, datetime):
        days = [-(-time_us // DAY_US) for time_us in (start_us, end_us)]
        return [_EPOCH.date() + timedelta(days=day) for day in days]
    if isinstance(sample, datetime) and sample.tzinfo is not None:
        return moments
    local = [moment.replace(tzinfo=None) for moment in moments]
    if timezone:
        local = [moment.astimezone(ZoneInfo(timezone)).replace(tzinfo=None) for moment in moments]
        # When clocks are set back an hour comes twice. What is too much is left out later.
        local = [local[0] - _HOUR, local[1] + _HOUR]
    if isinstance(sample, datetime) or sample is None:
        return local
    if isinstance(sample, str) and _TEXT.fullmatch(sample):
        return [moment.isoformat(sep=" ") for moment in local]
    raise DataError(
        f"The time column holds {sample!r}, a {type(sample).__name__} whose order in time is not "
        "certain. Give a query that makes times of it, in SQLite with datetime(...)."
    )
