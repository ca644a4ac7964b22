"""From the signal of a forecast to the side that following it takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from barstack.core.arrays import Floats


def side_of(signal: Floats, rule_side: ArrayLike | None = None) -> Floats:
    """Side in [-1, 1] that follows a signal: its sign, or the side of a rule that it confirms.

    Parameters
    ----------
    signal
        (n_rows, n_horizons), or (n_horizons,) for a single decision; positive for up, as
        `Forecast.signal` has it. With a rule, positive where the rule is expected to pay.
    rule_side
        (n_rows,), or one number for a single decision: the side that the rule takes, which is
        followed where the signal is positive and left out elsewhere.

    >>> side_of(np.array([[0.2, -0.1], [0.0, 0.3]]))
    array([[ 1., -1.],
           [ 0.,  1.]])
    >>> side_of(np.array([0.2, -0.1]), rule_side=-1)
    array([-1.,  0.])
    """
    if rule_side is None:
        return np.sign(signal)
    return np.where(signal > 0.0, np.asarray(rule_side)[..., None], 0.0)
