"""Splits of shares that the prices were not adjusted for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.text import listed
from barstack.core.times import iso

from ._finding import Defect
from ._registry import check
from ._subject import Subject

RATIOS = np.array([1.5, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 100])
_SMALLEST = np.log(1.4)
_LEAST_AFTER = 3  # bars, to tell that the price does not come back


@dataclass(frozen=True)
class _Split:
    row: int
    ratio: float  # price before / price after, as the split says
    seen: float  # the same, as the prices say
    price: str  # the first that is of the new kind, the bar's open or only its close


@check("refuse", "a sudden ratio near 2, 3, 4, 5, 10, 20 ... or its inverse that stays")
def unadjusted_split(subject: Subject) -> Defect | None:
    """Price jumps between two bars by a split's ratio, and goes on from there as calm as before.

    What tells a crash from a split: its ratio is no round one, the bars after it are wild, and
    money changes hands as on no other day. Two of these three make it a crash, or all three where
    the price goes to a quarter or less.
    """
    gap = np.zeros(len(subject))
    gap[1:] = subject.logs["open"][1:] - subject.logs["close"][:-1]
    step = np.diff(subject.logs["close"], prepend=subject.logs["close"][:1])
    # What happened where bars are missing is no single move.
    least = np.maximum(_SMALLEST, subject.explained)
    rows = np.flatnonzero((np.abs(gap) > least) | (np.abs(step) > least))
    if not len(rows):
        return None
    noise = _overnight_noise(subject, gap)
    found = [split for row in rows if (split := _split_at(subject, int(row), gap, step, noise))]
    if not found:
        return None
    first = found[0]
    before = subject.bars.records["close"][first.row - 1]
    after = subject.bars.records[first.price][first.row]
    name = _name(first.ratio)
    shown = listed([f"{_name(each.ratio)} on {_day(subject, each.row)}" for each in found], 3)
    verb = "divide" if first.ratio > 1 else "multiply"
    other = "multiply" if first.ratio > 1 else "divide"
    by = f"{max(first.ratio, 1 / first.ratio):g}"
    at = iso(subject.opened_at[first.row])
    return Defect(
        count=len(found),
        values=f"{before:g} to {after:g}: {shown}",
        what=(
            f"The price goes from {before:g} to {after:g} at {at}, a ratio of "
            f"{first.seen:.4g}, and stays: an unadjusted split ({shown})."
        ),
        advice=f"For {name}: {verb} all prices before it by {by} and {other} volume by {by}.",
        at=subject.opened_at[[each.row for each in found]],
    )


def _split_at(subject: Subject, row: int, gap: Floats, step: Floats, noise: float) -> _Split | None:
    price = "open" if abs(gap[row]) > _SMALLEST else "close"
    jump = gap[row] if price == "open" else step[row]
    near = int(np.argmin(np.abs(np.log(RATIOS) - abs(jump))))
    ratio = float(RATIOS[near]) if jump < 0 else 1 / float(RATIOS[near])
    miss = abs(abs(jump) - np.log(RATIOS[near]))
    if miss > np.clip(6 * noise, 0.03, 0.1 if RATIOS[near] >= 2 else 0.05):
        return None
    close = subject.logs["close"]
    session_bars = max(len(subject) // len(subject.starts), 1)
    reach = max(20, 2 * session_bars)
    after, before = slice(row, row + reach), slice(max(row - reach, 0), row)
    if len(close[after]) < _LEAST_AFTER or not len(close[before]):
        return None
    # Neither does the price come back after it, nor does it come back by it from somewhere else.
    away = (
        np.median(close[after]) - close[row - 1] - jump,
        np.median(close[before]) - close[row - 1],
    )
    if np.max(np.abs(away)) > max(0.25 * abs(jump), 3 * miss, 0.12):
        return None
    wild = _wildness(subject, row, before, after)
    money = _money(subject, row, session_bars)
    signs_of_crash = (wild > 3) + (money > 4) + (miss > max(3 * noise, 0.01))
    # Hardly anything falls by three quarters overnight and stays, so there it takes all three.
    enough = 2 if RATIOS[near] < 4 else 3
    if signs_of_crash >= enough:
        return None
    return _Split(row, ratio, float(np.exp(-jump)), price)


def _overnight_noise(subject: Subject, gap: Floats) -> float:
    """Usual size of the move from one session's close to the next one's open."""
    sizes = np.abs(gap[subject.starts[1:]]) if len(subject.starts) > 20 else np.abs(gap[1:])
    return 1.4826 * float(np.median(sizes)) if len(sizes) else 0.0


def _wildness(subject: Subject, row: int, before: slice, after: slice) -> float:
    """Range of bars after beside before, or that of the first ones if that is wilder."""
    spans = subject.logs["high"] - subject.logs["low"]
    usual = float(np.median(spans[before]))
    if usual <= 0:
        return 1.0
    first = float(np.median(spans[row : row + min(max(len(spans[after]) // 20, 1), 10)]))
    return max(float(np.median(spans[after])), 0.75 * first) / usual


def _money(subject: Subject, row: int, session_bars: int) -> float:
    """Money that changed hands on the day beside a usual day before; 1 where it is not known."""
    turnover = subject.volume * np.exp(subject.logs["close"])
    day = turnover[row : row + session_bars].mean()
    earlier = turnover[max(row - 20 * session_bars, 0) : row]
    whole = len(earlier) // session_bars * session_bars
    if not whole:
        return 1.0
    days = earlier[len(earlier) - whole :].reshape(-1, session_bars).mean(axis=1)
    usual = float(np.median(days))
    return float(day) / usual if usual > 0 else 1.0


def _name(ratio: float) -> str:
    """
    >>> _name(2.0), _name(1.5), _name(0.1)
    ('2:1', '3:2', '1:10')
    """
    if ratio == 1.5:
        return "3:2"
    if abs(ratio - 1 / 1.5) < 1e-9:
        return "2:3"
    return f"{ratio:g}:1" if ratio > 1 else f"1:{1 / ratio:g}"


def _day(subject: Subject, row: int) -> str:
    return str(np.datetime64(int(subject.session[row]), "D"))
