"""Volatility as it is known at a decision."""

from __future__ import annotations

import numpy as np

from barstack.bars import Bars
from barstack.core.arrays import Floats, Ints
from barstack.core.errors import DataError
from barstack.core.times import KnownAt

from ._holding import bars_taken
from ._paths import exponential_variance, log_return_squares


def trailing_volatility(bars: Bars, span: int) -> Floats:
    """(n_bars,) exponential volatility of log returns up to each close, of one bar.

    The root of the exponential mean of squared log returns, each weighing 2 / (span + 1); NaN for
    the first `span` bars. It is the feature `ewma_volatility`.
    """
    starts = np.zeros(len(bars), bool)
    starts[:1] = True
    variance = np.empty(len(bars))
    squares = log_return_squares(bars.close, ~starts)
    exponential_variance(squares, starts, min(span, len(bars)), variance)
    return np.sqrt(variance)


def volatility_ahead(bars: Bars, span: int, exit_row: Ints, known_at: KnownAt) -> Floats:
    """(n_bars,) trailing volatility, scaled to the horizon; NaN where it is not known, or is zero.

    Scaled by the root of the bars that the horizon has taken on average so far. How many it will
    take this time, nights and gaps included, is not known yet.

    exit_row, known_at  of the horizon, as `leave` has them
    """
    ahead = trailing_volatility(bars, span) * np.sqrt(bars_taken(bars, exit_row, known_at))
    moves = ahead > 0.0
    if not moves.any():
        raise DataError(
            f"{bars!r} has no volatility over a span of {span} bars: there are too few, or nothing "
            "moves. Give more bars, or lower span."
        )
    return np.where(moves, ahead, np.nan)
