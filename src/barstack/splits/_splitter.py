"""Folds in time. What may be trained on follows from when labels are known, for every splitter."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import field_validator

from barstack.core.decisions import Decisions, Rows
from barstack.core.errors import ConfigError, DataError
from barstack.core.forecast import Kind
from barstack.core.registry import SpecRegistry
from barstack.core.spec import Spec
from barstack.core.times import KnownAt, Times, iso, parse_duration


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows to train on and rows to forecast.

    train  row numbers, in time order
    test   row numbers, in time order
    kind   of the forecasts that will come of it
    """

    train: Rows
    test: Rows
    kind: Kind


@dataclass(frozen=True)
class Span:
    """A stretch of decision times to test, and which times before it may be trained on.

    All are places in the sorted unique decision times; ends are exclusive.
    """

    test_start: int
    test_end: int
    train_start: int = 0
    train_end: int | None = None  # by default everything the kind of splitter allows


class Splitter(Spec):
    """Cuts decision times into spans to test. Subclasses say where; purging is done here.

    A training row is kept only when its label is known by the first decision of the test span
    (forward), or does not overlap the time from there to the last label of the span (crossed).
    """

    kind: ClassVar[Kind] = "forward"
    embargo: str | None = None  # a further distance beyond the purge, such as 1d

    @field_validator("embargo")
    @classmethod
    def _check_embargo(cls, text: str | None) -> str | None:
        if text is not None:
            parse_duration(text)
        return text

    @abstractmethod
    def spans(self, n_times: int) -> list[Span]:
        """Spans to test of `n_times` decision times, in time order."""

    def split(
        self,
        decisions: Decisions,
        known_at: KnownAt,
        usable: npt.NDArray[np.bool_] | None = None,
    ) -> list[Fold]:
        """Purged folds.

        known_at  (n_rows,) when each row's labels are all known; NaT rows are tested, not trained
        usable    (n_rows,) rows to consider at all; by default every one

        Raises `DataError` when a fold has nothing to train on.
        """
        if usable is None:
            usable = np.ones(len(decisions), bool)
        times = np.unique(decisions.decided_at[usable])
        in_time = np.argsort(decisions.decided_at, kind="stable")
        in_time = in_time[usable[in_time]]
        return [
            self._fold(span, times, decisions, known_at, in_time) for span in self.spans(len(times))
        ]

    def _fold(
        self, span: Span, times: Times, decisions: Decisions, known_at: KnownAt, rows: Rows
    ) -> Fold:
        decided_at, known = decisions.decided_at[rows], known_at[rows]
        first, last = times[span.test_start], times[span.test_end - 1]
        test = (decided_at >= first) & (decided_at <= last)
        embargo = np.timedelta64(parse_duration(self.embargo) if self.embargo else 0, "us")
        train = known <= first - embargo  # false for NaT
        if self.kind == "crossed":
            answered = known[test & ~np.isnat(known)].max(initial=last)
            train |= (decided_at >= answered + embargo) & ~np.isnat(known)
        train &= decided_at >= times[span.train_start]
        if span.train_end is not None:
            train &= known <= times[span.train_end]
        if not train.any():
            raise DataError(
                f"No label is known before testing begins at {iso(first)}: of {len(times):,} "
                f"decision times {span.test_start:,} lie before it. Give more bars, a shorter "
                "horizon, fewer folds or a smaller embargo."
            )
        return Fold(rows[train], rows[test], self.kind)


def early_stop_split(
    decisions: Decisions, known_at: KnownAt, rows: Rows, share: float = 0.15
) -> tuple[Rows, Rows]:
    """Training rows parted again: to fit on, and the latest to stop early by, purged between.

    Both count as seen. Raises `DataError` when too few rows are left to fit on.

    rows     training rows in time order
    share    of decision times to stop by
    returns  (rows to fit on, rows to stop by)
    """
    times = np.unique(decisions.decided_at[rows])
    first = times[min(int(len(times) * (1.0 - share)), len(times) - 1)]
    fit = rows[known_at[rows] <= first]
    stop = rows[decisions.decided_at[rows] >= first]
    if len(fit) < 2:
        raise DataError(
            f"{len(rows)} training rows up to {iso(times[-1])} leave {len(fit)} to fit on once "
            "early stopping has its own. Give more bars, fewer folds, or a model that looks "
            "back less."
        )
    return fit, stop


def check_share(name: str, value: float) -> None:
    """`ConfigError` unless a share lies strictly between 0 and 1."""
    if not 0.0 < value < 1.0:
        raise ConfigError(f"{name} must lie between 0 and 1, got {value}.")


SPLITTERS: SpecRegistry[Splitter] = SpecRegistry("split", "barstack.splits")
register = SPLITTERS.register
