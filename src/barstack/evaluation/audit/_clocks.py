"""Bars that a fault of the source lets tell of later ones: wrong clocks, repeats, missing rows.

Nothing shows when they are cut, as the bars themselves are wrong; prices of several symbols, and
what happens around bars that repeat or are missing, give it away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from barstack.bars import Bars, Panel
from barstack.core.times import DAY_US, format_duration, iso, microseconds

from ._leak import Leak
from ._past import correlation

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_MOST_BARS = 20_000  # of each symbol, the latest
_PAIRS = 6  # symbols up to which each is held against each, and not only against all others
_STEPS = (1, 6)  # bars
_LEADS = (
    0.15  # correlation of one symbol's last move with another's next that honest bars keep below
)
_OF_NOW = 0.3  # and in parts of that of moves at the same time
_ERRORS = 6.0  # standard errors
_FEWEST = 60  # moves
_STILL = 3  # bars that repeat a price
_CAUGHT_UP = 0.4  # correlation of the move after them with that of the others meanwhile
_FEWEST_RUNS = 20
_REPEATED = (0.4, 0.9)  # share of bars that repeat, and of moves at one place of each longer bar
_LONGEST = 60  # bars that could be one
_ONE_WAY = 0.75  # share of moves across missing bars that go one way
_WILDEST = 8.0


def hunt_bars(panel: Panel) -> Iterator[Leak]:
    """Symbols whose bars lead or follow others', stand still meanwhile, or lack certain rows."""
    paths = {name: _Path(bars[-_MOST_BARS:]) for name, bars in panel.items() if len(bars) > _FEWEST}
    for name, path in paths.items():
        yield from _repeating(name, path)
        yield from _left_out(name, path)
    if len(paths) > 1:
        yield from _off_the_clock(paths)
        yield from _behind(paths)


class _Path:
    """The price of one symbol in deviations of its own, at the closes of its bars."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.at = microseconds(bars.closed_at)
        close = np.log(np.ascontiguousarray(bars.records["close"]))
        steps = np.diff(close, prepend=close[:1])
        scale = np.sqrt(lfilter([0.02], [1.0, -0.98], steps**2))
        scale = np.concatenate([scale[:1], scale[:-1]])  # as known before the move
        usual = np.median(np.abs(steps[steps != 0.0])) if steps.any() else 1.0
        self.steps = np.clip(steps / np.maximum(scale, usual), -_WILDEST, _WILDEST)
        self.price = np.cumsum(self.steps)
        same = np.append(False, close[1:] == close[:-1])
        self.still = same & (bars.records["high"] == bars.records["low"])

    def asof(self, at: Ints) -> Floats:
        """The price known at some moments; NaN before the first."""
        row = np.searchsorted(self.at, at, side="right") - 1
        return np.where(row >= 0, self.price[np.maximum(row, 0)], np.nan)


# --- symbols on other clocks --------------------------------------------------------------------


class _Lead(NamedTuple):
    correlation: float
    now: float
    bars: int


def _off_the_clock(paths: dict[str, _Path]) -> Iterator[Leak]:
    """Symbols whose next move is the others' last, or the other way round."""
    leads: list[tuple[str, str, _Lead]] = []  # who leads whom
    names = list(paths)
    if len(names) <= _PAIRS:
        others = {name: {other: paths[other] for other in names if other != name} for name in names}
        for name in names:
            for other, path in others[name].items():
                if (lead := _lead(paths[name].price, path.asof(paths[name].at))) is not None:
                    leads.append((other, name, lead))
    else:
        everyone = _Everyone(paths)
        for name in names:
            path = paths[name]
            market = everyone.but(name)
            if (lead := _lead(path.price, market(path.at))) is not None:
                leads.append(("the others", name, lead))
            elif (lead := everyone.led_by(name, market)) is not None:
                leads.append((name, "the others", lead))
    if not leads:
        return
    named = [who for pair in leads for who in pair[:2] if who != "the others"]
    # With several, one that all the others lead or follow is the one that is wrong.
    most = max(dict.fromkeys(named), key=named.count)
    for leader, follower, lead in leads:
        if most not in (leader, follower):
            continue
        bars = paths[most].bars
        yield _leak(
            most,
            bars.closed_at[0],
            f"The last {lead.bars} bar(s) of {leader} forecast the next {lead.bars} of {follower} "
            f"with a correlation of {lead.correlation:.2f}, where moves at the same time have "
            f"{lead.now:.2f}: their clocks differ, and one of them is known later than it says.",
            "Find out at which moment each source closes its bars, whether it stamps them with "
            "their start or their end, and in which zone; bars of a day that close at other hours "
            "need a calendar of their own each.",
        )
        return


def _lead(follower: Floats, leader: Floats) -> _Lead | None:
    """Whether the leader's last moves, both on one clock, forecast the follower's next."""
    for bars in _STEPS:
        ahead = follower[bars:] - follower[:-bars]
        other = leader[bars:] - leader[:-bars]
        last, following, now = other[:-bars], ahead[bars:], other[bars:]
        moved = np.isfinite(last) & np.isfinite(now) & np.isfinite(following)
        if moved.sum() < _FEWEST * bars:
            continue
        lead = abs(correlation(last[moved], following[moved]))
        at_once = abs(correlation(now[moved], following[moved]))
        sure = lead * np.sqrt(moved.sum() / bars) > _ERRORS
        if sure and lead > max(_LEADS, _OF_NOW * at_once):
            return _Lead(lead, at_once, bars)
    return None


