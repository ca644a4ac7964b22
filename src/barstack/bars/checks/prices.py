"""Prices that do not fit: bad prints, spikes, jumps, and prices that stand still."""

from __future__ import annotations

import math

import numpy as np

from barstack.core.arrays import Bools, Floats
from barstack.core.times import DAY_US, format_duration, iso

from .._anomalies import LEAST_PRINT
from ._finding import Defect
from ._registry import check
from ._subject import Subject

_BUCKETS = 48  # of a session
_AROUND = 50  # bars on either side that show the local volatility
_MOST = 30.0  # times the usual size: the most that one bar adds to the local volatility


def usual_size(subject: Subject, moves: Floats) -> Floats:
    """Expected size of moves: their mean by time of day times the local volatility.

    moves    (n_bars,) NaN where there is none
    returns  (n_bars,) above zero unless nothing moves at all

    The bar itself and its two neighbours are excluded from their own local volatility.
    """
    sizes = np.nan_to_num(np.abs(moves))
    usual = _by_time_of_day(subject, sizes)
    relative = np.minimum(sizes / np.where(usual > 0, usual, 1.0), _MOST)
    sums = np.concatenate([[0.0], np.cumsum(relative)])
    rows = np.arange(len(sizes))
    low, high = np.maximum(rows - _AROUND, 0), np.minimum(rows + _AROUND + 1, len(sizes))
    inner_low, inner_high = np.maximum(rows - 1, 0), np.minimum(rows + 2, len(sizes))
    total = sums[high] - sums[low] - (sums[inner_high] - sums[inner_low])
    count = np.maximum((high - low) - (inner_high - inner_low), 1)
    return np.asarray(usual * np.maximum(total / count, 0.5))


