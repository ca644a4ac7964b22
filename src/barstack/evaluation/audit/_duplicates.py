"""Rows that are tested and trained on alike: duplicates, and stretches that repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from barstack.bars import Bars, Panel
from barstack.core.arrays import Bools, Floats, Ints, Rows
from barstack.core.times import DAY_US, iso
from barstack.features import FeatureTable
from barstack.labels import LabelTable
from barstack.splits import Fold

from ._leak import Leak

# --- duplicated rows ------------------------------------------------------------------------------

# Prices move in ticks, so that single rows repeat by chance; so many on end, all different, do not.
_RUN = 8
_DISTINCT_SHARE = 0.5  # share of rows that are unlike all others, without which repeats say nothing


def hunt_duplicates(
    features: FeatureTable, labels: LabelTable, folds: Sequence[Fold]
) -> Iterator[Leak]:
    """The first fold in whose test a stretch of rows repeats one of its training, bit by bit."""
    kind, place = _kinds(features, labels)
    if kind.max(initial=-1) + 1 < _DISTINCT_SHARE * (kind >= 0).sum():
        return
    code = features.decisions.symbol_code
    for number, fold in enumerate(folds):
        first = _repeated(kind, place, code, fold)
        if first is None:
            continue
        test, train, length = first
        decisions = features.decisions
        at, before = decisions.decided_at[test], decisions.decided_at[train]
        symbol, other = (str(decisions.symbols[code[row]]) for row in (test, train))
        yield Leak(
            "folds",
            "duplicated rows",
            symbol,
            at,
            f"Fold {number} tests {length:,} rows that it also trains on, to the last bit of "
            f"features and labels: {symbol} from {iso(at)} on repeats {other} from "
            f"{iso(before)} on.",
            "Remove the repeated bars at the source; `barstack data check` lists them.",
        )
        return


def _kinds(features: FeatureTable, labels: LabelTable) -> tuple[Ints, Ints]:
    """(n_rows,) equal for equal rows, -1 for incomplete ones; (n_rows,) place in its symbol."""
    hashed = np.zeros(len(features.decisions), np.uint64)
    complete = np.ones(len(hashed), bool)
    number = 0
    for values in (features.values, labels.values, labels.returns):
        for column in values.T:
            complete &= np.isfinite(column)
            hashed += _mixed((column + 0.0).view(np.uint64), number)  # + 0.0: no negative zeros
            number += 1
    kind = np.full(len(hashed), -1, np.int64)
    kind[complete] = np.unique(hashed[complete], return_inverse=True)[1]
    return kind, np.arange(len(kind)) - features.decisions.first_row


def _mixed(bits: npt.NDArray[np.uint64], number: int) -> npt.NDArray[np.uint64]:
    """splitmix64 of each value, other for each column, so that their sum stands for the row."""
    mixed = bits + np.uint64((number + 1) * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _repeated(
    kind: Ints,
    place: Ints,
    code: npt.NDArray[np.int32],
    fold: Fold,
) -> tuple[int, int, int] | None:
    """First row of the first long repeat in the test, where it is trained on, and its length."""
    train = fold.train[kind[fold.train] >= 0]
    order = train[np.argsort(kind[train], kind="stable")]
    test = np.sort(fold.test[kind[fold.test] >= 0])
    at = np.searchsorted(kind[order], kind[test])
    found = at < len(order)
    found[found] = kind[order[at[found]]] == kind[test[found]]
    rows, twins = test[found], order[at[found]]
    if len(rows) < _RUN:
        return None
    # A run goes on from row to row of one symbol, here and there alike, and never stands still.
    goes_on = (np.diff(rows) == 1) & (np.diff(twins) == 1)
    goes_on &= (np.diff(code[rows]) == 0) & (np.diff(kind[rows]) != 0)
    breaks = np.flatnonzero(np.concatenate([[True], ~goes_on, [True]]))
    lengths = np.diff(breaks)
    for start, length in zip(breaks[:-1], lengths, strict=True):
        stretch = rows[start : start + length]
        if length >= _RUN and len(np.unique(kind[stretch])) >= _RUN:
            return int(rows[start]), int(twins[start]), int(length)
    return None


# --- columns that are later numbers, copied -------------------------------------------------------

_FEWEST = 30  # rows that can tell anything
_DISTINCT_VALUES = 3  # values, as a day's number is the same all day
_SAME = 0.9  # share of rows in which a column is a later number
_FURTHEST = 48  # bars ahead
_EQUAL = 1e-7  # of a number, as single precision has it
_FIRST_LOOK = 256  # rows
_MOST_SYMBOLS = 4
_PERIODS = {"quarter of an hour": 900, "half hour": 1800, "hour": 3600, "four hours": 14_400}
_PRICES = ("open", "high", "low", "close", "volume")


class Later:
    """Numbers that nobody knew yet at some rows, and whether a column is one of them."""

    def __init__(self, features: FeatureTable, panel: Panel, rows: Rows) -> None:
        decisions = features.decisions
        codes = np.unique(decisions.symbol_code[rows])
        codes = codes[[decisions.symbols[code] in panel for code in codes]]
        codes = codes[np.unique(np.linspace(0, len(codes) - 1, _MOST_SYMBOLS).astype(int))]
        self.own = np.flatnonzero(np.isin(decisions.symbol_code[rows], codes))
        few = np.linspace(0, len(self.own) - 1, min(len(self.own), _FIRST_LOOK)).astype(int)
        self.few = self.own[few]
        self.tables = []
        for code in codes:
            here = np.flatnonzero(decisions.symbol_code[rows] == code)
            bars = panel[decisions.symbols[code]]
            decided_at = decisions.decided_at[rows[here]]
            bar = np.searchsorted(bars.closed_at, decided_at, side="right") - 1
            self.tables.append((here[bar >= 0], bar[bar >= 0], _numbers(bars)))
        self.n_rows = len(rows)
        looks = [self._at(name, self.few) for name in self.names]
        self.first_look = np.array(looks) if looks else np.empty((0, len(self.few)))

    @property
    def names(self) -> list[str]:
        return list(self.tables[0][2]) if self.tables else []

    def copied(self, column: Floats) -> tuple[str, int] | None:
        """Which of these numbers the column is, and the first row at which it is."""
        near = _same(column[self.few], self.first_look)
        known = np.isfinite(self.first_look)
        for place in np.flatnonzero(near.sum(axis=1) >= 0.5 * np.maximum(known.sum(axis=1), 1)):
            name = self.names[place]
            then = self._at(name, self.own)
            seen = np.isfinite(column[self.own]) & np.isfinite(then)
            if seen.sum() < _FEWEST:
                continue
            same = _same(column[self.own], then) & seen
            values = np.unique(column[self.own][same])
            if same.sum() >= _SAME * seen.sum() and len(values) >= _DISTINCT_VALUES:
                return name, int(self.own[np.argmax(same)])
        return None

    def _at(self, name: str, rows: Ints) -> Floats:
        """The number at some rows; NaN where it is today's too, and tells nothing."""
        found = np.full(self.n_rows, np.nan)
        for here, bar, numbers in self.tables:
            found[here] = numbers[name](bar)
        return found[rows]


