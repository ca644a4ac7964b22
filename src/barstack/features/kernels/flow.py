"""Money flow: on which side of price's moves volume was traded, and at what prices.

None depends on the unit of volume; without volume each value is neutral.
"""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.ratios import position, share
from ..pieces.rolling import FADED, SUM, rolling_sum


@feature(
    group="volume",
    memory=lambda window: 2 * (SUM + window),
    warmup=lambda window: window,
    unit="fraction",
    low=-1,
    high=1,
    source="Granville (1963)",
)
def obv_trend(state, bar, window=20):
    """Change of on-balance volume over `window` bars / volume traded in them; 0 without volume.

    On-balance volume adds the volume of bars that closed higher and subtracts that of bars that
    closed lower.
    """
    if math.isnan(bar.previous_close):
        return np.nan
    side = bar.volume if bar.close > bar.previous_close else -bar.volume
    half = SUM + window
    balance = rolling_sum(state[:half], side if bar.close != bar.previous_close else 0.0, window)
    return share(balance, rolling_sum(state[half:], bar.volume, window), 0.0)


@feature(
    group="volume",
    memory=lambda window: 1 + 2 * (SUM + window),
    warmup=lambda window: window,
    unit="index",
    low=0,
    high=100,
    source="Quong, Soudack (1989)",
)
def money_flow_index(state, bar, window=14):
    """100 * money traded on rises of the typical price / money traded on rises and falls.

    Money is typical price * volume, over `window` bars; 50 without any flow.
    """
    previous = state[0]
    state[0] = bar.typical
    if previous == 0.0:
        return np.nan
    half = 1 + SUM + window
    money = bar.typical * bar.volume
    # The same three prices summed in another order differ by rounding: that is no rise.
    change, hair = bar.typical - previous, 1e-12 * previous
    rises = rolling_sum(state[1:half], money if change > hair else 0.0, window)
    falls = rolling_sum(state[half:], money if change < -hair else 0.0, window)
    return 100.0 * share(rises, rises + falls, 0.5)


@feature(
    group="volume",
    memory=lambda window: 2 * (SUM + window),
    warmup=lambda window: window - 1,
    unit="fraction",
    low=-1,
    high=1,
    source="Achelis (2001)",
)
def chaikin_money_flow(state, bar, window=20):
    """Sum of volume * (2 close - high - low) / (high - low), divided by the sum of volume.

    Over `window` bars: 1 where all of them closed at their highs; 0 without volume.
    """
    half = SUM + window
    side = 2.0 * position(bar.close, bar.low, bar.high) - 1.0
    flow = rolling_sum(state[:half], side * bar.volume, window)
    return share(flow, rolling_sum(state[half:], bar.volume, window), 0.0)


@feature(
    group="volume",
    memory=4,
    warmup=lambda fast, slow: max(fast, slow) - 1,
    unit="bars of volume",
    source="Achelis (2001)",
)
def chaikin_oscillator(state, bar, fast=3, slow=10):
    """(EMA(fast) - EMA(slow)) of the accumulation line, divided by the EMA(slow) of volume.

    The line adds volume * (2 close - high - low) / (high - low) without bound, so the state holds
    each mean's lag behind it, which stays small. 0 before any volume; without further volume it
    converges.
    """
    # state: bars seen; the line less its fast mean; the line less its slow mean; mean volume.
    if state[0] == 0.0:
        state[3] = bar.volume
    elif bar.volume != 0.0 or state[3] > FADED:
        flow = (2.0 * position(bar.close, bar.low, bar.high) - 1.0) * bar.volume
        state[1] = (state[1] + flow) * (1.0 - 2.0 / (fast + 1.0))
        state[2] = (state[2] + flow) * (1.0 - 2.0 / (slow + 1.0))
        state[3] += (bar.volume - state[3]) * (2.0 / (slow + 1.0))
    if state[0] < max(fast, slow) - 1:
        state[0] += 1
        return np.nan
    state[0] = max(state[0], 1.0)
    return (state[2] - state[1]) / state[3] if state[3] > 0.0 else 0.0


@feature(
    group="volume",
    memory=3,
    warmup=lambda span: span,
    unit="log per bar",
    source="Elder (1993)",
)
def force_index(state, bar, span=13):
    """EMA(log return * volume) / EMA(volume): the move of the bars that were traded.

    Elder's force is close - previous close times volume; this value depends on neither unit. 0
    before any volume; unchanged without further volume.
    """
    if math.isnan(bar.log_return):
        return np.nan
    force = bar.log_return * bar.volume
    if state[0] == 0.0:
        state[1], state[2] = force, bar.volume
    elif bar.volume != 0.0 or state[2] > FADED:
        state[1] += (force - state[1]) * (2.0 / (span + 1.0))
        state[2] += (bar.volume - state[2]) * (2.0 / (span + 1.0))
    if state[0] < span:
        state[0] += 1
        if state[0] < span:
            return np.nan
    return state[1] / state[2] if state[2] > 0.0 else 0.0


@feature(
    group="volume",
    memory=lambda window: 1 + 3 * (SUM + window),
    warmup=lambda window: window,
    unit="fraction per bar",
    source="Arms (1983)",
)
def ease_of_movement(state, bar, window=14):
    """Mean of midpoint move / box ratio over `window` bars, with relative volume and range.

    The midpoint is (high + low) / 2, its move a fraction of the previous midpoint. The box ratio is
    (volume / mean volume) / (range / mean range), means over the same bars; bars without volume
    count as no move.
    """
    middle, previous = 0.5 * (bar.high + bar.low), state[0]
    state[0] = middle
    if previous == 0.0:
        return np.nan
    spread = bar.high - bar.low
    moved = (middle / previous - 1.0) * spread / bar.volume if bar.volume > 0.0 else 0.0
    part = SUM + window
    ease = rolling_sum(state[1 : 1 + part], moved, window)
    volume = rolling_sum(state[1 + part : 1 + 2 * part], bar.volume, window)
    spreads = rolling_sum(state[1 + 2 * part :], spread, window)
    return share(ease * volume * (1.0 / window), spreads, 0.0)


@feature(
    group="volume",
    memory=lambda window: 2 * (SUM + window),
    warmup=lambda window: window - 1,
    unit="fraction",
)
def vwap_distance(state, bar, window=20):
    """close / volume-weighted mean of typical prices over `window` bars - 1; 0 without volume."""
    half = SUM + window
    money = rolling_sum(state[:half], bar.typical * bar.volume, window)
    volume = rolling_sum(state[half:], bar.volume, window)
    return share(bar.close * volume, money, 1.0) - 1.0


@feature(group="volume", memory=2, unit="fraction")
def session_vwap_distance(state, bar):
    """close / volume-weighted mean of typical prices since the session's open - 1.

    0 before any volume in the session. In daily bars: the close against the day's typical price.
    """
    if bar.new_session:
        state[0] = state[1] = 0.0
    state[0] += bar.typical * bar.volume
    state[1] += bar.volume
    return share(bar.close * state[1], state[0], 1.0) - 1.0
