"""How large each move is beside what is usual at its time of day and in its days."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Floats

from ._subject import Subject

_BUCKETS = 48  # of a session
_AROUND = 50  # bars on either side that say how lively the market is
_MOST = 30.0  # so many times the usual is all that one bar can add to the liveliness


def usual_size(subject: Subject, moves: Floats) -> Floats:
    """What |moves| could be expected to be: their mean by time of day, times liveliness nearby.

    moves    (n_bars,) NaN where there is none
    returns  (n_bars,) above zero unless nothing moves at all

    The bar itself and its two neighbours say nothing about their own liveliness.
    """
    sizes = np.nan_to_num(np.abs(moves))
    usual = _by_time_of_day(subject, sizes)
    lively = np.minimum(sizes / np.where(usual > 0, usual, 1.0), _MOST)
    sums = np.concatenate([[0.0], np.cumsum(lively)])
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
    # A part of the day with few bars or hardly a move borrows from the whole.
    means = (means * counts + whole * 20) / (counts + 20)
    return np.asarray(means[bucket])
