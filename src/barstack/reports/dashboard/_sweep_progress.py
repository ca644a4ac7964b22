"""How far experiments have come: counts, rate, time left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from barstack.tracking import Experiment

_RECENT = timedelta(minutes=10)  # over which the rate is measured, and after which all is idle
_FEW = 3  # experiments that ended: fewer give no rate
_POINTS = 400  # of a chart


@dataclass(frozen=True)
class SweepProgress:
    """Where a sweep, or everything that is tracked, stands.

    Attributes
    ----------
    planned
        Experiments in all; None where nobody has said how many.
    completed, failed, pruned, running
        Experiments with this status.
    left
        Planned ones that have not ended; None as `planned`.
    per_minute
        Experiments that ended, in the last ten minutes or since the first of those began; None
        before three have.
    left_s
        Seconds that what is left takes at this rate.
    last_at
        When an experiment last began or ended, UTC.
    state
        `empty`, `running`, `idle` (not finished, and nothing began or ended for ten minutes) or
        `finished`.
    """

    planned: int | None
    completed: int
    failed: int
    pruned: int
    running: int
    left: int | None
    per_minute: float | None
    left_s: float | None
    last_at: datetime | None
    state: Literal["empty", "running", "idle", "finished"]

    @property
    def ended(self) -> int:
        """Completed, failed and pruned."""
        return self.completed + self.failed + self.pruned

    def share(self, count: int) -> float:
        """A count in percent of all."""
        whole = self.planned or self.ended + self.running
        return 100 * count / whole if whole else 0.0


def progress_of(rows: Sequence[Experiment], planned: int | None, now: datetime) -> SweepProgress:
    """Figures at the moment `now`.

    planned  as the sweep has noted; where more are tracked, their number counts
    """
    counts = Counter(row.status for row in rows)
    ended = counts["completed"] + counts["failed"] + counts["pruned"]
    if planned is not None:
        planned = max(planned, ended)
    left = None if planned is None else planned - ended
    rate = _per_minute(rows, now)
    moments = [at for row in rows for at in (row.started_at, row.finished_at) if at is not None]
    last_at = max(moments, default=None)
    unfinished = counts["running"] > 0 if left is None else left > 0
    return SweepProgress(
        planned=planned,
        completed=counts["completed"],
        failed=counts["failed"],
        pruned=counts["pruned"],
        running=counts["running"],
        left=left,
        per_minute=rate,
        left_s=60 * left / rate if left and rate else None,
        last_at=last_at,
        state="empty"
        if last_at is None
        else "finished"
        if not unfinished
        else "running"
        if now - last_at < _RECENT
        else "idle",
    )


def _per_minute(rows: Sequence[Experiment], now: datetime) -> float | None:
    since = now - _RECENT
    recent = [row for row in rows if row.finished_at is not None and row.finished_at > since]
    if len(recent) < _FEW:
        return None
    begun = min(row.started_at or now for row in recent)
    seconds = (now - max(begun, since)).total_seconds()
    return 60 * len(recent) / seconds if seconds > 0 else None


def ended_over_time(rows: Sequence[Experiment]) -> dict[str, list[Any]]:
    """How many had ended by each moment: seconds since 1970, completed, failed.

    Of many moments four hundred are kept, the first and the last among them.
    """
    ends = sorted((row.finished_at, row.status) for row in rows if row.finished_at is not None)
    at, completed, failed = [], [], []
    done = Counter[str]()
    for moment, status in ends:
        done[status] += 1
        at.append(round(moment.timestamp(), 3))
        completed.append(done["completed"])
        failed.append(done["failed"])
    n = len(at)
    kept = sorted({round(i * (n - 1) / (_POINTS - 1)) for i in range(_POINTS)}) if n else []
    return {
        "at": [at[i] for i in kept],
        "completed": [completed[i] for i in kept],
        "failed": [failed[i] for i in kept],
    }


def latest(rows: Sequence[Experiment], count: int) -> list[Experiment]:
    """Those that ended last, the newest first."""
    ended = [row for row in rows if row.finished_at is not None]
    ended.sort(key=lambda row: (row.finished_at, row.experiment_id), reverse=True)
    return ended[:count]


def running(rows: Sequence[Experiment], count: int) -> list[Experiment]:
    """Those that run, the newest first."""
    found = [row for row in rows if row.status == "running"]
    found.sort(key=lambda row: (str(row.started_at), row.experiment_id), reverse=True)
    return found[:count]


def duration(seconds: float | None) -> str:
    """A length of time, roughly.

    >>> duration(42), duration(754), duration(9000), duration(None)
    ('42 s', '13 min', '2.5 h', '–')
    """
    if seconds is None:
        return "–"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 200_000 else f"{seconds / 86400:.0f} days"
