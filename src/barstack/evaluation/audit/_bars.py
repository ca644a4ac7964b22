"""Bars that a fault of their source lets tell of later ones: wrong clocks, repeats, absences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from barstack.bars import Bars, Panel, SeriesTable
from barstack.core.arrays import Bools, Floats, Ints
from barstack.core.times import DAY_US, format_duration, iso, microseconds
from barstack.features import FeatureTable

from ._columns import correlation, exponential_mean
from ._leak import Leak
from ._pipeline import Data

_WILDEST = 8.0  # deviations, beyond which a move counts no further


class Path:
    """The price of one symbol in deviations of its own, at the closes of its bars."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.at = microseconds(bars.closed_at)
        close = np.log(np.ascontiguousarray(bars.records["close"]))
        steps = np.diff(close, prepend=close[:1])
        scale = np.sqrt(exponential_mean(np.append(0.0, steps**2), 0.02)[1:])
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


_MOST_BARS = 20_000  # of each symbol, the latest
_PAIRS = 6  # symbols up to which each is held against each, and not against the others' mean
_STEPS = (1, 6)  # bars
_FARTHEST = 800  # bars
_ALL = "the others"
_LEADS = (
    0.15  # correlation of one symbol's last move with another's next that honest bars keep below
)
_OF_NOW = 0.3  # and in parts of that of moves at the same time
_ERRORS = 6.0  # standard errors of moves that are all alike
_OWN_ERRORS = 4.5  # and those that few large moves, such as of a few mornings, have together
_FEWEST = 60  # moves
_STILL = 3  # bars that repeat a price
_CAUGHT_UP = 0.4  # correlation of the move after them with that of the others meanwhile
_FEWEST_RUNS, _SURE = 20, 3.5  # runs, and standard errors
_REPEATED = (0.4, 0.9)  # share of bars that repeat, and of moves at one place of each longer bar
_LONGEST = 60  # bars that could be one


def hunt_bars(panel: Panel) -> Iterator[Leak]:
    """Symbols whose bars lead or follow others', or stand still meanwhile."""
    paths = {name: Path(bars[-_MOST_BARS:]) for name, bars in panel.items() if len(bars) > _FEWEST}
    for name, path in paths.items():
        yield from _repeating(name, path)
    if len(paths) > 1:
        yield from _off_the_clock(paths)
        yield from _behind(paths)


# --- symbols on other clocks ----------------------------------------------------------------------


class _Lead(NamedTuple):
    """A correlation of moves of so many bars, of which one ends so many before the other begins."""

    correlation: float
    now: float
    bars: int
    before: int


