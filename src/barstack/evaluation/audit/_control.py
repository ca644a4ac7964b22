"""The positive control: what the audit alters must show somewhere, or it is blind.

A pipeline that takes its numbers from a notebook's arrays, a cache or a file gives the same ones
whatever bars it is handed. Nothing moves before a cut, and nothing moves after it either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from barstack.bars import Bars
from barstack.core.arrays import Bools, Floats
from barstack.core.decisions import Decisions
from barstack.core.errors import BarstackError, ConfigError, DataError
from barstack.core.times import DAY_US, KnownAt, iso
from barstack.features import FeatureTable
from barstack.labels import LabelTable

from ._futures import Future
from ._leak import Leak
from ._pipeline import Data
from ._prefix import Known, differs, place_in, spread

Table = TypeVar("Table", FeatureTable, LabelTable)
Again = Callable[[Data], tuple[Decisions, Floats]]

_DROPPED = 11  # bars left out at the start: a prime, so that no calendar repeats after as many
_YEARS, DAYS = 28, 10_227  # after which weekdays, dates and leap years come again
_ROUNDING = 1e-6
_MOST_EQUAL = 0.8  # share of rows that a calendar's column keeps at the other dates
_BEYOND = 0.5  # share of rows after a cut that may not be there
_MEND = (
    "Compute it from the bars and series it is handed; give other tables as series with the moment "
    "at which each row was known."
)


@dataclass
class Control:
    """Whether a table's columns answer to what is altered, gathered while other proofs are made.

    part       features or labels
    responded  (n_columns,) columns that have changed where the data had
    """

    part: str
    decisions: Decisions
    columns: Sequence[str]
    values: Floats
    responded: Bools = field(init=False)
    failed: list[Leak] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.responded = np.zeros(len(self.columns), bool)

    def look(self, table_of: Callable[[Data], Table], future: Future, at: Any) -> Table | None:
        """What a function makes of another future, noted; None where it makes nothing of it."""
        try:
            table = table_of(future.data)
        except DataError:
            if future.same_shape:
                raise
            return None  # too little is left; the altered future of the moment is looked at
        except Exception as error:
            if future.same_shape or isinstance(error, BarstackError):
                what = f"bars and series after {iso(at)} are {future.what}"
                error.add_note(f"This is the audit: {what}.")
                raise
            self._fail("rows", f"cut off at {iso(at)} they raise {type(error).__name__}: {error}")
            return None
        if future.same_shape:
            self.saw(table.decisions, table.values, at)
        else:
            self.saw_cut(table.decisions, at)
        return table

    def saw(self, decisions: Decisions, values: Floats, moment: np.datetime64) -> None:
        """Values of the same data, altered after a moment."""
        if values.shape[1:] != self.values.shape[1:]:
            self.responded[:] = True
            return
        there = place_in(decisions, self.decisions)
        rows = np.flatnonzero((there >= 0) & (self.decisions.decided_at > moment))
        if len(rows):
            self.responded |= differs(self.values[rows], values[there[rows]]).any(axis=0)

    def saw_cut(self, decisions: Decisions, moment: np.datetime64) -> None:
        """Rows of data cut off at a moment: most of what lies beyond must be missing."""
        beyond = int((self.decisions.decided_at > moment).sum())
        kept = int((decisions.decided_at > moment).sum())
        if beyond > _DROPPED and kept > _BEYOND * beyond:
            self._fail(
                "rows",
                f"{kept:,} of them are decided after {iso(moment)}, though no later bar was handed "
                "over",
            )

    def _fail(self, column: str, why: str) -> None:
        if not any(leak.column == column for leak in self.failed):
            self.failed.append(self._blind(column, why))

    def blind(self, again: Again, data: Data) -> list[Leak]:
        """Columns that answer to nothing, though they vary, and are no calendar either."""
        idle = ~self.responded & self._varies()
        found = list(self.failed)
        if not idle.any() or found:
            return found
        try:
            decisions, values = again(_without_first(data, _DROPPED))
        except DataError:
            return found  # too few bars
        for place in np.flatnonzero(idle & self._by_place(decisions, values)):
            found.append(
                self._blind(
                    self.columns[int(place)],
                    "it stays as it is whatever is done to bars and series, and follows the "
                    "number of the row",
                )
            )
        return found

    def elsewhere(
        self, again: Callable[[Data], tuple[Decisions, Floats]], data: Data
    ) -> list[Leak]:
        """Columns that are looked up by date: the same data, 28 years later, hold other numbers."""
        try:
            decisions, values = again(at_other_dates(data))
        except KeyError as error:
            why = f"with all dates {_YEARS} years later they raise KeyError: {error}"
            return [self._blind("rows", why)]
        except Exception:  # noqa: BLE001 (a calendar that ends before then proves nothing)
            return []
        if not self._differs_elsewhere(self.decisions, self.values, decisions, values):
            return []
        base = again(at_other_dates(data, days=0))  # what is left is the dates' doing
        return self._differs_elsewhere(*base, decisions, values)

    def _differs_elsewhere(
        self, decisions: Decisions, values: Floats, there: Decisions, moved: Floats
    ) -> list[Leak]:
        if values.shape != moved.shape or len(decisions) != len(there):
            why = f"with all dates {_YEARS} years later there are {len(there):,} rows"
            return [self._blind("rows", why)]
        found = []
        for place in np.flatnonzero(self._varies() & (_looked_up(values, moved))):
            why = f"it holds other numbers when all dates lie {_YEARS} years later, bars alike"
            found.append(self._blind(self.columns[int(place)], why))
        return found

    def _varies(self) -> Bools:
        """Whether a column changes within any symbol: a constant tells no future."""
        varies = np.zeros(len(self.columns), bool)
        for code in range(len(self.decisions.symbols)):
            own = self.values[self.decisions.symbol_code == code]
            for place, column in enumerate(own.T):
                seen = column[np.isfinite(column)]
                varies[place] |= len(seen) > 1 and bool((seen != seen[0]).any())
        return varies

    def _by_place(self, decisions: Decisions, values: Floats) -> Bools:
        """Whether the values of each symbol's rows are those of the same places as before."""
        same = np.ones(len(self.columns), bool)
        if values.shape[1:] != self.values.shape[1:]:
            return np.zeros(len(self.columns), bool)
        steady = np.ones(len(self.columns), bool)  # a row number may be what it is
        for code in range(len(decisions.symbols)):
            new = values[decisions.symbol_code == code]
            name = decisions.symbols[code]
            if name not in self.decisions.symbols:
                continue
            old = self.values[self.decisions.symbol_code == self.decisions.symbols.index(name)]
            short = min(len(old), len(new))
            same &= ~differs(old[:short], new[:short]).any(axis=0)
            with np.errstate(invalid="ignore"):
                steady &= np.nan_to_num(np.ptp(np.diff(old, axis=0), axis=0), nan=1.0) < _ROUNDING
        return same & ~steady

    def _blind(self, column: str, why: str) -> Leak:
        decisions = self.decisions
        what = f"column {column!r} of the {self.part}" if column != "rows" else f"the {self.part}"
        return Leak(
            self.part,
            column,
            str(decisions.symbol[0]),
            decisions.decided_at[0],
            f"The audit cannot see {what}: {why}. They are made of what was not handed over.",
            _MEND,
            blind=True,
        )


