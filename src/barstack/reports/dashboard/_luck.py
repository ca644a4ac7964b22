"""What the best of many would reach if none of them could predict."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import NormalDist

from barstack.tracking import Experiment

_STEPS = 50  # halvings of the interval


def best_by_luck(rows: Sequence[Experiment]) -> float | None:
    """Median accuracy of the best of these completed experiments if all guessed independently.

    Each accuracy is normal around one half with its own standard error: the one that was measured,
    which allows for overlapping labels, otherwise sqrt(1/4 / n_samples). Experiments on the same
    bars are correlated, so that the best of as many really is lower. None below two.
    """
    errors = Counter(
        float(f"{error:.4g}")
        for row in rows
        if row.status == "completed" and (error := accuracy_error(row)) is not None
    )
    if errors.total() < 2:
        return None
    low, high = 0.5, 0.5 + 10 * max(errors)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _log_none_above(middle, errors) < math.log(0.5):
            low = middle
        else:
            high = middle
    return low


def accuracy_error(row: Experiment) -> float | None:
    """Standard error of the directional accuracy; None where it is not known."""
    measured = row.metrics.get("directional_accuracy_se")
    if isinstance(measured, int | float) and math.isfinite(measured) and measured > 0:
        return float(measured)
    return 0.5 / math.sqrt(row.n_samples) if row.n_samples else None


def _log_none_above(accuracy: float, errors: Counter[float]) -> float:
    """Logarithm of the probability that no guess does better."""
    return sum(
        count * math.log(NormalDist(0.5, error).cdf(accuracy)) for error, count in errors.items()
    )
