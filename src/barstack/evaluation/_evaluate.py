"""From out-of-fold forecasts to findings. Fits nothing; reads nothing but what it is handed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from barstack.bars import Panel
from barstack.core.arrays import Bools, Floats
from barstack.core.forecast import Target
from barstack.core.times import KnownAt, Times, format_duration, iso
from barstack.ensembles import FittedEnsemble, Stacked
from barstack.features import FeatureTable
from barstack.labels import LabelTable
from barstack.tracking import OutOfFold

from . import _classes as classes
from . import _metrics as metrics
from ._case import Case, Forecaster, all_forecasters, make_case
from ._curves import calibration_bins, equity_of
from ._findings import (
    CalibrationBin,
    Correlation,
    Evaluation,
    Evidence,
    FoldAccuracy,
    Score,
    Weights,
)
from ._interval import reach
from ._jackknife import blocks_of, jackknife_se
from ._plausible import contradictions, doubts
from ._profit import NetEdge, Profit, follow, net_edge
from ._quantiles import coverages, fans, level_shares
from ._scores import classifies, confusion_of, score_of

_YEAR_DAYS = 365.25


def evaluate(
    panel: Panel,
    labels: LabelTable,
    members: Stacked,
    ensembles: Mapping[str, OutOfFold],
    fitted: Mapping[str, Mapping[int, FittedEnsemble]],
    *,
    cost_bps: float,
    features: FeatureTable | None = None,
) -> Evaluation:
    """Findings on members, ensembles and naive forecasts over the rows that all share.

    A function of its arguments alone: `judge` makes the verdict of it.

    Parameters
    ----------
    panel, labels, members
        Bars that positions are held over, labels of the decisions, and the members' forecasts.
    ensembles
        Walk-forward forecasts by name; the first is the one that is judged.
    fitted
        For each ensemble, what it learned before each fold, the final fit as fold -1.
    cost_bps
        Cost of buying or selling one unit of position, in hundredths of a percent.
    features
        Among which a cause is looked for where forecasts are too good; without them there are no
        doubts.

    Raises
    ------
    DataError
        Where fewer than two labels of a horizon are known.
    """
    first = next(iter(ensembles.values()))
    rows = labels.decisions.find(first.forecast.decisions)
    case = make_case(panel, labels, first, rows, cost_bps)
    forecasters = all_forecasters(labels, members, ensembles, first.forecast.decisions, rows)
    horizons = range(len(case.target.horizons))
    profits = {
        (each.name, horizon): _profit(case, each, horizon)
        for each in forecasters
        for horizon in horizons
    }
    nets = {key: net_edge(profit) for key, profit in profits.items()}
    scores = {
        (each.name, horizon): score_of(case, each, horizon, nets[each.name, horizon])
        for horizon in horizons
        for each in forecasters
    }
    judged = next(iter(ensembles))
    learners = [each for each in forecasters if each.role != "naive"]
    too_good = doubts(case, learners, scores.values(), features) if features is not None else []
    decided_at = case.decisions.decided_at
    return Evaluation(
        task=case.target.task,
        horizons=list(case.target.horizons),
        symbols=list(case.decisions.symbols),
        bar=format_duration(next(iter(panel.values())).length_us),
        n_decisions=len(rows),
        first_at=iso(decided_at.min()),
        last_at=iso(decided_at.max()),
        ensemble=judged,
        cost_bps=cost_bps,
        bars_a_year=_bars_a_year(profits[judged, 0].time),
        evidence=[
            _evidence(scores[judged, h], nets[judged, h], profits[judged, h]) for h in horizons
        ],
        doubts=too_good,
        scores=list(scores.values()),
        folds=[part for h in horizons for each in learners for part in _by_fold(case, each, h)],
        equity=[
            equity_of(each.name, case.target.horizons[h], profits[each.name, h])
            for h in horizons
            for each in learners
        ],
        calibration=[
            each_bin
            for h in horizons
            for each in learners
            for each_bin in _calibration(case, each, h)
        ],
        correlations=[_correlation(case, forecasters, h) for h in horizons],
        weights=_weights(fitted, case.target),
        contradictions=contradictions(case, learners, scores.values()),
        confusions=[
            confusion_of(case, each, h)
            for h in horizons
            for each in forecasters
            if classifies(case, each, h)
        ],
        **(_quantile_findings(case, forecasters) if case.target.levels else {}),
    )


def _quantile_findings(case: Case, forecasters: list[Forecaster]) -> dict[str, Any]:
    """Of all forecasters, and the fans of the first, which is judged."""
    each = [(one, h) for h in range(len(case.target.horizons)) for one in forecasters]
    return {
        "levels": list(case.target.levels),
        "shares": [share for one, h in each for share in level_shares(case, one, h)],
        "coverages": [share for one, h in each for share in coverages(case, one, h)],
        "fans": [fan for one, h in each if one is forecasters[0] for fan in fans(case, one, h)],
    }


def _evidence(score: Score, net: NetEdge, profit: Profit) -> Evidence:
    return Evidence(
        horizon=score.horizon,
        trades=bool(np.any(profit.turnover)),
        net_edge_bps=net.bps,
        net_edge_bps_se=net.bps_se,
        t_value=net.t_value,
        p_value=net.p_value,
        ic=score.ic,
        ic_se=score.ic_se,
        n_bars=len(profit.timing),
        reach=reach(net.n_blocks),
    )


def _bars_a_year(time: Times) -> float:
    days = float((time[-1] - time[0]) / np.timedelta64(1, "D"))
    return len(time) / max(days, 1.0) * _YEAR_DAYS


def _profit(case: Case, each: Forecaster, horizon: int) -> Profit:
    return follow(
        case.panel,
        case.decisions,
        each.side[:, horizon],
        KnownAt(case.known_at[:, horizon]),
        case.cost_bps,
    )


def _by_fold(case: Case, each: Forecaster, horizon: int) -> list[FoldAccuracy]:
    found = []
    for fold in np.unique(case.fold):
        rows = (case.fold == fold) & case.known(horizon)
        signal, returns = each.signal[rows, horizon], case.returns[rows, horizon]
        decided_at = case.decisions.decided_at[rows]
        if not len(decided_at):
            continue
        blocks = blocks_of(decided_at, case.overlap(horizon))

        def accuracy(picked: Bools, signal: Floats = signal, returns: Floats = returns) -> float:
            return metrics.directional_accuracy(signal[picked], returns[picked])

        value = accuracy(np.ones(len(signal), bool))
        found.append(
            FoldAccuracy(
                name=each.name,
                horizon=case.target.horizons[horizon],
                fold=int(fold),
                first_at=iso(decided_at.min()),
                last_at=iso(decided_at.max()),
                n_decisions=len(decided_at),
                directional_accuracy=value if np.isfinite(value) else None,
                directional_accuracy_se=jackknife_se(accuracy, blocks),
                reach=reach(blocks.count),
            )
        )
    return found


def _calibration(case: Case, each: Forecaster, horizon: int) -> list[CalibrationBin]:
    known = case.known(horizon)
    assert each.values is not None
    blocks = case.blocks[horizon]
    name, values = case.target.horizons[horizon], each.values[known, horizon]
    if not case.target.n_classes:
        forecast = values[:, case.target.median if case.target.levels else 0]
        came = case.returns[known, horizon]
        return list(calibration_bins(each.name, name, forecast, came, blocks))
    found: list[CalibrationBin] = []
    # Of two classes the second alone: what is said of the first is the rest.
    first = 1 if case.target.n_classes == 2 else 0
    for place, label in enumerate(classes.NAMES[case.target.n_classes][first:], start=first):
        came = (case.y[known, horizon] == place).astype(float)
        said = values[:, place - first]
        found += calibration_bins(each.name, name, said, came, blocks, label)
    return found


def _correlation(case: Case, forecasters: list[Forecaster], horizon: int) -> Correlation:
    members = [each for each in forecasters if each.role == "member"]
    matrix: list[list[float | None]] = []
    for one in members:
        row = [metrics.ic(one.signal[:, horizon], two.signal[:, horizon]) for two in members]
        matrix.append([value if np.isfinite(value) else None for value in row])
    return Correlation(case.target.horizons[horizon], [each.name for each in members], matrix)


def _weights(fitted: Mapping[str, Mapping[int, FittedEnsemble]], target: Target) -> list[Weights]:
    return [
        Weights(name, horizon, fold, weights)
        for name, by_fold in fitted.items()
        for fold, each in by_fold.items()
        for horizon, weights in each.weights(target).items()
    ]
