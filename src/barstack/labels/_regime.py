"""Labels for detectors of regimes, which learn from features alone."""

from __future__ import annotations

import numpy as np

from barstack.core.decisions import Decisions
from barstack.core.forecast import NOW, Target
from barstack.core.times import KnownAt

from ._label import LabelTable

REGIME_TARGET = Target("regime", (NOW,))


def regime_labels(decisions: Decisions) -> LabelTable:
    """Labels that say nothing: nobody knows the true regime, so that every value is 0.

    A row of them is known when it is decided, as its features are. With them a detector is trained
    and its clock is kept as of any other model.

    >>> from barstack.testing import small_dataset
    >>> labels = regime_labels(small_dataset("return", bars=100).decisions)
    >>> labels.target.columns[:2], labels.values.shape
    (('p_bull_trend_now', 'p_bear_trend_now'), (200, 1))
    """
    nothing = np.zeros((len(decisions), 1))
    return LabelTable(
        decisions,
        REGIME_TARGET,
        nothing,
        KnownAt(decisions.decided_at[:, None]),
        nothing,
        np.ones(len(decisions), bool),
    )