def _same(column: Floats, then: Floats) -> Bools:
    return np.asarray(np.abs(column - then) <= _EQUAL * np.abs(then))


Number = Callable[[Ints], Floats]


def _numbers(bars: Bars) -> dict[str, Number]:
    """By name, what gives the number for some bars."""
    found: dict[str, Number] = {}
    close = np.ascontiguousarray(bars.records["close"])
    steps = np.concatenate([[np.nan], close[1:] / close[:-1] - 1.0])
    plain = {name: np.ascontiguousarray(bars.records[name]) for name in _PRICES}
    for what, values in {**plain, "return": steps, "log return": np.log1p(steps)}.items():
        padded = np.append(values, np.full(_FURTHEST, np.nan))
        for ahead in range(1, _FURTHEST + 1):
            bars_later = f"{ahead} bar{'s' if ahead > 1 else ''} later"
            found[f"the {what} {bars_later}"] = _ahead(padded, ahead, close)
    for ahead in range(2, _FURTHEST + 1):
        padded = np.append(close, np.full(_FURTHEST, np.nan))
        found[f"the return of the next {ahead} bars"] = _held(padded, ahead)
    for period, group in _periods(bars):
        found |= {
            f"the {what} of the whole {period}": _running(then, known)
            for what, then, known in _whole(plain, group)
        }
    return found


def _ahead(values: Floats, ahead: int, close: Floats) -> Number:
    def number(bar: Ints) -> Floats:
        then = values[bar + ahead]
        return np.where(_same(then, values[bar]) | _same(then, close[bar]), np.nan, then)

    return number


def _held(close: Floats, ahead: int) -> Number:
    return lambda bar: close[bar + ahead] / close[bar] - 1.0


def _running(then: Floats, known: Floats) -> Number:
    """What the period comes to, where it is not yet that at the bar."""
    return lambda bar: np.where(_same(then[bar], known[bar]), np.nan, then[bar])


def _periods(bars: Bars) -> Iterator[tuple[str, Ints]]:
    """Each longer period with the number of the one that a bar lies in."""
    opened = np.ascontiguousarray(bars.records["opened_at"])
    for name, seconds in _PERIODS.items():
        if 1_000_000 * seconds > bars.length_us:
            yield name, opened // (1_000_000 * seconds)
    if bars.length_us < DAY_US:
        yield "day", opened // DAY_US
        yield "session", np.ascontiguousarray(bars.records["session"])


def _whole(plain: dict[str, Floats], group: Ints) -> Iterator[tuple[str, Floats, Floats]]:
    """(name, of the whole period, of the period so far), each (n_bars,)."""
    first = np.flatnonzero(np.diff(group, prepend=group[:1] - 1))
    number = np.cumsum(np.diff(group, prepend=group[:1] - 1) != 0) - 1
    last = np.append(first[1:], len(group)) - 1
    begins, close = plain["open"][first][number], plain["close"]
    total = np.cumsum(plain["volume"])
    before = (total - plain["volume"])[first][number]
    ends = close[last][number]
    highs = np.maximum.reduceat(plain["high"], first)[number]
    lows = np.minimum.reduceat(plain["low"], first)[number]
    sides = (np.maximum, plain["high"]), (np.minimum, plain["low"])
    so_far = [_cumulated(function, values, first) for function, values in sides]
    yield "close", ends, close
    yield "high", highs, so_far[0]
    yield "low", lows, so_far[1]
    yield "volume", total[last][number] - before, total - before
    yield "return", ends / begins - 1.0, close / begins - 1.0
    yield "range", highs - lows, so_far[0] - so_far[1]


def _cumulated(function: np.ufunc, values: Floats, first: Ints) -> Floats:
    """The function of all values so far of each group, by looking back twice as far each time."""
    place = np.arange(len(values)) - np.repeat(first, np.diff(first, append=len(values)))
    found, back = values.copy(), 1
    while back <= place.max(initial=0):
        within = np.flatnonzero(place >= back)
        found[within] = function(found[within], found[within - back])
        back *= 2
    return found