def _looked_up(before: Floats, after: Floats) -> Bools:
    """(n_columns,) whether a column of the same bars at other dates is another one.

    A calendar's may differ in few rows, as clocks are put forward on other days, and what counts
    time since some day differs by one number.
    """
    wrong = differs(before, after, 1e3 * spread(before))  # of 1e-9, so that 1e-6 is rounding
    with np.errstate(invalid="ignore"):
        gap = after - before
    usual = [np.median(own[np.isfinite(own)]) if np.isfinite(own).any() else 0.0 for own in gap.T]
    allowed = _ROUNDING * (spread(before) + np.abs(np.nan_to_num(gap)))
    shifted = np.abs(np.nan_to_num(gap) - np.array(usual)) <= allowed
    lost = np.isfinite(before) != np.isfinite(after)
    there = np.maximum(np.isfinite(before).sum(axis=0), 1)
    return np.asarray(((wrong & ~shifted) | lost).sum(axis=0) > (1.0 - _MOST_EQUAL) * there)


def _without_first(data: Data, bars: int) -> Data:
    return Data({symbol: own[bars:] for symbol, own in data.panel.items()}, data.series)


def at_other_dates(data: Data, days: int = DAYS) -> Data:
    """The same bars and series 28 years later, when weekdays and dates are the same again.

    days  0 for the dates as they are. Either way no calendar is named, as that of other years has
          other holidays, and what it explains of a hole at one date it does not at the other
    """
    panel = {}
    for symbol, bars in data.panel.items():
        records = bars.records.copy()
        for name in ("opened_at", "closed_at", "session_open", "session_close"):
            records[name] += days * DAY_US
        records["session"] += days
        panel[symbol] = Bars(symbol, bars.length_us, records, bars.outside)
    series = {
        name: replace(
            table,
            known_at=KnownAt(later(table.known_at, days)),
            began_at=later(table.began_at, days),
        )
        for name, table in data.series.items()
    }
    return Data(panel, series)


def later(times: Any, days: int = DAYS) -> Any:
    """Moments of the other dates."""
    return times + np.timedelta64(days, "D")


SAME = Known(np.datetime64("9999-12-31"), "the same", exact=False)


def refuse_unseeded(leak: Leak, twice: Iterable[Leak]) -> None:
    """`ConfigError` where the same data give other numbers: nothing can be told of those.

    twice  what two tables of the same data differ in
    """
    if any(each.column == leak.column for each in twice):
        raise ConfigError(
            f"{leak.stage.capitalize()} {leak.column!r}: not deterministic. Computed twice from "
            "the same bars, they differ. Set the seeds of what is drawn at random, so that a leak "
            "can be told."
        )
