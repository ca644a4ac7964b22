"""Volume at price: an exponentially weighted histogram over the logarithm of price.

It has a fixed number of bins about the price, each half to one mean bar range wide: bins are joined
in pairs when bars grow and halved when they shrink. Volume beyond either end is dropped, so memory
is bounded whatever the market does.
"""

from __future__ import annotations

import math

from .rolling import piece

BINS = 64
HEAD = 7
PROFILE = HEAD + BINS
_NARROWEST = 2.0**-20
_HEAVIEST = 1e100


@piece
def volume_profile(m, price, close, log_range, volume, span):
    """Add a bar. Returns (sum of all bins, bin of its close, distance of its close from the peak).

    The peak is the midpoint of the fullest bin. A price outside all bins counts in the nearest.

    price      logarithm of the price at which its volume counts
    close      logarithm of its close
    log_range  ln(high / low), whose exponential mean sets the width of bins
    span       each bar weighs 1 - 2 / (span + 1) of the next

    Edges of bins are multiples of their width and the width follows from recent bars, so in the
    end nothing depends on where the series began. Memory: PROFILE, of which m[HEAD:] are the bins,
    from the lowest price up.
    """
    # m: whether begun, usual range, width, number of the lowest bin, weight of the newest bar,
    # fullest bin, sum of all; then the bins. Old bars keep their weight; new ones weigh more.
    decay = 2.0 / (span + 1.0)
    if m[0] == 0.0:
        m[0], m[1], m[2], m[4] = 1.0, log_range, _NARROWEST, 1.0
    else:
        m[1] += (log_range - m[1]) * decay
        m[4] *= 1.0 / (1.0 - decay)
    moved = False
    while m[1] >= 2.0 * m[2]:
        join(m)
        moved = True
    while m[1] < m[2] and m[2] > _NARROWEST:
        halve(m, close)
        moved = True
    now = math.floor(close / m[2])
    if not m[3] <= now < m[3] + BINS:
        move(m, now - BINS // 2)
        moved = True
    if m[4] > _HEAVIEST:
        for place in range(HEAD, PROFILE):
            m[place] /= m[4]
        m[4] = 1.0
        moved = True
    if moved:
        count(m)
    into = math.floor(price / m[2]) - m[3]
    into = int(min(max(into, 0.0), BINS - 1.0))
    m[HEAD + into] += m[4] * volume
    m[6] += m[4] * volume
    if m[HEAD + into] > m[HEAD + int(m[5])]:
        m[5] = into
    return m[6], int(now - m[3]), close - (m[3] + m[5] + 0.5) * m[2]


@piece
def join(m):
    """Double the width of bins: two become one."""
    odd = int(m[3] - 2.0 * math.floor(0.5 * m[3]))
    for place in range(BINS):
        value = m[HEAD + place]
        m[HEAD + place] = 0.0
        m[HEAD + (place + odd) // 2] += value
    m[2], m[3] = 2.0 * m[2], math.floor(0.5 * m[3])


@piece
def halve(m, close):
    """Halve the width of bins about the close; each gives half its volume to either side."""
    move(m, math.floor(close / m[2]) - BINS // 4)
    for place in range(BINS // 2 - 1, -1, -1):
        value = 0.5 * m[HEAD + place]
        m[HEAD + 2 * place + 1] = value
        m[HEAD + 2 * place] = value
    m[2], m[3] = 0.5 * m[2], 2.0 * m[3]


@piece
def move(m, lowest):
    """Shift the bins to begin at `lowest`; those beyond either end are dropped."""
    by = int(min(max(lowest - m[3], -float(BINS)), float(BINS)))
    for step in range(BINS):
        place = step if by > 0 else BINS - 1 - step
        source = place + by
        m[HEAD + place] = m[HEAD + source] if 0 <= source < BINS else 0.0
    m[3] = lowest


@piece
def count(m):
    """Recompute the sum and the fullest bin, the lowest of equals."""
    m[5], m[6] = 0.0, 0.0
    for place in range(BINS):
        m[6] += m[HEAD + place]
        if m[HEAD + place] > m[HEAD + int(m[5])]:
            m[5] = place