def _by_time_of_day(subject: Subject, sizes: Floats) -> Floats:
    """Mean size in each part of the session; the night before its first bar is a part too."""
    some = sizes[sizes > 0]
    if not len(some):
        return sizes
    capped = np.minimum(sizes, 8 * np.median(some))
    records = subject.bars.records
    offset = subject.opened_at - records["session_open"]
    length = np.maximum(records["session_close"] - records["session_open"], 1)
    per_session = max(len(sizes) / max(len(subject.starts), 1), 1)
    buckets = int(np.clip(per_session, 1, _BUCKETS))
    bucket = np.clip(offset * buckets // length, 0, buckets - 1) + 1
    bucket[subject.starts] = 0
    counts = np.bincount(bucket, minlength=buckets + 1)
    means = np.bincount(bucket, capped, minlength=buckets + 1) / np.maximum(counts, 1)
    whole = float(capped.mean())
    # A part of the day with few bars or moves is shrunk towards the whole.
    means = (means * counts + whole * 20) / (counts + 20)
    return np.asarray(means[bucket])


# Times the usual size, there and back, and of a high or low beyond open and close. The longer
# the bar, the fewer true ones lie so far out: in a minute a single order may go and come back.
SPIKE, SPIKE_OF_HOURS = 15.0, 10.0
WICK, WICK_OF_DAYS = 60.0, 30.0
JUMP = 40.0
SMALLEST_SPIKE = math.log(1.25)  # that refuses
_SPIKE_BARS = 3
_HOUR_US = DAY_US // 24
_BACK = 0.2  # of the way there may be left over when a spike has reverted


@check("warn", "a price far off that reverts at once, the typical bad print")
def bad_prints(subject: Subject) -> Defect | None:
    """A close or open far from the prices on either side, which agree; or a high or low far out."""
    opens, close = subject.logs["open"], subject.logs["close"]
    if len(close) < 3:
        return None
    move = np.diff(close, prepend=close[:1])
    usual = _positive(usual_size(subject, move))
    gap = np.concatenate([[0.0], opens[1:] - close[:-1]])
    above = subject.logs["high"] - np.maximum(close, opens)
    below = np.minimum(close, opens) - subject.logs["low"]
    reach = np.maximum(above, below)
    length_us = subject.bars.length_us
    far_out = reach > (WICK if length_us < DAY_US else WICK_OF_DAYS) * _positive(
        usual_size(subject, reach)
    )
    far = usual * (SPIKE if length_us < _HOUR_US else SPIKE_OF_HOURS)
    prints = {
        "close": _there_and_back(move, np.append(move[1:], 0.0), far, np.append(far[1:], np.inf)),
        "open": _there_and_back(gap, close - opens, far, far),
        "high": far_out & (above > below),
        "low": far_out & (above <= below),
    }
    found = np.logical_or.reduce(list(prints.values()))
    for name, reaching in (("open", np.abs(gap)), ("high", above), ("low", below)):
        prints[name] |= subject.bars.prints & ~found & (reaching >= LEAST_PRINT)
    rows = np.logical_or.reduce(list(prints.values()))
    if not rows.any():
        return None
    row = int(np.argmax(rows))
    seen = _seen(subject, row, next(name for name in prints if prints[name][row]))
    sums = {name: int(found.sum()) for name, found in prints.items()}
    counts = ", ".join(f"{count} {name}" for name, count in sums.items() if count)
    what = (
        f"{int(rows.sum()):,} bar(s) hold a price far off that is back at once ({counts}); first "
        f"{seen} at {iso(subject.opened_at[row])}."
    )
    advice = (
        "Compare with another source; such prints are seldom trades that one could have had. "
        "Labels leave out holdings through the widest of them, features read them all."
    )
    return _found(subject, rows, (seen, what, advice))


@check("refuse", "a close far off that is back within three bars")
def spikes(subject: Subject) -> Defect | None:
    """Closes a quarter or more away, ten times the usual, from which the price is back soon.

    A model and a verdict may rest on one such bar, so it stops a study. Moves that persist or
    revert slowly are real, and so are those that the volatility of the days around explains.
    """
    close = subject.logs["close"]
    moves = np.diff(close, prepend=close[:1])
    far = np.maximum(SMALLEST_SPIKE, SPIKE_OF_HOURS * usual_size(subject, moves))
    rows = np.zeros(len(close), bool)
    for bars in range(1, _SPIKE_BARS + 1):  # from the first bar that is off to the first back
        first = np.arange(1, len(close) - bars)
        base, there = close[first - 1], moves[first]
        off = np.abs(there) > far[first]
        for later in range(1, bars):
            off &= np.sign(there) * (close[first + later] - base) > 0.5 * np.abs(there)
        off &= np.abs(close[first + bars] - base) < _BACK * np.abs(there)
        for later in range(bars):
            rows[first[off] + later] = True
    if not rows.any():
        return None
    row = int(np.argmax(rows))
    back = row + int(np.argmin(rows[row:]))
    prices = subject.bars.records["close"]
    seen = f"close {prices[row]:g} between {prices[row - 1]:g} and {prices[back]:g}"
    what = f"{int(rows.sum()):,} bar(s) close far off and are back at once; first {seen} at "
    advice = (
        "Put in the right price, or leave the bar out of the file; if it was traded, let it pass "
        "with checks: {spikes: warn}."
    )
    return _found(subject, rows, (seen, f"{what}{iso(subject.opened_at[row])}.", advice))


def _there_and_back(there: Floats, back: Floats, least: Floats, least_back: Floats) -> Bools:
    far = (np.abs(there) > least) & (np.abs(back) > least_back)
    return far & (np.abs(there + back) < _BACK * np.minimum(np.abs(there), np.abs(back)))


def _seen(subject: Subject, row: int, name: str) -> str:
    bars = subject.bars.records
    if name == "close":
        return (
            f"close {bars[name][row]:g} between {bars[name][row - 1]:g} and {bars[name][row + 1]:g}"
        )
    if name == "open":
        before, after = bars["close"][row - 1], bars["close"][row]
        return f"open {bars[name][row]:g} between closes of {before:g} and {after:g}"
    return (
        f"{name} {bars[name][row]:g} in a bar from {bars['open'][row]:g} to {bars['close'][row]:g}"
    )


@check("warn", "a move far beyond what is usual for its time of day and its days")
def jumps(subject: Subject) -> Defect | None:
    """Moves from one close to the next that stay, tens of times the usual size."""
    close = subject.logs["close"]
    if len(close) < 3:
        return None
    moves = np.diff(close, prepend=close[:1])
    times = np.abs(moves) / _positive(usual_size(subject, moves))
    back = np.append(moves[1:], 0.0)
    far = (times > JUMP) & (np.abs(moves) > subject.explained)
    reverts = far & (np.abs(moves + back) < _BACK * np.abs(moves))
    rows = far & ~reverts & ~np.roll(reverts, 1)  # neither the way there nor the way back
    if not rows.any():
        return None
    row = int(np.argmax(np.where(rows, times, 0.0)))
    before, after = subject.bars.records["close"][[row - 1, row]]
    change = f"{100 * math.expm1(moves[row]):+.2g} %, {times[row]:.0f} times the usual"
    what = (
        f"{int(rows.sum()):,} move(s) far beyond the usual, the widest from {before:g} to "
        f"{after:g} at {iso(subject.opened_at[row])} ({change})."
    )
    advice = "News explains most; without news look for an unadjusted dividend, split or roll."
    return _found(subject, rows, (change, what, advice))


def _found(subject: Subject, rows: Bools, texts: tuple[str, str, str]) -> Defect:
    values, what, advice = texts
    return Defect(int(rows.sum()), values, what, advice, subject.opened_at[rows])


def _positive(sizes: Floats) -> Floats:
    return np.where(sizes > 0, sizes, np.inf)


_LEAST = 5
_MANY_RUNS = 30


@check("warn", "the same price for suspiciously many bars in a row")
def stale_prices(subject: Subject) -> Defect | None:
    """Bars with no range that repeat the close before them, in unusually long runs.

    Usual is how often such a bar follows a bar that moved, and how long such runs last; a run is
    too long when it is twice the longest that is likely by these figures.
    """
    opens, high, low, close = (subject.logs[name] for name in ("open", "high", "low", "close"))
    still = (high == low) & (opens == close)
    still[1:] &= close[1:] == close[:-1]
    still[0] = False
    edges = np.flatnonzero(np.diff(still, prepend=False, append=False))
    begins, ends = edges[::2], edges[1::2]
    lengths = ends - begins
    long = lengths >= _longest_usual(still, lengths)
    if not long.any():
        return None
    begins, ends, lengths = begins[long], ends[long], lengths[long]
    count = int(lengths.sum())
    longest = int(np.argmax(lengths))
    from_us, price = subject.opened_at[begins[longest]], math.exp(close[begins[longest]])
    rows = np.concatenate([np.arange(a, b) for a, b in zip(begins, ends, strict=True)])
    lasts = format_duration(int(lengths[longest]) * subject.bars.length_us)
    return Defect(
        count=count,
        values=f"{len(lengths):,} runs, longest {lengths[longest]:,} bars at {price:.6g}",
        what=(
            f"{count:,} bars in {len(lengths):,} run(s) repeat the price before them; the longest, "
            f"{lengths[longest]:,} bars ({lasts}) at {price:.6g}, begins at "
            f"{iso(from_us)}."
        ),
        advice="Compare with another source: the feed may have stood still, or trading was halted.",
        at=subject.opened_at[rows],
    )


def _longest_usual(still: Bools, lengths: np.ndarray) -> float:
    """Length from which on a run is not due to chance."""
    if not len(lengths):
        return math.inf
    moving = max(len(still) - int(still.sum()), 1)
    again = min(len(lengths) / moving, 0.99)  # how often a still bar follows one that moved
    if len(lengths) >= _MANY_RUNS:
        again = max(again, 1 - 1 / float(np.mean(np.minimum(lengths, 4 * np.median(lengths)))))
    return max(_LEAST, 2 * math.log(len(lengths) + 1) / math.log(1 / max(again, 1e-9)))
