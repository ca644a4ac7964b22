"""Round numbers, where orders gather. The one level that depends on the unit of price."""

from __future__ import annotations

import math

from .._kernel import feature


@feature(
    group="levels",
    memory=2,
    unit="fraction of a step",
    low=0,
    high=0.5,
    scale_free=False,
    source="Osler (2003)",
    bounds={"spacing": (1e-6, 1.0)},
)
def round_number_distance(state, bar, spacing=0.02):
    """|close - nearest multiple of the step| / step: 0 at a round number, 0.5 halfway.

    The step is the largest of 1, 2 and 5 times a power of ten that is not above `spacing` of the
    price: between 100 and 250, two. What is round lies in how price is quoted, so shares before
    and after a split differ, and prices adjusted for dividends have lost it.
    """
    # state: the step and the next larger one; powers are dear, and they rarely change.
    largest = spacing * bar.close
    if not state[0] <= largest < state[1]:
        power = 10.0 ** math.floor(math.log10(largest))
        if power > largest:  # the logarithm was rounded up to a whole number
            power *= 0.1
        state[0], state[1] = power, 2.0 * power
        if largest >= 5.0 * power:
            state[0], state[1] = 5.0 * power, 10.0 * power
        elif largest >= 2.0 * power:
            state[0], state[1] = 2.0 * power, 5.0 * power
    steps = bar.close / state[0]
    return abs(steps - math.floor(steps + 0.5))
