"""Moments at which data are cut, and the other futures that they are given there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np

from barstack.bars import Bars, SeriesTable
from barstack.core.arrays import Array, Floats, Ints
from barstack.core.decisions import Decisions
from barstack.core.times import KnownAt, Times
from barstack.features import FeatureTable
from barstack.splits import Fold

from ._pipeline import Data

_EDGES = 6  # folds whose first decision is a moment
_AWKWARD = 3  # moments of each awkward kind
_SYMBOLS = 4  # whose bars are looked at for rare ones
_CLASSES = 8  # values of a column that is read as classes
_EARLY = (2, 10, 40)  # decision times within the warm-up


class Moment(NamedTuple):
    """The last moment whose bars and rows are left as they are.

    early  too soon to be left with what was known by then; the future is altered only
    """

    at: np.datetime64
    early: bool


def places(n_times: int, cuts: int) -> list[int]:
    """A third, the half, the last; then spread by the golden ratio, which avoids round places."""
    spread = [int(n_times * (0.618034 * place % 1.0)) for place in range(1, max(cuts - 2, 1))]
    return sorted({n_times // 3, n_times // 2, n_times - 1, *spread} - {0})


def moments(
    data: Data, decisions: Decisions, folds: Sequence[Fold], cuts: int, *, awkward: bool = True
) -> list[Moment]:
    """In time order. Few decisions are left where features and labels cannot be made of fewer."""
    times = np.unique(decisions.decided_at)
    chosen = {int(place) - 1 for place in places(len(times), cuts)}
    begins = np.unique([decisions.decided_at[fold.test].min() for fold in folds])
    found = [times[list(chosen)]]
    if len(begins):
        found.append(begins[np.linspace(0, len(begins) - 1, _EDGES).astype(int)])
    if awkward:
        found += [_before(times, each) for each in _awkward(data)]
        found.append(times[[place for place in _EARLY if place < len(times)]])
    soon = times[len(times) // 5]
    return [Moment(at, bool(at < soon)) for at in np.unique(np.concatenate(found))]


def rare(data: Data, features: FeatureTable, limit: int) -> list[np.datetime64]:
    """Decisions at which a leak on few rows would show: the future is altered right after each.

    Where a column is at its highest, lowest or rarest, and where bars move, range or trade the
    most, of each third of the time, and just before.
    """
    times = features.decisions.decided_at
    by_column = [times[_few_of(column)] for column in features.values.T]
    by_bar: list[Times] = []
    for bars in list(data.panel.values())[:_SYMBOLS]:
        records = bars.records
        moves = np.diff(np.log(records["close"]), prepend=np.log(records["close"][0]))
        for size in (np.abs(moves), records["high"] / records["low"], records["volume"]):
            thirds = np.array_split(np.arange(len(size)), 3)
            tops = [int(own[np.argmax(size[own])]) for own in thirds if len(own)]
            by_bar.append(bars.closed_at[[*tops[::-1], max(int(np.argmax(size)) - 1, 0)]])
    found: list[np.datetime64] = []
    last = times.max()
    for rank in range(4):  # the first pick of each, then the second
        for each in (*by_column, *by_bar):
            if rank < len(each) and each[rank] < last:
                found.append(each[rank])
    return list(dict.fromkeys(found))[:limit]


def _few_of(column: Floats) -> Ints:
    """Rows of a column's highest and lowest value, or of its rarest where it has few."""
    there = np.flatnonzero(np.isfinite(column))
    if not len(there):
        return there
    kinds, place, count = np.unique(column[there], return_inverse=True, return_counts=True)
    if len(kinds) <= _CLASSES:
        own = there[place == np.argmin(count)]
        return np.asarray(own[[0, len(own) // 2]], np.int64)
    return there[[int(np.argmax(column[there])), int(np.argmin(column[there]))]]


def _before(times: Times, moments: Times) -> Times:
    """The last decision time before each of some moments, at a few of them."""
    row = np.unique(np.searchsorted(times, moments) - 1)
    row = row[(row >= 0) & (row < len(times) - 1)]
    return times[_few(row)]


def _few(items: Ints) -> Ints:
    """Some of them, spread, neither the first nor the last of many."""
    if len(items) <= _AWKWARD:
        return items
    return items[[int(len(items) * (0.618034 * n % 1.0)) for n in range(1, _AWKWARD + 1)]]


def _awkward(data: Data) -> list[Times]:
    """Where leaks hide: before a bar that closes or opens a session or ends a hole, before news.

    A decision just before such a moment has the hole, the empty bar or the unknown number still
    ahead or just behind, and is what a filling from the future changes.
    """
    found: list[Times] = []
    for bars in list(data.panel.values())[:2]:
        records, closed_at = bars.records, bars.closed_at
        session = records["session"]
        ends = np.append(session[1:] != session[:-1], False)
        starts = np.append(False, ends[:-1])
        gaps = np.diff(records["opened_at"], prepend=records["opened_at"][0]) > bars.length_us
        gaps &= np.append(False, session[1:] == session[:-1])
        idle = np.append(records["volume"][:-1] == 0.0, False)
        after_idle = np.append(False, idle[:-1])
        found += [closed_at[each] for each in (ends, starts, gaps, after_idle) if each.any()]
    for table in data.series.values():
        found.append(np.unique(table.known_at))
        unknown = np.isnan(table.values).any(axis=1)
        after = np.concatenate([[False], np.atleast_1d(unknown)[:-1]])
        if after.any():  # the row that says what the one before left open
            found.append(np.unique(table.known_at[after]))
    return found


Kind = Literal["altered", "mirrored", "drowned in noise", "shuffled"]
# --- other futures --------------------------------------------------------------------------------

# A mirrored future turns every later move round, which a column of signs alone shows.
KINDS: tuple[Kind, ...] = ("altered", "mirrored", "drowned in noise", "shuffled")

_PRICES = ("open", "high", "low", "close")
_DAILY = 1.0  # deviation of the log price at the end of a noisy future: ranks change places


class Future(NamedTuple):
    """Data that agree with the real ones up to a moment.

    same_shape  whether no bar or row is missing
    """

    what: str
    data: Data
    same_shape: bool


def at_same_times(bars: Bars, records: Array) -> Bars:
    """The bars with other prices and volumes, so that as many are missing before each as before."""
    other = replace(bars, records=records)
    if "missing" in vars(bars):  # it follows from times alone, and takes long
        vars(other)["missing"] = bars.missing
    return other


def cut(data: Data, moment: np.datetime64) -> Data | None:
    """What anybody could know at that moment; None where a symbol had not begun by then."""
    panel = {}
    for symbol, bars in data.panel.items():
        now = _known(bars, moment)
        if not now:
            return None
        panel[symbol] = bars[:now]
    return Data(panel, {name: table.known_by(moment) for name, table in data.series.items()})


def altered(data: Data, moment: np.datetime64, kind: Kind, rng: np.random.Generator) -> Data:
    """The same bars and rows, those known after the moment with other prices and numbers.

    Prices stay positive and within their lows and highs: whole bars move by a factor.
    """
    panel = {}
    for symbol, bars in data.panel.items():
        now = _known(bars, moment)
        records = bars.records.copy()
        if now < len(records):
            _ALTER[kind](records, now, rng)
        panel[symbol] = at_same_times(bars, records)
    series = {
        name: _other_rows(table, moment, kind, rng) for name, table in sorted(data.series.items())
    }
    return Data(panel, series)


def futures(data: Data, moment: np.datetime64, kind: Kind, seed: int) -> Iterator[Future]:
    """Nothing after the moment, then something else."""
    shorter = cut(data, moment)
    if shorter is not None:  # a symbol that had not begun changes what the others see
        yield Future("cut off", shorter, False)
    yield Future(kind, altered(data, moment, kind, np.random.default_rng(seed)), True)


def scramble(
    data: Data, since: np.datetime64, until: np.datetime64, rng: np.random.Generator
) -> Data:
    """What happened between two moments in another order; before and after it all is the same."""
    panel = {}
    for symbol, bars in data.panel.items():
        records = bars.records.copy()
        first, last = _known(bars, since), _known(bars, until) - 1
        if first > 0 and last - first > 1:  # the last bar stays, so that the price arrives
            _shuffle(records, first, rng, last)
        panel[symbol] = at_same_times(bars, records)
    return Data(panel, data.series)


def _known(bars: Bars, moment: np.datetime64) -> int:
    return int(np.searchsorted(bars.closed_at, moment, side="right"))


def _scale(records: Array, now: int, rng: np.random.Generator) -> None:
    for price in _PRICES:
        records[price][now:] *= 1.7
    records["volume"][now:] *= 3.0


def _shuffle(records: Array, now: int, rng: np.random.Generator, until: int | None = None) -> None:
    """Bars from `now` on in another order, each with its own shape beside the close before."""
    later = records[now:until]
    before = np.concatenate([records["close"][max(now - 1, 0)][None], later["close"][:-1]])
    order = rng.permutation(len(later))
    steps = (later["close"] / before)[order]
    start = np.concatenate([before[:1], before[0] * np.cumprod(steps)[:-1]])
    shapes = {price: (later[price] / before)[order] for price in _PRICES}
    for price in _PRICES:  # multiplying by the same number keeps the order of prices
        later[price] = shapes[price] * start
    later["volume"] = later["volume"][order]


def _noise(records: Array, now: int, rng: np.random.Generator) -> None:
    """A walk on top of the prices and, of each symbol, another size of its volume."""
    later = records[now:]
    steps = rng.normal(rng.normal() / len(later), _DAILY / np.sqrt(len(later)), len(later))
    walk = np.exp(np.cumsum(steps))
    for price in _PRICES:
        later[price] *= walk
    later["volume"] = np.round(later["volume"] * rng.lognormal(2.0 * rng.normal(), 1.0, len(later)))


def _mirror(records: Array, now: int, rng: np.random.Generator) -> None:
    """Rises become falls of the same log size; volumes come in the other order."""
    later = records[now:]
    at = records["close"][max(now - 1, 0)]
    for price in _PRICES:
        later[price] = at * (at / later[price])
    later["high"], later["low"] = later["low"].copy(), later["high"].copy()
    later["volume"] = later["volume"][::-1].copy()


_ALTER: dict[Kind, Any] = {
    "altered": _scale,
    "mirrored": _mirror,
    "drowned in noise": _noise,
    "shuffled": _shuffle,
}


def _other_rows(
    table: SeriesTable, moment: np.datetime64, kind: Kind, rng: np.random.Generator
) -> SeriesTable:
    later = np.flatnonzero(KnownAt(table.known_at) > moment)
    values = table.values.copy()
    if kind == "altered":
        values[later] = 1.7 * values[later] + 1.0
    elif kind == "mirrored":
        values[later] = -values[later]
    elif kind == "shuffled":
        values[later] = values[rng.permutation(later)]
    else:  # unknown after all
        values[later] = np.nan
    return replace(table, values=values)
