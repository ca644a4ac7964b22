"""Ensembles beside one another on the decisions that all forecast, without bars or features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.decisions import shared_rows
from barstack.core.errors import ConfigError
from barstack.core.forecast import signal_of
from barstack.core.times import KnownAt
from barstack.ensembles import Stacked
from barstack.tracking import OutOfFold

from . import _metrics as metrics
from ._case import Outcomes
from ._combining_findings import BEST_SO_FAR, EQUAL_WEIGHTS, Gain
from ._gains import adjusted, gains_at
from ._losses import LOSSES, losses
from ._references import best_so_far, equal_weights
from ._scores import ic_se
from ._standard_errors import blocks_of, jackknife_se, overlap_of, reach


@dataclass(frozen=True, kw_only=True)
class CombinedScore:
    """How well an ensemble did at one horizon, and by how much better than something simpler.

    loss   what `value` is the mean of: squared error, log loss or pinball loss
    gains  against the best member so far and equal weights of the members that it combines
    reach  standard errors that a 95 % interval reaches each way
    """

    ensemble: str
    horizon: str
    n_decisions: int
    loss: str
    value: float
    value_se: float | None
    ic: float | None
    ic_se: float | None
    directional_accuracy: float | None
    directional_accuracy_se: float | None
    reach: float
    gains: list[Gain] = field(default_factory=list)


def score_combined(
    pools: Mapping[str, Stacked], ensembles: Mapping[str, OutOfFold], *, tried: int | None = None
) -> list[CombinedScore]:
    """Scores of ensembles at each horizon, on the decisions that all of them forecast.

    Parameters
    ----------
    pools
        By ensemble, the forecasts that it combines, with their labels.
    ensembles
        Their own forecasts.
    tried
        How many ensembles times horizons were tried in all, where more than are given.

    Raises
    ------
    ConfigError
        Where they share fewer than two decisions whose label is known.
    """
    names = list(ensembles)
    every = [each.forecast.decisions for each in ensembles.values()]
    picks = dict(zip(names, shared_rows(every), strict=True))
    decisions = every[0].take(picks[names[0]])
    rows = {name: pool.decisions.find(decisions) for name, pool in pools.items()}
    first, target = pools[names[0]].take(rows[names[0]]), pools[names[0]].target
    assert first.y is not None  # aligned with labels
    assert first.known_at is not None
    assert first.returns is not None
    references = {
        name: {
            BEST_SO_FAR: best_so_far(pool)[0][rows[name]],
            EQUAL_WEIGHTS: equal_weights(pool)[rows[name]],
        }
        for name, pool in pools.items()
    }
    found = []
    for place, horizon in enumerate(target.horizons):
        known = ~np.isnan(first.y[:, place])
        if known.sum() < 2:
            raise ConfigError(
                f"{', '.join(names)} share {known.sum()} decisions with a known label at "
                f"{horizon}. Combine members of the same symbols and time."
            )
        times = decisions.decided_at[known]
        overlap = overlap_of(times, KnownAt(first.known_at[known, place]))
        outcomes = Outcomes(
            name=horizon,
            y=first.y[known, place],
            returns=first.returns[known, place],
            decided_at=times,
            overlap=overlap,
            blocks=blocks_of(times, overlap),
        )
        for name, each in ensembles.items():
            values = each.forecast.values[picks[name]][known, place]
            others = {key: own[known, place] for key, own in references[name].items()}
            score = _score(name, values, outcomes, pools[name])
            gains = gains_at(outcomes, target, {name: values}, others)
            found.append(replace(score, gains=list(gains)))
    listed = iter(adjusted([gain for score in found for gain in score.gains], tried))
    return [replace(score, gains=[next(listed) for _ in score.gains]) for score in found]


def _score(name: str, values: Floats, outcomes: Outcomes, pool: Stacked) -> CombinedScore:
    lost = losses(values, outcomes.y, pool.target)
    signal = signal_of(values[:, None], pool.target)[:, 0]
    hits, ic = metrics.hits(signal, outcomes.returns), metrics.ic(signal, outcomes.returns)
    right, blocks = metrics.mean(hits), outcomes.blocks

    def error(rows: Floats) -> float | None:
        return jackknife_se(metrics.mean_of_sums, metrics.mean_terms(rows), blocks)

    return CombinedScore(
        ensemble=name,
        horizon=outcomes.name,
        n_decisions=len(lost),
        loss=LOSSES[pool.target.task],
        value=float(lost.mean()),
        value_se=error(lost),
        ic=ic if np.isfinite(ic) else None,
        ic_se=ic_se(signal, outcomes.returns, blocks) if np.isfinite(ic) else None,
        directional_accuracy=right if np.isfinite(right) else None,
        directional_accuracy_se=error(hits) if np.isfinite(right) else None,
        reach=reach(blocks.count),
    )
