"""Folds in time. What may be trained on follows from when labels are known, for every splitter."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import field_validator

from barstack.core.arrays import Bools, Rows
from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, DataError
from barstack.core.forecast import Kind
from barstack.core.parts import Calling
from barstack.core.registry import SpecRegistry
from barstack.core.spec import Spec
from barstack.core.times import NEVER, KnownAt, Times, canonical_duration, iso, parse_duration

from ._spans import Span, check_spans


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows to train on and rows to forecast.

    train   row numbers, in time order
    test    row numbers, in time order
    kind    of the forecasts that will come of it
    starts  places in `test` at which its stretches begin: one, unless the splitter is combinatorial
    """

    train: Rows
    test: Rows
    kind: Kind
    starts: tuple[int, ...] = (0,)

    @property
    def stretches(self) -> list[Rows]:
        """The rows of each stretch that is tested, in time order."""
        return np.split(self.test, self.starts[1:])


class Splitter(Spec):
    """Cuts decision times into spans to test. Subclasses say where; purge and embargo are here.

    **Purge.** A forward splitter trains on rows whose label is known by the first decision of the
    test. A crossed one trains on both sides, on rows whose time from decision to answer does not
    overlap that of any tested row: known by a stretch's first decision, or decided when its last
    answer is in. Rows of all symbols are purged by time together.

    **Embargo.** Before a test none is needed: its features may read what was trained on, as they
    will on every day to come. After a test, which only crossed splitters train on, features look
    back into it and carry its outcomes into training. So a row there is left out until all the
    bars its features read have opened after the last answer. That follows from `memory_bars`;
    `embargo` takes its place. A forward splitter has no rows after its test, and an `embargo`
    given to it widens the gap before.

    An embargo of bars counts each symbol's own bars after a test, decision times before one.
    """

    kind: ClassVar[Kind] = "forward"
    one_cut: ClassVar[bool] = False  # two folds with one training stretch: to validate, to test
    embargo: int | str | None = None  # bars, or a duration such as 1d; crossed: else derived

    @field_validator("embargo", mode="before")
    @classmethod
    def _check_embargo(cls, value: Any) -> Any:
        if isinstance(value, str):
            return canonical_duration(value)
        if value is not None and (type(value) is not int or value < 0):
            raise ConfigError(
                f"An embargo of {value} is neither bars nor a duration. Write a whole number of "
                "bars, 0 or more, or a duration such as 1d."
            )
        return value

    @abstractmethod
    def spans(self, n_times: int) -> list[Span]:
        """Spans to test of `n_times` decision times, earlier ones first."""

    def split(
        self,
        decisions: Decisions,
        known_at: KnownAt,
        usable: Bools | None = None,
        *,
        memory_bars: int | None = None,
    ) -> list[Fold]:
        """Folds, purged and embargoed.

        known_at     (n_rows,) when each row's labels are all known; of labels that are fitted the
                     latest it can be. NaT rows are tested, not trained
        usable       (n_rows,) rows to consider at all; by default every one
        memory_bars  how many bars up to its own the features of a row read, from the longest of
                     them and the model's window: see `memory_bars`. A crossed splitter without an
                     `embargo` must be told; 0 says that no row reads any bar

        Raises `DataError` when a fold has nothing to train on.
        """
        if usable is None:
            usable = np.ones(len(decisions), bool)
        times = np.unique(decisions.decided_at[usable])
        in_time = np.argsort(decisions.decided_at, kind="stable")
        rows = in_time[usable[in_time]]
        clear_from = self._clear_from(decisions, memory_bars)[rows]
        decided_at, known = decisions.decided_at[rows], known_at[rows]
        with Calling(self, "spans"):
            spans = list(self.spans(len(times)))
        check_spans(self, self.kind, spans, len(times))
        folds = []
        for span in spans:
            stretches = [
                (decided_at >= times[start]) & (decided_at <= times[end - 1])
                for start, end in span.tests
            ]
            train = ~np.isnat(known) & (decided_at >= times[span.train_start])
            if span.train_end is not None:
                train &= known <= self.known_by(times, span.train_end)
            for (start, end), test in zip(span.tests, stretches, strict=True):
                beside = known <= self.known_by(times, start)
                if self.kind == "crossed":
                    answered = known[test & ~np.isnat(known)].max(initial=times[end - 1])
                    beside |= clear_from >= answered
                train &= beside
            if not train.any():
                raise self._nothing_left(times, span)
            sizes = [int(test.sum()) for test in stretches]
            starts = tuple(int(place) for place in np.cumsum([0, *sizes[:-1]]))
            tested = np.logical_or.reduce(stretches)
            folds.append(Fold(rows[train], rows[tested], self.kind, starts))
        return folds

    def _clear_from(self, decisions: Decisions, memory_bars: int | None) -> Times:
        """(n_rows,) the last answer in that a row may follow, if it is to be trained on."""
        if memory_bars is not None:
            if isinstance(memory_bars, bool) or not isinstance(memory_bars, int | np.integer):
                raise ConfigError(
                    f"memory_bars must be a whole number of bars, got {memory_bars!r}. Round it up."
                )
            if memory_bars < 0:
                raise ConfigError(f"memory_bars must be 0 or more, got {memory_bars}.")
        embargo = memory_bars if self.embargo is None else self.embargo
        if self.kind != "crossed":
            return decisions.decided_at
        if embargo is None:
            name = self.registered_as[1] if self.registered_as else type(self).__name__
            raise ConfigError(
                f"{name} trains on rows after its tests, whose features still read them, and does "
                "not know how far back. Give split memory_bars, or the splitter an embargo; 0 says "
                "that features read nothing."
            )
        if isinstance(embargo, str):
            return decisions.decided_at - np.timedelta64(parse_duration(embargo), "us")
        # A symbol with gaps takes longer over so many bars than the common clock does.
        earlier = np.arange(len(decisions)) - min(embargo, len(decisions))
        opened = decisions.decided_at[np.maximum(earlier, 0)]
        return np.where(earlier >= decisions.first_row, opened, NEVER)

    def known_by(self, times: Times, start: int) -> np.datetime64:
        """When a label trained on before a test must be known; NaT where none can be.

        times  sorted decision times, of which the test begins at place `start`
        """
        if start == len(times):  # whatever is known by the last of them
            start -= 1
        moment: np.datetime64 = times[start]
        if self.kind == "crossed" or self.embargo is None:
            return moment
        if isinstance(self.embargo, str):
            return moment - np.timedelta64(parse_duration(self.embargo), "us")
        return times[start - self.embargo] if start >= self.embargo else NEVER

    def _nothing_left(self, times: Times, span: Span) -> DataError:
        first = iso(times[span.test_start])
        if self.kind == "crossed":
            return DataError(
                f"Purge and embargo leave nothing to train on beside the test that begins at "
                f"{first}: of {len(times):,} decision times "
                f"{sum(end - start for start, end in span.tests):,} are tested. Give more bars, a "
                "shorter horizon, fewer folds, a smaller embargo or features that look back less."
            )
        return DataError(
            f"No label is known before testing begins at {first}: of {len(times):,} "
            f"decision times {span.test_start:,} lie before it. Give more bars, a shorter "
            "horizon, fewer folds or a smaller embargo."
        )