def _off_the_clock(paths: dict[str, Path]) -> Iterator[Leak]:
    """Symbols whose next move is the others' last, or the other way round."""
    leads: list[tuple[str, str, _Lead]] = []  # who leads whom
    for name, other, price in _others(paths):
        own = paths[name].price
        if (lead := _lead(own, price)) is not None:
            leads.append((other, name, lead))
        elif other == _ALL and (lead := _lead(price, own)) is not None:
            leads.append((name, other, lead))
    if not leads:
        return
    named = [who for pair in leads for who in pair[:2] if who != _ALL]
    # With several, one that all the others lead or follow is the one that is wrong.
    most = max(dict.fromkeys(named), key=named.count)
    for leader, follower, lead in leads:
        if most not in (leader, follower):
            continue
        bars = paths[most].bars
        yield _leak(
            most,
            bars.closed_at[0],
            f"Moves of {leader} over {lead.bars} bar(s) forecast those of {follower} "
            f"{lead.bars + lead.before} bar(s) later with a correlation of {lead.correlation:.2f}, "
            f"where moves at the same time have {lead.now:.2f}: their clocks "
            "differ, and one of them is known later than it says.",
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
        if lead > max(_LEADS, _OF_NOW * at_once) and _sure(
            lead, last[moved], following[moved], bars
        ):
            return _Lead(lead, at_once, bars, 0)
    return _long_before(follower, leader)


def _lagged(following: Floats, other: Floats, farthest: int) -> Floats:
    """(farthest + 1,) sums of the products of one and of the other so many places before."""
    size = 2 * len(following)
    product = np.fft.rfft(following, size) * np.conj(np.fft.rfft(other, size))
    return np.asarray(np.fft.irfft(product, size)[: farthest + 1])


def _long_before(follower: Floats, leader: Floats) -> _Lead | None:
    """The same of single bars up to many before, as where a zone is wrong by hours."""
    moves = [np.nan_to_num(np.diff(each)) for each in (follower, leader)]
    following, other = ((each - each.mean()) / max(each.std(), 1e-12) for each in moves)
    n_moves = len(following)
    farthest = min(_FARTHEST, n_moves // 4)
    if n_moves < _FEWEST:
        return None
    found = np.abs(_lagged(following, other, farthest)) / n_moves
    beyond = np.flatnonzero(found > max(_LEADS, _OF_NOW * found[0]))
    for place in map(int, beyond[np.argsort(-found[beyond])]):
        lead = float(found[place])
        if place and _sure(lead, other[:-place], following[place:]):
            return _Lead(lead, float(found[0]), 1, place - 1)
    return None


def _sure(lead: float, first: Floats, second: Floats, bars: int = 1) -> bool:
    """Whether a correlation is no chance: of moves that are alike, and of moves as they are.

    The opens of five mornings are worth five moves, though there are hundreds of bars.
    """
    products = (first - first.mean()) * (second - second.mean())
    own = abs(products.sum()) / max(np.sqrt((products**2).sum()), 1e-300)
    alike = lead * np.sqrt(len(first))
    return bool(min(alike / _ERRORS, own / _OWN_ERRORS) > np.sqrt(bars))


def _others(paths: dict[str, Path]) -> Iterator[tuple[str, str, Floats]]:
    """(symbol, whom, price): each symbol and what it is held against, on the symbol's own clock.

    Each of few others, or the mean of many.
    """
    if len(paths) <= _PAIRS:
        for name, path in paths.items():
            for other, leader in paths.items():
                if other != name:
                    yield name, other, leader.asof(path.at)
        return
    clock = np.unique(np.concatenate([path.at for path in paths.values()]))[-_MOST_BARS:]
    prices = {name: np.nan_to_num(path.asof(clock)) for name, path in paths.items()}
    total = np.sum(list(prices.values()), axis=0)
    for name, path in paths.items():
        row = np.searchsorted(clock, path.at, side="right") - 1
        mean = (total - prices[name]) / (len(paths) - 1)
        yield name, _ALL, np.where(row >= 0, mean[np.maximum(row, 0)], np.nan)


# --- prices that repeat ---------------------------------------------------------------------------


def _repeating(name: str, path: Path) -> Iterator[Leak]:
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


def _behind(paths: dict[str, Path]) -> Iterator[Leak]:
    """Symbols that stand still while the others move, and then catch up."""
    for name, path in paths.items():
        begins, ends = _runs(path.still, _STILL)
        kept = ends < len(path.at)
        begins, ends = begins[kept], ends[kept]
        if len(begins) < _FEWEST_RUNS:
            continue
        market = _market(paths, name)
        meanwhile, after = market[ends - 1] - market[begins - 1], path.steps[ends]
        known = np.isfinite(meanwhile)
        if known.sum() < _FEWEST_RUNS:
            continue
        found = correlation(meanwhile[known], after[known])
        if found > _CAUGHT_UP and np.arctanh(found) * np.sqrt(known.sum() - 3) > _SURE:
            yield _leak(
                name,
                path.bars.closed_at[begins[0]],
                f"{name} stands still {len(begins):,} times for {_STILL} bars or more, and its "
                f"next move makes up for that of the others meanwhile (correlation {found:.2f}): "
                "its quotes are repeated, and nobody trades at them.",
                "Leave out bars in which nothing was quoted or traded, or the symbol.",
            )


def _market(paths: dict[str, Path], name: str) -> Floats:
    """The others' mean price on a symbol's clock, those that move against it turned round."""
    path = paths[name]
    prices = []
    for other in paths.values():
        if other is not path:
            price = other.asof(path.at)
            steps = np.nan_to_num(np.diff(price, prepend=np.nan))
            prices.append(price * np.sign(correlation(steps, path.steps)))
    return np.asarray(np.mean(prices, axis=0))


def _runs(flags: Bools, least: int) -> tuple[Ints, Ints]:
    """Begins and ends of runs of so many or more."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    begins, ends = edges[::2], edges[1::2]
    long = ends - begins >= least
    return begins[long], ends[long]


def _leak(symbol: str, at: np.datetime64, what: str, mend: str) -> Leak:
    return Leak("bars", symbol, symbol, at, f"{what} First at {iso(at)}.", mend)


# --- what is missing because of what followed -----------------------------------------------------
# Whether something is there says nothing honest about the next move, so that the price must go up
# about as often as down after bars, rows of a series, decisions or numbers that are missing.

_FEWEST_GAPS = 20  # moves
_ONE_WAY = 0.75  # share of them that goes one way
_BARS_AHEAD = (1, 4, 12, 24)  # bars
_REGULAR = 0.8  # share of equal gaps from which a series is read as regular
_MEND = "Take it from a source that keeps all of it."


def hunt_absences(features: FeatureTable, data: Data) -> Iterator[Leak]:
    """Bars, series, decisions and columns that are missing before falls, or before rises."""
    paths = {
        name: Path(bars[-_MOST_BARS:])
        for name, bars in data.panel.items()
        if len(bars) > _FEWEST_GAPS
    }
    for name, path in paths.items():
        after = np.flatnonzero(path.bars.missing)
        yield from _one_way_moves("bars", name, name, path, after - 1, path.steps[after], "bars")
    for name, table in data.series.items():
        yield from _of_series(name, table, paths)
    decisions = features.decisions
    for code, symbol in enumerate(decisions.symbols):
        if symbol not in paths:
            continue
        path, own = paths[symbol], decisions.symbol_code == code
        bar = np.searchsorted(path.bars.closed_at, decisions.decided_at[own], side="right") - 1
        there = np.zeros(len(path.at), bool)
        there[bar[bar >= 0]] = True
        first = int(np.argmax(there))
        without = first + np.flatnonzero(~there[first:])
        yield from _ahead("features", "rows", symbol, path, without, "decisions")
        values = features.values[own][bar >= 0]
        known = np.isfinite(values)
        seldom = (known.mean(axis=0) > 0.5) & ~known.all(axis=0)
        for place in np.flatnonzero(seldom):
            begun = int(np.argmax(known[:, place]))
            unknown = bar[bar >= 0][begun:][~known[begun:, place]]
            name = features.columns[place]
            yield from _ahead("features", name, symbol, path, unknown, f"numbers of {name!r}")


def _of_series(name: str, table: SeriesTable, paths: dict[str, Path]) -> Iterator[Leak]:
    """Rows that a regular series lacks, held against the symbol they are about, or against all."""
    about = [None] if table.symbols is None else list(table.symbols)
    for symbol in about:
        own = table if symbol is None else table.about(symbol)
        times = np.unique(microseconds(own.known_at))
        gaps = np.diff(times)
        if len(gaps) < _FEWEST_GAPS:
            continue
        usual = int(np.median(gaps))
        if usual <= 0 or (gaps == usual).mean() < _REGULAR:
            continue
        begins = times[:-1][(gaps > usual) & (gaps <= DAY_US + usual)]
        for other in paths if symbol is None else [symbol]:
            if other not in paths:
                continue
            bar = np.searchsorted(paths[other].at, begins + usual, side="right") - 1
            yield from _ahead("series", name, other, paths[other], bar[bar >= 0], "rows")


def _ahead(
    stage: str, column: str, symbol: str, path: Path, bars: Ints, what: str
) -> Iterator[Leak]:
    """The moves of the bars that follow, of stretches of which none overlaps another."""
    for ahead in _BARS_AHEAD:
        chosen = _side_by_side(bars[bars + ahead < len(path.at)], ahead)
        moves = path.price[chosen + ahead] - path.price[chosen]
        found = list(_one_way_moves(stage, column, symbol, path, chosen, moves, what))
        if found:
            yield from found
            return


def _side_by_side(bars: Ints, ahead: int) -> Ints:
    kept, end = [], -1
    for bar in bars.tolist():
        if bar >= end:
            kept.append(bar)
            end = bar + ahead
    return np.array(kept, np.int64)


def _one_way_moves(
    stage: str, column: str, symbol: str, path: Path, bars: Ints, moves: Floats, what: str
) -> Iterator[Leak]:
    moved = moves[moves != 0.0]
    if len(moved) < _FEWEST_GAPS:
        return
    down = float((moved < 0.0).mean())
    one_way = max(down, 1.0 - down)
    if one_way <= _ONE_WAY or (2.0 * one_way - 1.0) * np.sqrt(len(moved)) <= _ERRORS:
        return
    at = path.bars.closed_at[bars[0]]
    yield Leak(
        stage,
        column,
        symbol,
        at,
        f"{symbol} {'falls' if down > 0.5 else 'rises'} after {one_way:.0%} of {len(moved):,} "
        f"places where {what} are missing, the first at {iso(at)}: they are missing because of "
        "what followed.",
        _MEND,
    )
