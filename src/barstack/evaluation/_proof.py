"""How many more bars it may take to prove an edge: a range, or nothing where bars cannot say."""

from __future__ import annotations

import math

from scipy.stats import norm

POWER = 0.8  # the chance of proving a true edge with as many bars as are told
_TAIL = 0.05  # beyond each end of the range that the true size of the edge lies in
_ENDLESS = 10**9


def bars_to_prove(p_value: float, n_bars: int, trials: int, level: float) -> list[int] | None:
    """[fewest, most] further bars, or None where the edge may as well be nothing.

    p_value  one-sided, of the edge so far, were this the only trial
    n_bars   behind it
    trials   made so far
    level    that the p-value for all trials must fall below

    The edge's true size lies, with a chance of 90 %, within 1.64 standard errors of the one seen.
    For both ends of that range: how many bars prove an edge of that size in eight cases of ten,
    as the error falls with the root of their number. Where the lower end is no edge at all, no
    number of bars is enough, and none is told. The most is at most 1e9.

    >>> bars_to_prove(0.02, 1000, 10, 0.05)
    [1, 68528]
    >>> bars_to_prove(0.2, 1000, 10, 0.05) is None
    True
    """
    seen, unsure = float(norm.isf(p_value)), float(norm.isf(_TAIL))
    if not p_value > 0.0 or seen <= unsure:
        return None
    single = -math.expm1(math.log1p(-level) / trials)
    needed = float(norm.isf(single)) + float(norm.isf(1.0 - POWER))
    totals = [n_bars * (needed / size) ** 2 for size in (seen + unsure, seen - unsure)]
    return [int(min(max(math.ceil(total) - n_bars, 1), _ENDLESS)) for total in totals]
