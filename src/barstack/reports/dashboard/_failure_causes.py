"""Why experiments failed: the same error once, with how many have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from barstack.tracking import Experiment

_COLUMNS = ("model_name", "horizon_name", "period", "symbol")


@dataclass(frozen=True)
class FailureCause:
    """An error and who has it.

    Attributes
    ----------
    error
        The sentence.
    rows
        Experiments that failed with it, the latest first.
    shared
        What all of these have in common and no completed experiment has, such as `model_name`
        `tcn`; empty where it is one experiment only.
    """

    error: str
    rows: tuple[Experiment, ...]
    shared: tuple[tuple[str, str], ...]


def failure_causes(rows: Sequence[Experiment]) -> list[FailureCause]:
    """Errors of failed experiments, the most frequent first."""
    by_error: dict[str, list[Experiment]] = {}
    for row in rows:
        if row.status == "failed":
            by_error.setdefault(row.error or "No reason was recorded.", []).append(row)
    completed = [row for row in rows if row.status == "completed"]
    fine = {column: {getattr(row, column) for row in completed} for column in _COLUMNS}
    found = []
    for error, own in by_error.items():
        own.sort(key=lambda row: (str(row.finished_at), row.experiment_id), reverse=True)
        values = {column: {getattr(row, column) for row in own} for column in _COLUMNS}
        shared = tuple(
            (column, value)
            for column, of in values.items()
            if len(own) > 1 and len(of) == 1
            for value in of
            if value and completed and value not in fine[column]
        )
        found.append(FailureCause(error, tuple(own), shared))
    return sorted(found, key=lambda cause: (-len(cause.rows), cause.error))