class _Everyone:
    """All symbols' mean price on one clock, that of all closes."""

    def __init__(self, paths: dict[str, _Path]) -> None:
        self.at = np.unique(np.concatenate([path.at for path in paths.values()]))[-_MOST_BARS:]
        self.paths, self.count = paths, len(paths)
        self.total = np.zeros(len(self.at))
        for path in paths.values():
            self.total += np.nan_to_num(path.asof(self.at))

    def but(self, name: str) -> _Market:
        own = np.nan_to_num(self.paths[name].asof(self.at))
        return _Market(self.at, (self.total - own) / (self.count - 1))

    def led_by(self, name: str, market: _Market) -> _Lead | None:
        """Whether the others' next move is the symbol's last, on the symbol's clock."""
        path = self.paths[name]
        return _lead(market(path.at), path.price)


class _Market(NamedTuple):
    at: Ints
    price: Floats

    def __call__(self, at: Ints) -> Floats:
        row = np.searchsorted(self.at, at, side="right") - 1
        return np.where(row >= 0, self.price[np.maximum(row, 0)], np.nan)


# --- prices that repeat ---------------------------------------------------------------------------


def _repeating(name: str, path: _Path) -> Iterator[Leak]:
    """Longer bars, or quotes of a slower clock, repeated to look like shorter ones."""
    still = path.still[1:]
    if still.mean() < _REPEATED[0] or still.all():
        return
    moved = path.bars.records["opened_at"][1:][~still] // path.bars.length_us
    for bars in range(2, _LONGEST + 1):
        places = np.bincount(moved % bars, minlength=bars)
        if places.max() >= _REPEATED[1] * len(moved) and len(moved) >= _FEWEST_RUNS:
            length = format_duration(bars * path.bars.length_us)
            yield _leak(
                name,
                path.bars.closed_at[0],
                f"{still.mean():.0%} of the bars of {name} repeat the price before them, and "
                f"{places.max() / len(moved):.0%} of the moves fall on every {bars}th bar: these "
                f"are quotes of {length}, repeated in between, where nothing happens for sure.",
                f"Take bars of {length}: resample: {length}.",
            )
            return


def _behind(paths: dict[str, _Path]) -> Iterator[Leak]:
    """Symbols that stand still while the others move, and then catch up."""
    everyone = _Everyone(paths)
    for name, path in paths.items():
        begins, ends = _runs(path.still, _STILL)
        kept = ends < len(path.at)
        begins, ends = begins[kept], ends[kept]
        if len(begins) < _FEWEST_RUNS:
            continue
        market = everyone.but(name)(path.at)
        meanwhile, after = market[ends - 1] - market[begins - 1], path.steps[ends]
        known = np.isfinite(meanwhile)
        if known.sum() < _FEWEST_RUNS:
            continue
        found = abs(correlation(meanwhile[known], after[known]))
        if found > _CAUGHT_UP and found * np.sqrt(known.sum()) > 0.8 * _ERRORS:
            yield _leak(
                name,
                path.bars.closed_at[begins[0]],
                f"{name} stands still {len(begins):,} times for {_STILL} bars or more, and its "
                f"next move makes up for that of the others meanwhile (correlation {found:.2f}): "
                "its quotes are repeated, and nobody trades at them.",
                "Leave out bars in which nothing was quoted or traded, or the symbol.",
            )


def _runs(flags: Flags, least: int) -> tuple[Ints, Ints]:
    """Begins and ends of runs of so many or more."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    begins, ends = edges[::2], edges[1::2]
    long = ends - begins >= least
    return begins[long], ends[long]


# --- bars that are missing ------------------------------------------------------------------------


def _left_out(name: str, path: _Path) -> Iterator[Leak]:
    """Holes across which the price mostly goes one way: rows are left out by what followed."""
    after = _holes(path.bars)
    moves = path.steps[after]
    moves = moves[moves != 0.0]
    if len(moves) < _FEWEST_RUNS:
        return
    down = float((moves < 0.0).mean())
    one_way = max(down, 1.0 - down)
    if one_way > _ONE_WAY and (2.0 * one_way - 1.0) * np.sqrt(len(moves)) > _ERRORS:
        word = "falls" if down > 0.5 else "rises"
        yield _leak(
            name,
            path.bars.closed_at[after[0] - 1],
            f"Of {len(moves):,} holes in the bars of {name} the price {word} across "
            f"{one_way:.0%}: rows are missing because of what followed.",
            "Take the bars from a source that keeps them all.",
        )


def _holes(bars: Bars) -> Ints:
    """Rows of the first bar after something is missing that is there at other times.

    Within a session bars follow each other; from session to session it is the same time that
    passes after the same bar of the week.
    """
    opened = np.ascontiguousarray(bars.records["opened_at"])
    gaps = np.diff(opened) - bars.length_us
    week = opened[:-1] % (7 * DAY_US)
    order = np.argsort(week, kind="stable")
    _, first, count = np.unique(week[order], return_index=True, return_counts=True)
    usual = np.repeat([np.median(part) for part in np.split(gaps[order], first[1:])], count)
    expected = np.empty(len(gaps))
    expected[order] = usual
    session = np.ascontiguousarray(bars.records["session"])
    within = session[1:] == session[:-1]
    many = np.empty(len(gaps), bool)
    many[order] = np.repeat(count >= 5, count)
    return np.flatnonzero((gaps > 0) & (within | many) & (gaps > expected)) + 1


def _leak(symbol: str, at: np.datetime64, what: str, mend: str) -> Leak:
    return Leak("bars", symbol, symbol, at, f"{what} First at {iso(at)}.", mend)
