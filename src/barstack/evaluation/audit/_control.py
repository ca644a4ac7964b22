"""Tables computed again are compared with the first: what may not change, and what must."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from barstack.bars import Bars
from barstack.core.arrays import Bools, Floats, Rows
from barstack.core.decisions import Decisions
from barstack.core.errors import BarstackError, ConfigError, DataError
from barstack.core.times import DAY_US, KnownAt, Times, iso
from barstack.features import FeatureTable
from barstack.labels import LabelTable

from ._cuts import Future
from ._leak import Leak, who
from ._pipeline import Data

# --- comparison -----------------------------------------------------------------------------------

FEATURE_MEND = "Use only bars and rows known by the decision, and numbers learned from those."
_COLUMN_ROUNDING = 1e-9  # of the deviation of a column

# Sums of more numbers are rounded elsewhere: with another length of the table, clean features of
# other libraries can differ in the last bits. Altered futures have the same length and no excuse.


@dataclass(frozen=True)
class Alteration:
    """A moment, and what was done to everything after it.

    exact  whether a difference of rounding counts
    """

    at: np.datetime64
    what: str
    exact: bool


def compare_features(
    whole: FeatureTable,
    again: FeatureTable,
    known: Alteration,
    answered_at: KnownAt | None = None,
) -> Iterator[Leak]:
    """Each column that differs up to the moment, and rows that come or go.

    answered_at  (n_rows of whole,) when each row's label is known. The latest rows, whose label is
                 still open, may be missing: tables for training often leave them out
    """
    yield from _compare_rows(whole.decisions, again.decisions, known, answered_at)
    if whole.columns != again.columns:
        yield _other_columns(whole, again, known)
        return
    mine, theirs = _shared(whole.decisions, again.decisions, known.at)
    before, after = whole.values[mine], again.values[theirs]
    wrong = differs(before, after, None if known.exact else whole.values)
    firsts = _first_wrong(wrong, whole.decisions.decided_at[mine])
    for column, first in sorted(firsts.items(), key=lambda each: each[1].rank):
        row = int(mine[first.place])
        name = whole.columns[column]
        symbol, at = who(whole.decisions, row)
        yield Leak(
            "features",
            name,
            symbol,
            at,
            f"Feature {name!r} of {symbol} at {iso(at)} changes from "
            f"{before[first.place, column]:.17g} to {after[first.place, column]:.17g} when "
            f"bars and series after {iso(known.at)} are {known.what}: it reads the future.",
            FEATURE_MEND,
        )


def compare_labels(whole: LabelTable, again: LabelTable, known: Alteration) -> Iterator[Leak]:
    """Each horizon that claims to be known by the moment and changes after it."""
    mine, theirs = _shared(whole.decisions, again.decisions, known.at)
    in_time = whole.known_at[mine] <= known.at
    wrong = in_time != (again.known_at[theirs] <= known.at)
    wrong |= in_time & (whole.known_at[mine] != again.known_at[theirs])
    for before, after in ((whole.values, again.values), (whole.returns, again.returns)):
        wrong |= in_time & differs(before[mine], after[theirs], None if known.exact else before)
    for place, first in _first_wrong(wrong, whole.decisions.decided_at[mine]).items():
        row, there = int(mine[first.place]), int(theirs[first.place])
        horizon = whole.target.horizons[place]
        symbol, at = who(whole.decisions, row)
        yield Leak(
            "labels",
            horizon,
            symbol,
            at,
            f"The label of {symbol} at {iso(at)}, horizon {horizon}, is "
            f"{whole.values[row, place]:.17g} and known at {iso(whole.known_at[row, place])}; "
            f"when bars after {iso(known.at)} are {known.what} it is "
            f"{again.values[there, place]:.17g} and known at {iso(again.known_at[there, place])}.",
            "Give it the known_at of the last bar that it reads; what it learns, such as "
            "thresholds or barriers, belongs into the fit of each fold.",
        )


def differs(before: Floats, after: Floats, table: Floats | None = None) -> Bools:
    """Where two tables are not the same, but for rounding where that is allowed.

    table  whose columns' standard deviations rounding is measured in; None allows for none
    """
    wrong = (before != after) & ~(np.isnan(before) & np.isnan(after))
    if table is not None and (columns := np.flatnonzero(wrong.any(axis=0))).size:
        old, new = before[:, columns], after[:, columns]
        with np.errstate(invalid="ignore"):
            close = np.abs(old - new) <= _COLUMN_ROUNDING * (
                spread(table[:, columns]) + np.abs(old)
            )
        wrong[:, columns] &= ~close
    return np.asarray(wrong)


class _First(NamedTuple):
    """The earliest row in which a column is wrong: its place, and its rank by time."""

    place: int
    rank: int


def _first_wrong(wrong: Bools, decided_at: Times) -> dict[int, _First]:
    """By column, for those that are wrong anywhere."""
    columns = np.flatnonzero(wrong.any(axis=0))
    if not len(columns):
        return {}
    order = np.argsort(decided_at, kind="stable")
    ranks = np.argmax(wrong[order][:, columns], axis=0)
    return {
        int(column): _First(int(order[rank]), int(rank))
        for column, rank in zip(columns, ranks, strict=True)
    }


def spread(values: Floats) -> Floats:
    """(n_columns,) standard deviation of what is there of each column."""
    seen = np.where(np.isfinite(values), values, np.nan)
    if np.isnan(seen).all(axis=0).any():
        seen = np.where(np.isnan(seen).all(axis=0), 0.0, seen)
    return np.asarray(np.nanstd(seen, axis=0))


def _compare_rows(
    whole: Decisions, again: Decisions, known: Alteration, answered_at: KnownAt | None
) -> Iterator[Leak]:
    gone = (whole.decided_at <= known.at) & (again.match(whole) < 0)
    if answered_at is not None and gone.any():
        gone &= ~_still_open(whole, gone, known.at, answered_at)
    come = (again.decided_at <= known.at) & (whole.match(again) < 0)
    for decisions, rows, verb in ((whole, gone, "is missing"), (again, come, "appears")):
        if rows.any():
            row = int(np.argmax(rows))
            symbol, at = who(decisions, row)
            yield Leak(
                "features",
                "rows",
                symbol,
                at,
                f"The row of {symbol} at {iso(at)} {verb} when bars and series after "
                f"{iso(known.at)} are {known.what}; {int(rows.sum()):,} row(s) do so. Which rows "
                "and symbols there are depends on what came later.",
                "Choose symbols and rows by what was known at each decision.",
            )
            return


def _still_open(
    decisions: Decisions, gone: Bools, moment: np.datetime64, answered_at: KnownAt
) -> Bools:
    """Of the rows that are gone, those at each symbol's end whose label is still to come."""
    tail = np.zeros(len(gone), bool)
    for code in range(len(decisions.symbols)):
        own = np.flatnonzero((decisions.symbol_code == code) & (decisions.decided_at <= moment))
        kept = np.flatnonzero(~gone[own])
        tail[own[(int(kept[-1]) if len(kept) else -1) + 1 :]] = len(kept) > 0
    return np.asarray(gone & tail & ~(answered_at <= moment))


