"""Whether quantiles hold what they say: shares below each, coverage between them, a fan to see."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from barstack.core.arrays import Bools, Floats
from barstack.core.times import iso

from ._case import Case, Forecaster
from ._findings import Coverage, Fan, LevelShare
from ._interval import reach
from ._jackknife import Blocks, jackknife_se

_NEWEST = 120  # decisions of a fan
_MOST_SYMBOLS = 8  # that have one, so that a report of hundreds stays small


def level_shares(case: Case, each: Forecaster, horizon: int) -> Iterator[LevelShare]:
    """For each level, how often what came lay below the quantile; half of what met it counts."""
    if each.values is None:
        return
    known, blocks = _known(case, horizon)
    y = case.y[known, horizon]
    for place, level in enumerate(case.target.levels):
        quantile = each.values[known, horizon, place]
        below, error, far = _share((y < quantile) + 0.5 * (y == quantile), blocks)
        yield LevelShare(
            name=each.name,
            role=each.role,
            horizon=case.target.horizons[horizon],
            level=level,
            n_decisions=len(y),
            below=below,
            below_se=error,
            reach=far,
        )


def coverages(case: Case, each: Forecaster, horizon: int) -> Iterator[Coverage]:
    """For each central interval, widest first, how often what came lay within, ends included."""
    if each.values is None:
        return
    known, blocks = _known(case, horizon)
    y, levels = case.y[known, horizon], case.target.levels
    for low, lower in enumerate(levels[: case.target.median]):
        matching = [high for high, upper in enumerate(levels) if abs(lower + upper - 1.0) < 1e-9]
        for high in matching:
            ends = each.values[known, horizon][:, [low, high]]
            inside = (ends[:, 0] <= y) & (y <= ends[:, 1])
            covered, error, far = _share(inside.astype(float), blocks)
            yield Coverage(
                name=each.name,
                role=each.role,
                horizon=case.target.horizons[horizon],
                lower=lower,
                upper=levels[high],
                n_decisions=len(y),
                covered=covered,
                covered_se=error,
                width=float((ends[:, 1] - ends[:, 0]).mean()),
                reach=far,
            )


def fans(case: Case, each: Forecaster, horizon: int) -> Iterator[Fan]:
    """The newest forecasts of the first symbols, those still open among them."""
    assert each.values is not None  # of an ensemble
    decisions = case.decisions
    for code, symbol in enumerate(decisions.symbols[:_MOST_SYMBOLS]):
        own = np.flatnonzero(decisions.symbol_code == code)
        own = own[np.argsort(decisions.decided_at[own], kind="stable")][-_NEWEST:]
        if not len(own):
            continue
        known = case.known(horizon)[own]
        yield Fan(
            name=each.name,
            symbol=symbol,
            horizon=case.target.horizons[horizon],
            time=[iso(moment)[:16] for moment in decisions.decided_at[own]],
            quantiles=[
                [round(float(value), 7) for value in each.values[own, horizon, place]]
                for place in range(len(case.target.levels))
            ],
            came=[
                round(float(value), 7) if is_known else None
                for value, is_known in zip(case.returns[own, horizon], known, strict=True)
            ],
        )


def _known(case: Case, horizon: int) -> tuple[Bools, Blocks]:
    known = case.known(horizon)
    return known, case.blocks[horizon]


def _share(happened: Floats, blocks: Blocks) -> tuple[float, float, float]:
    """A mean, its standard error, and how many of them a 95 % interval reaches each way."""
    mean = float(happened.mean())
    error = jackknife_se(lambda rows: float(happened[rows].mean()), blocks)
    if error is not None:
        return mean, error, reach(blocks.count)
    # Too few blocks for the jackknife: the error as if rows were independent.
    return mean, float(happened.std() / np.sqrt(len(happened))), reach(0)
