"""Prices that stand still for longer than is the habit of this series."""

from __future__ import annotations

import math

import numpy as np

from barstack.core.arrays import Bools
from barstack.core.times import format_duration, iso

from ._finding import Defect
from ._registry import check
from ._subject import Subject

_LEAST = 5
_MANY_RUNS = 30


@check("warn", "the same price for suspiciously many bars in a row")
def stale_prices(subject: Subject) -> Defect | None:
    """Bars with no range that repeat the close before them, in runs too long for their habit.

    The habit is how often such a bar follows a bar that moved, and how long such runs usually
    are; a run is too long when it is twice the longest that this habit makes likely.
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
            f"{iso(np.datetime64(int(from_us), 'us'))}."
        ),
        advice="Compare with another source: the feed may have stood still, or trading was halted.",
        at=subject.opened_at[rows],
    )


def _longest_usual(still: Bools, lengths: np.ndarray) -> float:
    """Bars from which on a run is no longer chance."""
    if not len(lengths):
        return math.inf
    moving = max(len(still) - int(still.sum()), 1)
    again = min(len(lengths) / moving, 0.99)  # how often a still bar follows one that moved
    if len(lengths) >= _MANY_RUNS:
        again = max(again, 1 - 1 / float(np.mean(np.minimum(lengths, 4 * np.median(lengths)))))
    return max(_LEAST, 2 * math.log(len(lengths) + 1) / math.log(1 / max(again, 1e-9)))
