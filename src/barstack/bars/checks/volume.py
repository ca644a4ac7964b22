"""Volume that is zero, absent, or of another kind from some day on."""

from __future__ import annotations

import math

import numpy as np

from barstack.core.arrays import Bools, Floats, Ints
from barstack.core.text import listed
from barstack.core.times import iso

from ._finding import Defect
from ._registry import check
from ._subject import Subject

_WINDOW = 20  # days on either side; also two weeks and more, so that weekends even out
_NEAR = 5
_FACTOR = 3.0
_SPREADS = 4.0
_FOR_GOOD = 120  # days on either side that must differ as much


@check("warn", "a source that gives no volume at all")
def no_volume(subject: Subject) -> Defect | None:
    """Every bar has zero volume."""
    if subject.has_volume:
        return None
    return Defect(
        count=len(subject),
        values=f"all {len(subject):,} bars",
        what=f"All {len(subject):,} bars have zero volume: the source gives none.",
        advice="Use no features of volume; their values say nothing here.",
    )


@check("warn", "bars with zero volume among bars that have some")
def zero_volume(subject: Subject) -> Defect | None:
    """Bars in which nothing traded, or whose volume is not known."""
    empty = subject.volume == 0
    count = int(empty.sum())
    if not count or not subject.has_volume:
        return None
    flat = int((empty & _flat(subject)).sum())
    share = f"{count:,} of {len(subject):,} ({100 * count / len(subject):.2g} %)"
    first, last = (iso(at) for at in subject.opened_at[empty][[0, -1]])
    when = f"at {first}" if count == 1 else f"from {first} to {last}"
    mostly = subject.mostly_at(subject.opened_at[empty])
    when += f", {mostly}" if mostly else ""
    return Defect(
        count=count,
        values=share,
        what=f"{share} bars have zero volume, {when}; in {flat:,} of them the price stands still.",
        advice=(
            "Where the price stands still, nothing traded or the source filled a hole: trade "
            "nothing there. Where it moves, the volume is not known: mend the source."
        ),
        at=subject.opened_at[empty],
    )


def _flat(subject: Subject) -> Bools:
    return np.asarray(subject.logs["high"] == subject.logs["low"], bool)


@check("warn", "volume at another level from some day on")
def volume_break(subject: Subject) -> Defect | None:
    """Mean volume of a bar jumps by a factor of three or more between two days, and stays.

    Medians of the twenty days before and after are compared, and of the five next to the jump,
    so that a slow rise or a busy week is no break; and up to 120 days before and after, so that a
    busy month is none. So wide a jump is rarely the market's.
    """
    level, day = _daily(subject)
    if len(level) < 2 * _WINDOW:
        return None
    breaks = _level_shifts(level)
    if not breaks:
        return None
    steps = []
    for at in breaks:
        before, after = (_short(math.exp(median)) for median in _around(level, at, _WINDOW))
        steps.append(f"{before} to {after} on {np.datetime64(int(day[at]), 'D')}")
    shown = listed(steps, 3)
    first_rows = subject.starts[np.isin(subject.session[subject.starts], day[breaks])]
    return Defect(
        count=len(breaks),
        values=shown,
        what=f"The median volume of a bar changes for good: {shown}.",
        advice=(
            "Look for a change of feed or venue, or a split that the volume was not adjusted for; "
            "use volume relative to its recent mean, or start after the break."
        ),
        at=subject.opened_at[first_rows],
    )


def _short(volume: float) -> str:
    return f"{volume:,.0f}" if volume >= 100 else f"{volume:.3g}"


def _daily(subject: Subject) -> tuple[Floats, Ints]:
    """Log of the mean volume of a bar on each day that has any, and those days."""
    counts = np.diff(np.append(subject.starts, len(subject)))
    mean = np.add.reduceat(subject.volume, subject.starts) / counts
    some = mean > 0
    return np.log(mean[some]), subject.session[subject.starts][some]


def _sharpest(level: Floats, at: int) -> int:
    """The day nearby between which and the day before the volume differs the most."""
    reach = _WINDOW // 2  # medians hardly distinguish days that lie so near
    nearby = np.arange(max(at - reach, _WINDOW), min(at + reach, len(level) - _WINDOW) + 1)
    means = [level[day : day + _NEAR].mean() - level[day - _NEAR : day].mean() for day in nearby]
    return int(nearby[np.argmax(np.abs(means))])


def _around(level: Floats, at: int, days: int) -> tuple[float, float]:
    """Median level of so many days before and after; of fewer where there are no more."""
    before, after = level[max(at - days, 0) : at], level[at : at + days]
    return float(np.median(before)), float(np.median(after))


def _level_shifts(level: Floats) -> list[int]:
    windows = np.lib.stride_tricks.sliding_window_view(level, _WINDOW)
    before, after = windows[:-_WINDOW], windows[_WINDOW:]
    medians = np.median(windows, axis=1)
    shift = medians[_WINDOW:] - medians[:-_WINDOW]
    candidates = np.flatnonzero(np.abs(shift) > math.log(_FACTOR))
    found: list[int] = []
    for widest in candidates[np.argsort(-np.abs(shift[candidates]), kind="stable")]:
        at = _sharpest(level, int(widest) + _WINDOW)
        if any(abs(at - other) < _WINDOW for other in found):
            continue
        size = abs(shift[at - _WINDOW])
        around = (before[at - _WINDOW], after[at - _WINDOW])
        spread = max(1.4826 * np.median(np.abs(side - np.median(side))) for side in around)
        near = np.median(level[at : at + _NEAR]) - np.median(level[at - _NEAR : at])
        least = max(math.log(_FACTOR), _SPREADS * spread)
        sign = np.sign(shift[at - _WINDOW])
        earlier, later = _around(level, at, _FOR_GOOD)
        outer = (level[max(at - _FOR_GOOD, 0) :][:_WINDOW], level[: at + _FOR_GOOD][-_WINDOW:])
        differences = (later - earlier, later - np.median(outer[0]), np.median(outer[1]) - earlier)
        stays = min(sign * np.array(differences)) > math.log(_FACTOR)
        if size > least and near * sign > 0.8 * math.log(_FACTOR) and stays:
            found.append(at)
    return sorted(found)
