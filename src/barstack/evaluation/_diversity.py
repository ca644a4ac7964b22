"""How much members differ: opposite sides, correlated errors, effective number of members."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.forecast import Target, signal_of

from ._case import Outcomes
from ._combining_findings import Diversity

_CONSTANT = 1e-12


MOST_IN_PAIRS = 100  # members: a table of all pairs of a thousand is of no use to anyone


def diversity_of(
    realised: Outcomes,
    target: Target,
    names: tuple[str, ...],
    values: Floats,
    shown: Sequence[str],
) -> Diversity:
    """What tells members apart at one horizon.

    Parameters
    ----------
    values
        (n_known, n_members, n_outputs)
    shown
        The members that are compared in pairs.
    """
    scores = expected_score(values, target)
    errors = realised_score(realised, target)[:, None] - scores
    correlation = correlations(errors)
    places = [names.index(name) for name in shown]
    return Diversity(
        realised.name,
        list(shown),
        disagreement(signal_of(values[:, places], target)).tolist(),
        plain(correlation[np.ix_(places, places)]),
        effective_number(correlation),
        effective_number(correlations(scores)),
    )


def disagreement(signals: Floats) -> Floats:
    """(n_members, n_members) share of rows on which two signals have opposite signs.

    A signal of zero takes no side, and disagrees by half with one that does. Of two classes it is
    the disagreement measure of Kuncheva, Whitaker (2003).

    signals  (n_rows, n_members)

    >>> disagreement(np.array([[1.0, 2.0], [-1.0, 3.0], [1.0, 0.0], [-2.0, -1.0]]))
    array([[0.   , 0.375],
           [0.375, 0.   ]])
    """
    up, down, none = (np.where(np.sign(signals) == side, 1.0, 0.0) for side in (1, -1, 0))
    opposed = up.T @ down
    idle = none.T @ (1.0 - none)
    return np.asarray((opposed + opposed.T + 0.5 * (idle + idle.T)) / max(len(signals), 1))


def effective_number(correlation: Floats) -> float | None:
    """Effective number of independent members, from the eigenvalues of a correlation matrix.

    (sum of eigenvalues)² / sum of their squares: Bretherton and others (1999), equation 5. It is n
    for n uncorrelated members, 1 for copies of one, and n / (1 + (n - 1) r²) where all pairs
    correlate by r. As the eigenvalues' squares sum to those of the entries, none is computed.

    correlation  (n, n); a member without one, as its column is constant, is NaN and left out

    >>> effective_number(np.array([[1.0, 0.5], [0.5, 1.0]]))
    1.6
    """
    there = np.isfinite(np.diag(correlation))
    kept = correlation[np.ix_(there, there)]
    if not len(kept):
        return None
    return float(np.trace(kept) ** 2 / (kept**2).sum())


def correlations(columns: Floats) -> Floats:
    """(n, n) Pearson correlations of columns, NaN for one that is constant."""
    centred = columns - columns.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=0))
    constant = np.ptp(columns, axis=0) <= _CONSTANT * np.abs(columns).max(axis=0, initial=0.0)
    scaled = centred / np.where(constant, np.nan, size)
    found: Floats = np.clip(scaled.T @ scaled, -1.0, 1.0)
    np.fill_diagonal(found, np.where(constant, np.nan, 1.0))
    return found


def expected_score(values: Floats, target: Target) -> Floats:
    """(n_rows, n_members) return or median forecast, 2 p_up - 1, or p_buy - p_sell."""
    if target.n_classes == 3:
        return np.asarray(values[:, :, 2] - values[:, :, 0])
    return np.asarray(signal_of(values, target))


def realised_score(realised: Outcomes, target: Target) -> Floats:
    """(n_known,) what the score would be of whoever knew the label."""
    if target.n_classes:
        return np.asarray(realised.y * (2.0 if target.n_classes == 2 else 1.0) - 1.0)
    return np.asarray(realised.y)


def plain(matrix: Floats) -> list[list[float | None]]:
    """As lists, None where there is no figure."""
    return [[float(each) if np.isfinite(each) else None for each in row] for row in matrix]
