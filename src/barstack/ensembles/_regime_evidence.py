"""How much rows tell about members in each regime, and weights drawn together by that."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from barstack.core.arrays import Floats, Ints
from barstack.core.times import microseconds

from ._stacked import Stacked


class RegimeEvidence(NamedTuple):
    """What was learned; regimes as in `core.forecast.REGIMES`.

    plain       (n_horizons, n_members) weights of all rows
    by_regime   (6, n_horizons, n_members) weights in each regime, drawn to these
    loss        (6, n_horizons, n_members) mean loss in each regime
    accuracy    (6, n_horizons, n_members) directional accuracy in each
    shrinkage   (6, n_horizons) B, from 0, all rows' weights, to 1, the regime's own
    share       (6,) of all rows
    rows        (6,) effective number of rows
    used        (n_horizons,) 1 where weights by regime forecast, 0 where those of all rows do
    gain        (n_horizons,) in loss on the latest rows, by weights learned before
    gain_error  (n_horizons,) its standard error
    """

    plain: Floats
    by_regime: Floats
    loss: Floats
    accuracy: Floats
    shrinkage: Floats
    share: Floats
    rows: Floats
    used: Ints
    gain: Floats
    gain_error: Floats


def rows_open(stacked: Stacked) -> float:
    """Mean number of decisions of a row's symbol from its own until its labels are known.

    Rows that overlap tell as little as one: the number of rows over this is that of separate ones.
    """
    decided_at = microseconds(stacked.decisions.decided_at)
    known_at, code = microseconds(stacked.all_known_at), stacked.decisions.symbol_code
    counts = 0
    for symbol in np.unique(code):
        rows = np.flatnonzero(code == symbol)
        times = np.sort(decided_at[rows])
        counts += (
            np.searchsorted(times, known_at[rows]) - np.searchsorted(times, decided_at[rows])
        ).sum()
    return float(max(counts / len(stacked), 1.0))


def shrinkage(
    losses: Floats, regimes: Floats, row_weight: Floats, open_rows: float
) -> tuple[Floats, Floats]:
    """Effective rows (n_regimes,) and B (n_regimes, n_horizons).

    losses      (n_rows, n_members, n_horizons)
    regimes     (n_rows, n_regimes) probabilities
    row_weight  (n_rows,) 1 on average
    open_rows   as `rows_open` counts

    A member's loss, less the mean of all members', is mu + sum of p_r u_r + noise, with u_r of
    variance t^2. With S the sums of p_r - mean p_r times these losses and G those of products,
    E S'S = t^2 tr GG + s^2 tr G, from which t^2 follows; directions of which rows tell little
    count for little.
    """
    row = row_weight[:, None]
    rows = (row * regimes**2).sum(axis=0) / open_rows
    around = regimes - (row * regimes).mean(axis=0)
    # Only differences between members move weights, so what they share is taken out.
    centred = losses - losses.mean(axis=1, keepdims=True)
    centred -= np.einsum("n,nmh->mh", row_weight, centred) / len(losses)
    s2 = np.einsum("n,nmh,nmh->h", row_weight, centred, centred) / losses[..., 0].size * open_rows
    gram = np.einsum("n,nr,nq->rq", row_weight, around, around)
    sums = np.einsum("nr,nmh->rmh", row * around, centred)
    square = np.einsum("rmh,rmh->h", sums, sums) / losses.shape[1]
    size = float((gram**2).sum())
    t2 = np.maximum(square - s2 * np.trace(gram), 0.0) / (size if size > 0.0 else 1.0)
    true = t2 * rows[:, None]
    return rows, np.asarray(true / np.where(true > 0.0, true + s2, 1.0))
