"""Levels by volume: the price at which most was traded, and how much was above the close."""

from __future__ import annotations

import math

import numpy as np

from .._kernel import feature
from ..pieces.profile import HEAD, PROFILE, volume_profile
from ..pieces.ratios import share


@feature(
    group="levels",
    memory=PROFILE + 1,
    warmup=lambda span: span - 1,
    unit="log",
    scale_free=False,
    source="Steidlmayer (1984)",
)
def volume_peak_distance(state, bar, span=200):
    """ln(close / price at which most volume was traded), the profile's point of control.

    Each bar's volume counts at its typical price and fades as in an exponential mean over `span`
    bars. Prices are told apart by 64 bins, each a half to one usual bar high, and the peak is the
    middle of the fullest. In another unit of price the edges of bins fall elsewhere, and where two
    prices were traded nearly alike the peak may be the other one: no named set holds it. 0 without
    volume.
    """
    close = math.log(bar.close)
    price = close - bar.log_close + (bar.log_high + bar.log_low + bar.log_close) * (1.0 / 3.0)
    log_range = bar.log_high - bar.log_low
    whole, _, way = volume_profile(state, price, close, log_range, bar.volume, span)
    state[PROFILE] = min(state[PROFILE] + 1.0, span)
    if state[PROFILE] < span:
        return np.nan
    return 0.0 if whole == 0.0 else way


@feature(
    group="levels",
    memory=PROFILE + 1,
    warmup=lambda span: span - 1,
    unit="fraction",
    low=0,
    high=1,
    scale_free=False,
)
def volume_above(state, bar, span=200):
    """Share of volume that was traded above the close: whose buyers are under water.

    Volumes and prices count as in `volume_peak_distance`; of the close's own bin, half. 0.5
    without volume.
    """
    close = math.log(bar.close)
    price = close - bar.log_close + (bar.log_high + bar.log_low + bar.log_close) * (1.0 / 3.0)
    log_range = bar.log_high - bar.log_low
    whole, at, _ = volume_profile(state, price, close, log_range, bar.volume, span)
    above = 0.5 * state[HEAD + at]
    higher = state[HEAD + at + 1 : PROFILE]
    for place in range(len(higher)):
        above += higher[place]
    state[PROFILE] = min(state[PROFILE] + 1.0, span)
    return np.nan if state[PROFILE] < span else share(above, whole, 0.5)
