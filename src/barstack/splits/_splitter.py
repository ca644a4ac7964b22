"""Folds in time. For every splitter, the rows to train on follow from when labels are known."""

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
    kind    of the forecasts made from it
    starts  positions in `test` where its stretches begin: one, unless the splitter is combinatorial
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
    """Divides decision times into spans to test. Subclasses define the spans.

    **Purge.** A forward splitter trains on rows whose label is known by the first decision of the
    test. A crossed one trains on both sides, on rows whose time from decision to label end does not
    overlap that of any tested row: known by a stretch's first decision, or decided once its last
    label is known. Rows of all symbols are purged by time together.

    **Embargo.** Before a test none is needed: its features may read what was trained on, as in live
    use. After a test, which only crossed splitters train on, features look back into it and carry
    its outcomes into training. So rows there are left out until all the bars their features read
    open after the last label end. That follows from `memory_bars`, or from `embargo` if given. A
    forward splitter has no rows after its test; its `embargo` widens the gap before it.

    An embargo of bars counts each symbol's own bars after a test, decision times before one.
    """

    kind: ClassVar[Kind] = "forward"
    one_cut: ClassVar[bool] = False  # two folds with one training stretch: validation and test
    embargo: int | str | None = None  # bars, or a duration such as 1d; crossed: derived by default

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

        known_at     (n_rows,) when all labels of a row are known, of fitted labels the latest
                     possible time. NaT rows are tested, not trained
        usable       (n_rows,) rows to use; all by default
        memory_bars  bars that a row's features read, its own included, by the longest feature and
                     the model's window: see `memory_bars`. Required by a crossed splitter without
                     an `embargo`; 0 if no row reads any bar

        Raises `DataError` if a fold has nothing to train on.
        """
        if usable is None:
            usable = np.ones(len(decisions), bool)
        times = np.unique(decisions.decided_at[usable])
        in_time = np.argsort(decisions.decided_at, kind="stable")
        rows = in_time[usable[in_time]]
        latest_end = self._latest_label_end(decisions, memory_bars)[rows]
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
                    label_end = known[test & ~np.isnat(known)].max(initial=times[end - 1])
                    beside |= latest_end >= label_end
                train &= beside
            if not train.any():
                raise self._nothing_left(times, span)
            sizes = [int(test.sum()) for test in stretches]
            starts = tuple(int(place) for place in np.cumsum([0, *sizes[:-1]]))
            tested = np.logical_or.reduce(stretches)
            folds.append(Fold(rows[train], rows[tested], self.kind, starts))
        return folds

    def _latest_label_end(self, decisions: Decisions, memory_bars: int | None) -> Times:
        """(n_rows,) latest label end of a test that may precede each row in training."""
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
                f"{name} trains on rows after its tests, whose features may still read them, and "
                "does not know how far back. Give split memory_bars, or the splitter an embargo; "
                "0 means that features read no bars."
            )
        if isinstance(embargo, str):
            return decisions.decided_at - np.timedelta64(parse_duration(embargo), "us")
        # A symbol with gaps takes longer for so many bars than the common clock.
        earlier = np.arange(len(decisions)) - min(embargo, len(decisions))
        opened = decisions.decided_at[np.maximum(earlier, 0)]
        return np.where(earlier >= decisions.first_row, opened, NEVER)

    def known_by(self, times: Times, start: int) -> np.datetime64:
        """The time by which a label trained on before a test must be known; NaT if there is none.

        times  sorted decision times, of which the test begins at `start`
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
    """Backtests assembled from the forecasts of folds: each tests every row once.

    One for most splitters; several for a combinatorial one, which share no forecast: the j-th path
    takes each group from the j-th fold that tests it. López de Prado, Advances in Financial
    Machine Learning (2018), chapter 12.

    returns  for each path (number of the fold, rows of its test), in time order

    >>> from barstack.splits import SPLITTERS
    >>> from barstack.testing import small_dataset
    >>> data = small_dataset("return")
    >>> splitter = SPLITTERS.parse({"split": "combinatorial_purged", "groups": 4, "tested": 2})
    >>> folds = splitter.split(data.decisions, data.labels.all_known_at, memory_bars=5)
    >>> len(folds), len(paths(folds))
    (6, 3)
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
    """`DataError` if there are fewer decision times than stretches."""
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
