"""Trials of an Optuna study in SQLite: the schema of Optuna 3 to 5.

Completed and pruned trials were judged on the data and count; failed, running and waiting ones
were not.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ._foreign_sqlite import by_key, foreign_database
from ._trial import PastTrial, checked_measures, checked_params, checked_text, moment

TABLES: dict[str, Sequence[str]] = {
    "studies": ("study_id", "study_name"),
    "trials": (
        *("trial_id", "number", "study_id", "state"),
        *("datetime_start", "datetime_complete"),
    ),
    "trial_params": ("trial_id", "param_name", "param_value", "distribution_json"),
    "trial_values": ("trial_id", "objective", "value"),
    "trial_user_attributes": ("trial_id", "key", "value_json"),
}
_JUDGED = ("COMPLETE", "PRUNED")


def read_optuna(file: Path) -> Iterator[PastTrial]:
    """Trials in the order in which they were started."""
    with foreign_database(file) as database:
        yield from _trials(database)


def _trials(database: sqlite3.Connection) -> Iterator[PastTrial]:
    params = by_key(
        (trial, name, _external(value, distribution))
        for trial, name, value, distribution in database.execute(
            "SELECT trial_id, param_name, param_value, distribution_json FROM trial_params"
        )
    )
    values = by_key(
        (trial, "value" if objective == 0 else f"value_{objective}", value)
        for trial, objective, value in database.execute(
            "SELECT trial_id, objective, value FROM trial_values"
        )
    )
    attributes = by_key(
        (trial, name, _from_json(value))
        for trial, name, value in database.execute(
            "SELECT trial_id, key, value_json FROM trial_user_attributes"
        )
    )
    query = """
        SELECT trial_id, number, study_name, datetime_start, datetime_complete
        FROM trials JOIN studies USING (study_id) WHERE state IN (?, ?) ORDER BY trial_id
    """
    for trial, number, study, started, finished in database.execute(query, _JUDGED):
        own = attributes.get(trial, {})
        yield PastTrial(
            source="optuna",
            group=checked_text(study),
            number=checked_text(number),
            params=checked_params(params.get(trial, {})),
            measures=checked_measures(own | values.get(trial, {})),
            symbols=symbols_in(own),
            timeframe=checked_text(own.get("timeframe", "")),
            started_at=moment(started),
            finished_at=moment(finished),
        )


def symbols_in(facts: dict[str, Any]) -> tuple[str, ...]:
    """Symbols that a trial says by itself: a list, or a text with commas."""
    found = facts.get("symbols", facts.get("symbol", ()))
    if isinstance(found, str):
        found = found.split(",")
    if not isinstance(found, list | tuple):
        return ()
    return tuple(checked_text(each).strip() for each in found if str(each).strip())


def _external(value: Any, distribution: Any) -> Any:
    """A parameter as people see it: Optuna keeps the place of a choice, and whole numbers as REAL.

    >>> _external(1.0, '{"name": "CategoricalDistribution", "attributes": {"choices": ["a", "b"]}}')
    'b'
    """
    about = _from_json(distribution)
    if not isinstance(about, dict):
        return value
    attributes = about.get("attributes", about)  # studies may hold the abbreviated form
    kind = about.get("name", about.get("type", ""))
    choices = attributes.get("choices") if isinstance(attributes, dict) else None
    try:
        if isinstance(choices, list):
            return choices[int(value)]
        return int(value) if str(kind).lower().startswith("int") else value
    except (TypeError, ValueError, IndexError, OverflowError):
        return value


def _from_json(text: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None