def _other_columns(whole: FeatureTable, again: FeatureTable, known: Alteration) -> Leak:
    moved = [name for name in whole.columns if name not in again.columns]
    moved += [name for name in again.columns if name not in whole.columns]
    symbol, at = who(whole.decisions, 0)
    name = moved[0] if moved else whole.columns[0]
    return Leak(
        "features",
        name,
        symbol,
        at,
        f"Columns are {', '.join(again.columns[:8])} instead of {', '.join(whole.columns[:8])} "
        f"when bars and series after {iso(known.at)} are {known.what}.",
        "Choose columns within the fit of each fold.",
    )


def _shared(whole: Decisions, again: Decisions, moment: np.datetime64) -> tuple[Rows, Rows]:
    """Rows of both tables up to the moment."""
    there = again.match(whole)
    mine = np.flatnonzero((there >= 0) & (whole.decided_at <= moment))
    return mine, there[mine]


# --- the positive control -------------------------------------------------------------------------
# What the audit alters must show somewhere, or it is blind. A pipeline that takes its numbers from
# a notebook's arrays, a cache or a file gives the same ones whatever bars it is handed: nothing
# moves before a cut, and nothing moves after it either.

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
        there = decisions.match(self.decisions)
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
    found = np.zeros(before.shape[1], bool)
    unequal = (before != after) & ~(np.isnan(before) & np.isnan(after))
    columns = np.flatnonzero(unequal.any(axis=0))
    before, after = before[:, columns], after[:, columns]
    with np.errstate(invalid="ignore"):
        gap = after - before
        close = np.abs(gap) <= _ROUNDING * spread(before) + _COLUMN_ROUNDING * np.abs(before)
    usual = [np.median(own[np.isfinite(own)]) if np.isfinite(own).any() else 0.0 for own in gap.T]
    allowed = _ROUNDING * (spread(before) + np.abs(np.nan_to_num(gap)))
    shifted = np.abs(np.nan_to_num(gap) - np.array(usual)) <= allowed
    lost = np.isfinite(before) != np.isfinite(after)
    there = np.maximum(np.isfinite(before).sum(axis=0), 1)
    wrong = unequal[:, columns] & ~close & ~shifted
    found[columns] = (wrong | lost).sum(axis=0) > (1.0 - _MOST_EQUAL) * there
    return found


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


SAME = Alteration(np.datetime64("9999-12-31"), "the same", exact=False)


def refuse_unseeded(leak: Leak, twice: Iterable[Leak]) -> None:
    """`ConfigError` where the same data give other numbers: nothing can be concluded from those.

    twice  what two tables of the same data differ in
    """
    if any(each.column == leak.column for each in twice):
        raise ConfigError(
            f"{leak.stage.capitalize()} {leak.column!r}: not deterministic. Computed twice from "
            "the same bars, they differ. Set the seeds of what is drawn at random, so that a leak "
            "can be recognised."
        )