def paths(folds: Sequence[Fold]) -> list[list[tuple[int, Rows]]]:
    """Backtests that can be put together from forecasts of folds: each tests every row once.

    Of most splitters one; of a combinatorial one several, which share no forecast: the j-th path
    takes each group from the j-th fold that tests it. López de Prado, Advances in Financial
    Machine Learning (2018), chapter 12.

    returns  for each path (number of the fold, rows of its test), in time order
    """
    turns: dict[int, list[tuple[int, Rows]]] = {}
    for number, fold in enumerate(folds):
        for stretch in fold.stretches:
            turns.setdefault(int(stretch[0]), []).append((number, stretch))
    if len({len(turn) for turn in turns.values()}) > 1:
        raise ConfigError(
            "These folds test some rows more often than others, so that no paths cover all rows "
            "alike. Give all folds of one splitter."
        )
    return [list(path) for path in zip(*turns.values(), strict=True)]


def check_count(n_times: int, count: int) -> None:
    """`DataError` where there are fewer decision times than stretches to make of them."""
    if n_times < count:
        raise DataError(
            f"{n_times} decision times cannot make {count} stretches to test. Give more bars or "
            "fewer folds."
        )


def check_share(name: str, value: float) -> None:
    """`ConfigError` unless a share lies strictly between 0 and 1."""
    if not 0.0 < value < 1.0:
        raise ConfigError(f"{name} must lie between 0 and 1, got {value}.")


SPLITTERS: SpecRegistry[Splitter] = SpecRegistry("split", "barstack.splits")
register = SPLITTERS.register
