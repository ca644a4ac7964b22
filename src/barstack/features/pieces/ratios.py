"""Quotients that stay finite where real bars have no range and no volume."""

from __future__ import annotations

import math

from .rolling import piece

LARGEST = math.exp(5.0)
SMALLEST = math.exp(-5.0)


@piece
def position(x, low, high):
    """Where x stands from low, 0, to high, 1; 0.5 where they are equal. NaN passes through."""
    spread = high - low
    return 0.5 if spread == 0.0 else (x - low) / spread


@piece
def share(part, whole, empty):
    """part / whole; `empty` where the whole is 0. NaN of a warm-up passes through."""
    return empty if whole == 0.0 else part / whole


@piece
def log_ratio(x, usual):
    """ln(x / usual), clipped to -5 and 5; 0 where both are 0. NaN of a warm-up passes through.

    Bars without trades would be minus infinity; a factor of e^5 = 148 is as informative.
    """
    if usual == 0.0:
        return 5.0 if x > 0.0 else 0.0
    ratio = x / usual
    if ratio < SMALLEST:
        return -5.0
    return 5.0 if ratio > LARGEST else math.log(ratio)
