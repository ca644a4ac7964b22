"""Columns that know the answer: forecasts by one of them that are too good to be true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from barstack.bars import Panel
from barstack.core.decisions import Rows
from barstack.core.times import iso
from barstack.features import FeatureTable
from barstack.labels import LabelTable

from ._leak import Leak

TOO_GOOD = 0.3  # correlation with the label that no column of an honest market reaches
_DEVIATIONS = 4.0  # how surely it must lie above: many columns are looked at
_FEWEST = 30  # rows that can tell anything
_SAME = 0.9  # share of rows in which a column is a later number
_FURTHEST = 12  # bars ahead
_EQUAL = 1e-9  # of a number
_MOST_ROWS, _STRETCH = 20_000, 1_000  # more rows tell no more
_FIRST_LOOK = 256

_PRICES = ("open", "high", "low", "close", "volume")
_MEND = "Find out when it was known: it may be stamped too early, or made of the label."

Floats = npt.NDArray[np.float64]


def hunt_targets(
    features: FeatureTable, labels: LabelTable, panel: Panel, too_good: float = TOO_GOOD
) -> Iterator[Leak]:
    """Each column that is a later number itself, or forecasts a label better than can be.

    too_good  what the correlation, less four standard errors, must not reach; errors are those of
              labels that do not overlap, of which there are fewer
    """
    rows = _some(features)
    later, answers = _Later(features, panel, rows), _answers(labels, rows)
    for place, name in enumerate(features.columns):
        column = features.values[rows, place]
        leak = later.copied(name, column) or _forecasts(
            features, answers, name, column, rows, too_good
        )
        if leak is not None:
            yield leak


def _some(features: FeatureTable) -> Rows:
    """Rows to look at: all, or of many a spread of stretches, in which labels still overlap."""
    n_rows = len(features.decisions)
    if n_rows <= _MOST_ROWS:
        return np.arange(n_rows)
    starts = np.linspace(0, n_rows - _STRETCH, _MOST_ROWS // _STRETCH).astype(np.int64)
    return np.unique((starts[:, None] + np.arange(_STRETCH)).ravel())


class _Answer(NamedTuple):
    """A label of one horizon at some rows: its return and its value, plain and as ranks."""

    horizon: str
    seen: npt.NDArray[np.bool_]
    plain: list[Floats]
    ranks: list[Floats]
    apart: float  # labels side by side, were all seen


def _answers(labels: LabelTable, rows: Rows) -> list[_Answer]:
    found = []
    for place, horizon in enumerate(labels.target.horizons):
        plain = [labels.returns[rows, place], labels.values[rows, place]]
        seen = np.isfinite(plain[0]) & np.isfinite(plain[1])
        if seen.sum() < _FEWEST:
            continue
        apart = _apart(labels, rows[seen], place)
        found.append(_Answer(horizon, seen, plain, [_ranks(each, seen) for each in plain], apart))
    return found


def _ranks(values: Floats, seen: npt.NDArray[np.bool_]) -> Floats:
    ranks = np.full(len(values), np.nan)
    ranks[seen] = rankdata(values[seen])
    return ranks


def _forecasts(
    features: FeatureTable,
    answers: list[_Answer],
    name: str,
    column: Floats,
    rows: Rows,
    too_good: float,
) -> Leak | None:
    there = np.isfinite(column)
    ranks = _ranks(column, there)
    for answer in answers:
        both = there & answer.seen
        if both.sum() < _FEWEST:
            continue
        apart = answer.apart * both.sum() / answer.seen.sum()
        correlation = max(
            *(_correlation(column[both], each[both]) for each in answer.plain),
            *(_correlation(ranks[both], each[both]) for each in answer.ranks),
        )
        error = 1.0 / np.sqrt(max(apart - 3.0, 1.0))
        if np.tanh(np.arctanh(min(correlation, 1.0 - 1e-12)) - _DEVIATIONS * error) > too_good:
            return _leak(
                features,
                int(rows[np.argmax(both)]),
                name,
                f"forecasts the label of horizon {answer.horizon} with a correlation of "
                f"{correlation:.2f} over {apart:,.0f} labels that do not overlap; nothing honest "
                f"reaches {too_good:g}",
            )
    return None


def _apart(labels: LabelTable, rows: npt.NDArray[np.int64], place: int) -> float:
    """How many labels lie side by side without overlapping, on the one clock of all symbols.

    Symbols move together, so those of one moment count as one.
    """
    decided = labels.decisions.decided_at[rows]
    known = labels.known_at[rows, place]
    longest = np.median((known - decided).astype(np.int64))
    times = np.unique(decided)
    steps = np.diff(times).astype(np.int64)
    bar = np.median(steps) if len(steps) else 1
    return float(len(times) / max(longest / max(bar, 1), 1.0))


def _correlation(first: Floats, second: Floats) -> float:
    """Its size; 0 where one of the two never changes."""
    a, b = first - first.mean(), second - second.mean()
    size = np.sqrt((a * a).sum() * (b * b).sum())
    return float(abs((a * b).sum()) / size) if size > 0.0 and np.isfinite(size) else 0.0


class _Later:
    """Numbers of later bars at some rows: prices, volumes and returns."""

    def __init__(self, features: FeatureTable, panel: Panel, rows: Rows) -> None:
        self.features, self.rows = features, rows
        decisions = features.decisions
        self.names: list[str] = []
        then, now = [], []
        close = np.full(len(rows), np.nan)
        for what in (*_PRICES, "return", "log return"):
            ahead = np.full((_FURTHEST + 1, len(rows)), np.nan)
            for code, symbol in enumerate(decisions.symbols):
                if symbol not in panel:
                    continue
                bars, own = panel[symbol], np.flatnonzero(decisions.symbol_code[rows] == code)
                decided_at = decisions.decided_at[rows[own]]
                row = np.searchsorted(bars.closed_at, decided_at, side="right") - 1
                own, row = own[row >= 0], row[row >= 0]
                numbers = np.append(_numbers(bars.records, what), np.full(_FURTHEST, np.nan))
                for bar in range(_FURTHEST + 1):
                    ahead[bar, own] = numbers[row + bar]
            if what == "close":
                close = ahead[0]
            for bar in range(1, _FURTHEST + 1):
                self.names.append(f"the {what} {bar} bar{'s' if bar > 1 else ''} later")
                then.append(ahead[bar])
                now.append(ahead[0])
        self.then = np.array(then)
        # Where the later number is today's too, as an open is the close before, it tells nothing.
        self.tells = np.isfinite(self.then)
        for today in (np.array(now), close):
            self.tells &= ~(np.abs(self.then - today) <= _EQUAL * np.abs(today))

    def copied(self, name: str, column: Floats) -> Leak | None:
        """Where the column is one of these numbers."""
        few = np.linspace(0, len(column) - 1, min(len(column), _FIRST_LOOK)).astype(int)
        near = self._same(column[few], self.then[:, few]) & self.tells[:, few]
        for place in np.flatnonzero(near.sum(axis=1) >= 0.5 * self.tells[:, few].sum(axis=1)):
            told = np.isfinite(column) & self.tells[place]
            if told.sum() < _FEWEST:
                continue
            same = self._same(column, self.then[place]) & told
            if same.sum() >= _SAME * told.sum() and len(np.unique(column[same])) >= _FEWEST // 2:
                row = int(self.rows[np.argmax(same)])
                return _leak(self.features, row, name, f"is {self.names[place]}")
        return None

    @staticmethod
    def _same(column: Floats, then: Floats) -> npt.NDArray[np.bool_]:
        return np.asarray(np.abs(column - then) <= _EQUAL * np.abs(then))


def _numbers(records: npt.NDArray[np.void], name: str) -> Floats:
    if name in _PRICES:
        return np.ascontiguousarray(records[name])
    close = records["close"]
    steps = np.concatenate([[np.nan], close[1:] / close[:-1] - 1.0])
    return np.asarray(steps if name == "return" else np.log1p(steps))


def _leak(features: FeatureTable, row: int, name: str, what: str) -> Leak:
    decisions = features.decisions
    symbol, at = str(decisions.symbols[decisions.symbol_code[row]]), decisions.decided_at[row]
    text = f"Feature {name!r} {what}; first seen of {symbol} at {iso(at)}."
    return Leak("features", name, symbol, at, text, _MEND)
