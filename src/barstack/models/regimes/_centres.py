"""Rows drawn to lie well apart, from which a fit begins."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Floats


def spread_centres(rows: Floats, count: int, rng: np.random.Generator) -> Floats:
    """(count, n_columns) rows drawn by k-means++: Arthur, Vassilvitskii (2007).

    Each is drawn with a chance in proportion to its squared distance from the nearest so far.
    """
    centre: Floats = rows[rng.integers(len(rows))][None]
    away = ((rows - centre[0]) ** 2).sum(axis=1)
    while len(centre) < count:
        total = away.sum()
        chance = away / total if total > 0.0 else np.full(len(rows), 1.0 / len(rows))
        centre = np.vstack([centre, rows[rng.choice(len(rows), p=chance)]])
        away = np.minimum(away, ((rows - centre[-1]) ** 2).sum(axis=1))
    return centre
