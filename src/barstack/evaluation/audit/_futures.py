"""Other futures: the data as they were known at a moment, and with what came later altered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np

from barstack.bars import Bars, SeriesTable
from barstack.core.arrays import Array
from barstack.core.times import KnownAt

from ._pipeline import Data

Kind = Literal["altered", "mirrored", "drowned in noise", "shuffled"]
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
        panel[symbol] = replace(bars, records=records)
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
        panel[symbol] = replace(bars, records=records)
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
