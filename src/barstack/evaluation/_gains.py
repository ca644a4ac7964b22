"""Whether ensembles are better than something simpler: differences of loss, and their tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.forecast import Target, signal_of

from . import _metrics as metrics
from ._case import FoldRows, Outcomes
from ._combining_findings import FoldGain, Gain
from ._diebold_mariano import diebold_mariano, holm
from ._losses import LOSSES, losses
from ._standard_errors import TimeBlocks, jackknife_se, reach

_ROUNDING = 1e-12  # of losses that are the same


def gains_at(
    realised: Outcomes,
    target: Target,
    ensembles: Mapping[str, Floats],
    references: Mapping[str, Floats],
) -> Iterator[Gain]:
    """Gain of each ensemble against each reference, at one horizon; p-values not yet adjusted.

    Parameters
    ----------
    ensembles, references
        By name, (n_known, n_outputs) forecasts of the horizon.
    """
    lost = {name: losses(each, realised.y, target) for name, each in references.items()}
    for name, values in ensembles.items():
        own = losses(values, realised.y, target)
        for against, other in references.items():
            yield _gain(realised, target, (name, values, own), (against, other, lost[against]))


def _gain(
    realised: Outcomes,
    target: Target,
    ensemble: tuple[str, Floats, Floats],
    reference: tuple[str, Floats, Floats],
) -> Gain:
    """Each of the two as name, forecasts and losses."""
    (name, values, own), (against, other, lost) = ensemble, reference
    same = np.allclose(own, lost, rtol=_ROUNDING, atol=0.0)
    gain, gain_se = (0.0, None) if same else gain_with_se(own, lost, realised.blocks)
    test = None if same else diebold_mariano(lost - own, realised.decided_at, realised.overlap)
    ours, theirs = (signal_of(each[:, None], target)[:, 0] for each in (values, other))
    ic_gain, ic_gain_se = ic_difference(ours, theirs, realised.returns, realised.blocks)
    return Gain(
        ensemble=name,
        horizon=realised.name,
        against=against,
        loss=LOSSES[target.task],
        n_decisions=len(own),
        gain=gain,
        gain_se=gain_se,
        statistic=None if test is None else test.statistic,
        p_value=None if test is None else test.p_value,
        ic_gain=ic_gain,
        ic_gain_se=ic_gain_se,
        reach=reach(realised.blocks.count),
    )


def gain_with_se(own: Floats, lost: Floats, blocks: TimeBlocks) -> tuple[float, float | None]:
    """1 - own losses / those of another, and its standard error; 0 where the other has none."""
    gain = metrics.skill(own, lost)
    if not np.isfinite(gain):
        return 0.0, None
    terms = np.stack([own, lost], axis=1)
    return gain, jackknife_se(metrics.skill_of_sums, terms, blocks)


def ic_difference(
    one: Floats, other: Floats, returns: Floats, blocks: TimeBlocks
) -> tuple[float | None, float | None]:
    """IC of one signal less that of another, with the standard error of just that difference."""
    value = metrics.ic(one, returns) - metrics.ic(other, returns)
    if not np.isfinite(value):
        return None, None
    terms = [metrics.ic_terms(each, returns) for each in (one, other)]

    def difference(sums: Floats) -> Floats:
        half = sums.shape[1] // 2
        return metrics.ic_of_sums(sums[:, :half]) - metrics.ic_of_sums(sums[:, half:])

    return value, jackknife_se(difference, np.hstack(terms), blocks)


def adjusted(found: Iterable[Gain], tried: int | None = None) -> list[Gain]:
    """With p-values for all ensembles and horizons that are compared with the same reference.

    tried  how many those are, where more were tried than are given
    """
    listed = list(found)
    for against in dict.fromkeys(each.against for each in listed):
        places = [place for place, each in enumerate(listed) if each.against == against]
        p_values = holm([listed[place].p_value for place in places], tried)
        count = max(tried or 0, len(places))
        for place, p in zip(places, p_values, strict=True):
            listed[place] = replace(listed[place], p_adjusted=p, tried=count)
    return listed


def fold_gains(
    realised: Outcomes,
    folds: Iterable[FoldRows],
    target: Target,
    ensembles: Mapping[str, Floats],
    equal: Floats,
) -> Iterator[FoldGain]:
    """Gain of each ensemble against equal weights within each fold.

    equal  (n_known, n_outputs) their forecasts
    """
    lost = losses(equal, realised.y, target)
    for name, values in ensembles.items():
        own = losses(values, realised.y, target)
        for fold in folds:
            gain, gain_se = gain_with_se(own[fold.rows], lost[fold.rows], fold.blocks)
            yield FoldGain(
                name,
                realised.name,
                fold.number,
                len(fold.rows),
                gain,
                gain_se,
                reach(fold.blocks.count),
            )
