"""Prefix invariance: what was known by a moment stays, to the last bit, whatever comes after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Bools, Floats, Rows
from barstack.core.decisions import Decisions
from barstack.core.times import KnownAt, iso
from barstack.features import FeatureTable
from barstack.labels import LabelTable

from ._leak import Leak

FEATURE_MEND = "Use only bars and rows known by the decision, and numbers learned from those."
_ROUNDING = 1e-9  # of the deviation of a column

# Sums of more numbers are rounded elsewhere: with another length of the table, clean features of
# other libraries can differ in the last bits. Altered futures have the same length and no excuse.


@dataclass(frozen=True)
class Known:
    """A moment, and what was done to everything after it.

    exact  whether a difference of rounding counts
    """

    at: np.datetime64
    what: str
    exact: bool


def compare_features(
    whole: FeatureTable,
    again: FeatureTable,
    known: Known,
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
    if not len(mine):
        return
    before, after = whole.values[mine], again.values[theirs]
    wrong = differs(before, after, None if known.exact else spread(whole.values))
    first = np.argmax(wrong, axis=0)
    leaking = np.flatnonzero(wrong.any(axis=0))
    for column in leaking[np.argsort(first[leaking], kind="stable")]:
        row = int(mine[first[column]])
        name = whole.columns[column]
        symbol, at = _who(whole.decisions, row)
        yield Leak(
            "features",
            name,
            symbol,
            at,
            f"Feature {name!r} of {symbol} at {iso(at)} changes from "
            f"{before[first[column], column]:.17g} to {after[first[column], column]:.17g} when "
            f"bars and series after {iso(known.at)} are {known.what}: it reads the future.",
            FEATURE_MEND,
        )


def compare_labels(whole: LabelTable, again: LabelTable, known: Known) -> Iterator[Leak]:
    """Each horizon whose label is said to be known by the moment, and changes after it."""
    mine, theirs = _shared(whole.decisions, again.decisions, known.at)
    in_time = whole.known_at[mine] <= known.at
    wrong = in_time != (again.known_at[theirs] <= known.at)
    wrong |= in_time & (whole.known_at[mine] != again.known_at[theirs])
    for before, after in ((whole.values, again.values), (whole.returns, again.returns)):
        deviation = None if known.exact else spread(before)
        wrong |= in_time & differs(before[mine], after[theirs], deviation)
    for place in np.flatnonzero(wrong.any(axis=0)):
        row = int(mine[np.argmax(wrong[:, place])])
        there = int(theirs[np.argmax(wrong[:, place])])
        horizon = whole.target.horizons[place]
        symbol, at = _who(whole.decisions, row)
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


def differs(before: Floats, after: Floats, deviation: Floats | None = None) -> Bools:
    """Where two tables are not the same; with the deviation of columns, but for rounding."""
    wrong = (before != after) & ~(np.isnan(before) & np.isnan(after))
    if deviation is not None and wrong.any():
        with np.errstate(invalid="ignore"):
            close = np.abs(before - after) <= _ROUNDING * (deviation + np.abs(before))
        wrong &= ~close
    return np.asarray(wrong)


def spread(values: Floats) -> Floats:
    """(n_columns,) standard deviation of what is there of each column."""
    seen = np.where(np.isfinite(values), values, np.nan)
    if np.isnan(seen).all(axis=0).any():
        seen = np.where(np.isnan(seen).all(axis=0), 0.0, seen)
    return np.asarray(np.nanstd(seen, axis=0))


def _compare_rows(
    whole: Decisions, again: Decisions, known: Known, answered_at: KnownAt | None
) -> Iterator[Leak]:
    gone = (whole.decided_at <= known.at) & (place_in(again, whole) < 0)
    if answered_at is not None and gone.any():
        gone &= ~_still_open(whole, gone, known.at, answered_at)
    come = (again.decided_at <= known.at) & (place_in(whole, again) < 0)
    for decisions, rows, verb in ((whole, gone, "is missing"), (again, come, "appears")):
        if rows.any():
            row = int(np.argmax(rows))
            symbol, at = _who(decisions, row)
            yield Leak(
                "features",
                "rows",
                symbol,
                at,
                f"The row of {symbol} at {iso(at)} {verb} when bars and series after "
                f"{iso(known.at)} are {known.what}; {int(rows.sum()):,} row(s) do so. Which rows "
                "and symbols there are is decided by what came later.",
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


def _other_columns(whole: FeatureTable, again: FeatureTable, known: Known) -> Leak:
    moved = [name for name in whole.columns if name not in again.columns]
    moved += [name for name in again.columns if name not in whole.columns]
    symbol, at = _who(whole.decisions, 0)
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


def _who(decisions: Decisions, row: int) -> tuple[str, np.datetime64]:
    return str(decisions.symbols[decisions.symbol_code[row]]), decisions.decided_at[row]


def place_in(decisions: Decisions, others: Decisions) -> Rows:
    """(len(others),) the row here of each of the other decisions, -1 where there is none."""
    found = np.full(len(others), -1, np.int64)
    code_of = {symbol: code for code, symbol in enumerate(decisions.symbols)}
    for other_code, symbol in enumerate(others.symbols):
        if symbol not in code_of:
            continue
        theirs = np.flatnonzero(others.symbol_code == other_code)
        own = np.flatnonzero(decisions.symbol_code == code_of[symbol])
        place = np.searchsorted(decisions.decided_at[own], others.decided_at[theirs])
        inside = place < len(own)
        theirs, rows = theirs[inside], own[place[inside]]
        same = decisions.decided_at[rows] == others.decided_at[theirs]
        found[theirs[same]] = rows[same]
    return found


def _shared(whole: Decisions, again: Decisions, moment: np.datetime64) -> tuple[Rows, Rows]:
    """Rows of both tables up to the moment, in time order, so that the first is the earliest."""
    there = place_in(again, whole)
    mine = np.flatnonzero((there >= 0) & (whole.decided_at <= moment))
    mine = mine[np.argsort(whole.decided_at[mine], kind="stable")]
    return mine, there[mine]
