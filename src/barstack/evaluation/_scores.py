"""Scores of one forecaster at one horizon, each with its standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from barstack.core.arrays import Floats, Ints
from barstack.core.forecast import signal_of
from barstack.core.times import iso

from . import _metrics as metrics
from ._case import Case, Forecaster, HorizonCase
from ._findings import CalibrationBin, Confusion, Coverage, Fan, FoldAccuracy, LevelShare, Score
from ._profit import NetEdge
from ._standard_errors import TimeBlocks, jackknife_se, jackknife_se_by_rows, reach

_CLASS_SCORES = {
    "accuracy": metrics.accuracy,
    "balanced_accuracy": metrics.balanced_accuracy,
    "macro_f1": metrics.macro_f1,
}
_UNTRIED = ("benchmark", "naive")  # which nobody chose for what they earned
_BINS = 8  # of a calibration
_NEWEST = 120  # decisions of a fan
_MOST_SYMBOLS = 8  # that have one, so that a report of hundreds stays small


def score_of(case: Case, each: Forecaster, place: int, net: NetEdge) -> Score:
    """All scores that have a meaning for the target.

    place  of the horizon
    """
    horizon, target = case.horizons[place], case.target
    signal, returns = each.signal[horizon.known, place], horizon.returns
    values = None if each.values is None else each.values[horizon.known, place]
    found: dict[str, float | None] = {}

    def add(name: str, value: float, statistic: Callable[[Floats], Floats], terms: Floats) -> None:
        known = np.isfinite(value)
        found[name] = float(value) if known else None
        found[f"{name}_se"] = jackknife_se(statistic, terms, horizon.blocks) if known else None

    def add_mean(name: str, rows: Floats) -> None:
        add(name, metrics.mean(rows), metrics.mean_of_sums, metrics.mean_terms(rows))

    def add_skill(name: str, losses: Floats, baseline: Floats) -> None:
        terms = np.stack([losses, baseline], axis=1)
        add(name, metrics.skill(losses, baseline), metrics.skill_of_sums, terms)

    add_mean("directional_accuracy", metrics.hits(signal, returns))
    ic = metrics.ic(signal, returns)
    found["ic"] = ic if np.isfinite(ic) else None
    found["ic_se"] = ic_se(signal, returns, horizon.blocks) if np.isfinite(ic) else None
    found |= dict.fromkeys(("r2", "r2_se", "rmse", "mae", "log_loss", "log_loss_se"))
    if values is not None and not target.n_classes:
        past = signal_of(horizon.baseline[:, None], target)[:, 0]
        squares = (returns - signal) ** 2
        add_skill("r2", squares, (returns - past) ** 2)
        add_skill("r2_zero", squares, returns**2)
        found["rmse"] = float(np.sqrt(((signal - returns) ** 2).mean()))
        found["mae"] = float(np.abs(signal - returns).mean())
    elif values is not None:
        add_mean("log_loss", metrics.log_losses(values, horizon.y))
    if classifies(case, each, place):
        realised, predicted = class_rows(case, each, place)
        n_classes = target.n_classes
        matrix = metrics.confusion_matrix(realised, predicted, n_classes)
        terms = metrics.confusion_terms(realised, predicted, n_classes)
        for name, score in _CLASS_SCORES.items():
            add(
                name,
                score(matrix),
                lambda sums, score=score: np.array(  # type: ignore[misc]
                    [score(each.reshape(n_classes, n_classes)) for each in sums]
                ),
                terms,
            )
    if values is not None and target.levels:
        pinball = metrics.pinball_losses(values, horizon.y, target.levels)
        add_mean("pinball", pinball)
        usual = metrics.pinball_losses(horizon.baseline, horizon.y, target.levels)
        add_skill("pinball_skill", pinball, usual)
    rank_ic = metrics.rank_ic(signal, returns, horizon.return_ranks)
    return Score(
        name=each.name,
        role=each.role,
        horizon=horizon.name,
        n_decisions=len(returns),
        rank_ic=rank_ic if np.isfinite(rank_ic) else None,
        net_edge_bps=net.bps,
        net_edge_bps_se=net.bps_se,
        p_value=None if each.role in _UNTRIED or net.t_value is None else net.p_value,
        reach=reach(horizon.blocks.count),
        net_edge_reach=reach(net.n_blocks),
        **found,
    )


def ic_se(signal: Floats, returns: Floats, blocks: TimeBlocks) -> float | None:
    """Standard error of the information coefficient."""
    se = jackknife_se(metrics.ic_of_sums, metrics.ic_terms(signal, returns), blocks)
    if se is not None:
        return se
    # Sums do not tell a column that barely varies outside one block from a constant.
    return jackknife_se_by_rows(lambda rows: metrics.ic(signal[rows], returns[rows]), blocks)


def fold_accuracies(case: Case, each: Forecaster, place: int) -> Iterator[FoldAccuracy]:
    """Directional accuracy within each fold."""
    horizon = case.horizons[place]
    hits = metrics.hits(each.signal[horizon.known, place], horizon.returns)
    for fold in horizon.folds:
        own = hits[fold.rows]
        value = metrics.mean(own)
        yield FoldAccuracy(
            name=each.name,
            horizon=horizon.name,
            fold=fold.number,
            first_at=fold.first_at,
            last_at=fold.last_at,
            n_decisions=len(own),
            directional_accuracy=value if np.isfinite(value) else None,
            directional_accuracy_se=jackknife_se(
                metrics.mean_of_sums, metrics.mean_terms(own), fold.blocks
            ),
            reach=reach(fold.blocks.count),
        )


def classifies(case: Case, each: Forecaster, place: int) -> bool:
    """Whether it predicts classes: a forecast of no direction is neither of two classes."""
    return case.target.n_classes == 3 or (
        case.target.n_classes == 2 and bool(each.signal[case.horizons[place].known, place].any())
    )


def class_rows(case: Case, each: Forecaster, place: int) -> tuple[Ints, Ints]:
    """(n_known,) the realised and the predicted class."""
    horizon = case.horizons[place]
    predicted = metrics.class_of(each.signal[horizon.known, place], case.target)
    return horizon.y.astype(np.int64), predicted


def confusion_of(case: Case, each: Forecaster, place: int) -> Confusion:
    realised, predicted = class_rows(case, each, place)
    matrix = metrics.confusion_matrix(realised, predicted, case.target.n_classes)
    return Confusion(
        name=each.name,
        role=each.role,
        horizon=case.horizons[place].name,
        classes=list(metrics.CLASS_NAMES[case.target.n_classes]),
        matrix=matrix.tolist(),
        realised=(matrix.sum(axis=1) / len(realised)).tolist(),
        forecast=(matrix.sum(axis=0) / len(realised)).tolist(),
    )


def calibration_of(case: Case, each: Forecaster, place: int) -> Iterator[CalibrationBin]:
    """Forecasts of returns, or the probability of each class, against what is realised."""
    assert each.values is not None  # of members and ensembles
    horizon, target = case.horizons[place], case.target
    values = each.values[horizon.known, place]
    if not target.n_classes:
        forecast = values[:, target.median if target.levels else 0]
        yield from _bins(each.name, horizon, forecast, horizon.returns)
        return
    # Of two classes the second alone: the first has the rest of the probability.
    first = 1 if target.n_classes == 2 else 0
    for number, label in enumerate(metrics.CLASS_NAMES[target.n_classes][first:], start=first):
        realised = (horizon.y == number).astype(float)
        yield from _bins(each.name, horizon, values[:, number - first], realised, label)


def _bins(
    name: str, horizon: HorizonCase, forecast: Floats, realised: Floats, of: str = ""
) -> Iterator[CalibrationBin]:
    """Forecasts in groups of equally many, smallest first; none where they never differ."""
    edges = np.unique(np.quantile(forecast, np.linspace(0.0, 1.0, _BINS + 1)))
    if len(edges) < 3:
        return
    bin_of = np.clip(np.searchsorted(edges, forecast, side="right") - 1, 0, len(edges) - 2)
    for number in range(len(edges) - 1):
        inside = np.flatnonzero(bin_of == number)
        if len(inside) < 2:
            continue
        value, se, far = _mean_with_se(realised[inside], horizon.blocks.take(inside))
        yield CalibrationBin(
            name=name,
            horizon=horizon.name,
            n_decisions=len(inside),
            forecast=float(forecast[inside].mean()),
            realised=value,
            realised_se=se,
            of=of,
            reach=far,
        )


def level_shares(case: Case, each: Forecaster, place: int) -> Iterator[LevelShare]:
    """For each level, the share of outcomes below the quantile; equal ones count half."""
    if each.values is None:
        return
    horizon = case.horizons[place]
    for number, level in enumerate(case.target.levels):
        quantile = each.values[horizon.known, place, number]
        below = (horizon.y < quantile) + 0.5 * (horizon.y == quantile)
        value, se, far = _mean_with_se(below, horizon.blocks)
        yield LevelShare(
            name=each.name,
            role=each.role,
            horizon=horizon.name,
            level=level,
            n_decisions=len(below),
            below=value,
            below_se=se,
            reach=far,
        )


def coverages(case: Case, each: Forecaster, place: int) -> Iterator[Coverage]:
    """For each central interval, widest first, the share of outcomes within, ends included."""
    if each.values is None:
        return
    horizon, levels = case.horizons[place], case.target.levels
    for low, lower in enumerate(levels[: case.target.median]):
        for high, upper in enumerate(levels):
            if abs(lower + upper - 1.0) >= 1e-9:
                continue
            ends = each.values[horizon.known, place][:, [low, high]]
            inside = (ends[:, 0] <= horizon.y) & (horizon.y <= ends[:, 1])
            value, se, far = _mean_with_se(inside.astype(float), horizon.blocks)
            yield Coverage(
                name=each.name,
                role=each.role,
                horizon=horizon.name,
                lower=lower,
                upper=upper,
                n_decisions=len(inside),
                covered=value,
                covered_se=se,
                width=float((ends[:, 1] - ends[:, 0]).mean()),
                reach=far,
            )


def fans(case: Case, each: Forecaster, place: int) -> Iterator[Fan]:
    """The newest forecasts of the first symbols, those with open labels among them."""
    assert each.values is not None  # of an ensemble
    decisions, horizon = case.decisions, case.horizons[place]
    for code, symbol in enumerate(decisions.symbols[:_MOST_SYMBOLS]):
        own = np.flatnonzero(decisions.symbol_code == code)
        own = own[np.argsort(decisions.decided_at[own], kind="stable")][-_NEWEST:]
        if not len(own):
            continue
        yield Fan(
            name=each.name,
            symbol=symbol,
            horizon=horizon.name,
            time=[iso(moment)[:16] for moment in decisions.decided_at[own]],
            quantiles=[
                [round(float(value), 7) for value in column] for column in each.values[own, place].T
            ],
            realised=[
                round(float(value), 7) if is_known else None
                for value, is_known in zip(
                    case.returns[own, place], horizon.known[own], strict=True
                )
            ],
        )


def _mean_with_se(values: Floats, blocks: TimeBlocks) -> tuple[float, float, float]:
    """A mean, its standard error, and how many of them a 95 % interval reaches each way."""
    mean = float(values.mean())
    se = jackknife_se(metrics.mean_of_sums, metrics.mean_terms(values), blocks)
    if se is not None:
        return mean, se, reach(int((np.bincount(blocks.of_row) > 0).sum()))
    # Too few blocks for the jackknife: the error as if rows were independent.
    return mean, float(values.std() / np.sqrt(len(values))), reach(0)
