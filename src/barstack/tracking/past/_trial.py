"""One trial made elsewhere, and what is refused of files that somebody else has written."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from barstack.core.errors import DataError
from barstack.core.text import printable

MOST_TRIALS = 1_000_000
_LONGEST_TEXT = 10_000
_MOST_VALUES = 10_000  # parameters or measures of one trial


@dataclass(frozen=True, kw_only=True)
class PastTrial:
    """A configuration that another program has judged.

    source        `optuna`, `mlflow` or `freqtrade`
    group         of trials: the name of a study, an experiment or a strategy
    number        what tells it apart within the group
    params        what was tried
    measures      what was found, by name
    symbols       what it was judged on; empty where the file does not say
    timeframe     of the bars; empty where the file does not say
    first_at, last_at  of the data; empty where the file does not say
    started_at, finished_at  UTC; None where the file does not say
    """

    source: str
    group: str
    number: str
    params: Mapping[str, Any] = field(default_factory=dict)
    measures: Mapping[str, float] = field(default_factory=dict)
    symbols: tuple[str, ...] = ()
    timeframe: str = ""
    first_at: str = ""
    last_at: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None


def checked_text(value: Any) -> str:
    """A text that can be stored and shown."""
    return printable(str(value)[:_LONGEST_TEXT])


def checked_params(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Parameters as plain numbers and texts; what is nested is kept as JSON."""
    _refuse_many(values)
    found: dict[str, Any] = {}
    for name, value in values.items():
        if value is None or isinstance(value, bool):
            found[checked_text(name)] = value
        elif isinstance(value, int | float):
            found[checked_text(name)] = value if math.isfinite(value) else str(value)
        elif isinstance(value, str):
            found[checked_text(name)] = checked_text(value)
        else:
            found[checked_text(name)] = checked_text(json.dumps(value, default=str))
    return found


def checked_measures(values: Mapping[Any, Any]) -> dict[str, float]:
    """Measures that are finite numbers; others are left out."""
    _refuse_many(values)
    return {
        checked_text(name): float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def moment(milliseconds: Any) -> datetime | None:
    """A time from milliseconds since 1970, or from text as SQL keeps it."""
    try:
        if isinstance(milliseconds, str):
            found = datetime.fromisoformat(milliseconds)
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        if milliseconds is None or isinstance(milliseconds, bool):
            return None
        return datetime.fromtimestamp(float(milliseconds) / 1000.0, UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def _refuse_many(values: Mapping[Any, Any]) -> None:
    if len(values) > _MOST_VALUES:
        raise DataError(
            f"A trial has {len(values):,} parameters or measures, and may have {_MOST_VALUES:,}. "
            "The file is not what it is taken for."
        )
