"""From out-of-fold forecasts to findings. Fits nothing; reads nothing but what it is handed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from barstack.bars import Panel
from barstack.core.times import KnownAt, Times, format_duration, iso
from barstack.ensembles import FittedEnsemble, Stacked
from barstack.features import FeatureTable
from barstack.labels import LabelTable
from barstack.tracking import OutOfFold

from ._case import Case, Forecaster, all_forecasters, make_case
from ._combining import combining
from ._diversity import correlations, plain
from ._earnings import earnings_of
from ._family import family_of
from ._findings import Correlation, Evaluation, Evidence, FoldName, Score
from ._naive import baseline
from ._plausible import contradictions, doubts
from ._profit import YEAR_DAYS, NetEdge, Profit, equity_of, net_edge, profit_of
from ._scores import (
    calibration_of,
    classifies,
    confusion_of,
    coverages,
    fans,
    fold_accuracies,
    level_shares,
    score_of,
)
from ._standard_errors import reach


def evaluate(
    panel: Panel,
    labels: LabelTable,
    members: Stacked,
    ensembles: Mapping[str, OutOfFold],
    fitted: Mapping[str, Mapping[FoldName, FittedEnsemble]],
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
        For each ensemble, what it learned before each fold, the final fit as "final".
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
    judged, first = next(iter(ensembles.items()))
    decisions = first.forecast.decisions
    rows = labels.decisions.find(decisions)
    past = baseline(labels, rows)
    case = make_case(panel, labels, first, rows, past, cost_bps)
    members = labelled(members, labels)
    forecasters = all_forecasters(labels, members, ensembles, decisions, rows, past)
    learners = [each for each in forecasters if each.role in ("ensemble", "member")]
    horizons = range(len(case.horizons))
    profits = {
        (each.name, h): profit_of(
            case.horizons[h].closed_at, case.horizons[h].held, each.side[:, h], cost_bps
        )
        for each in forecasters
        for h in horizons
    }
    nets = {key: net_edge(profit) for key, profit in profits.items()}
    scores = {
        (each.name, h): score_of(case, each, h, nets[each.name, h])
        for h in horizons
        for each in forecasters
    }
    combined = combining(case, members, ensembles, fitted, forecasters)
    paired = [set(each.names) for each in combined["diversity"]]
    learned = [(each, h) for h in horizons for each in learners]
    family = family_of(
        [profits[each.name, h].time for each, h in learned],
        [profits[each.name, h].timing for each, h in learned],
    )
    return Evaluation(
        task=case.target.task,
        horizons=list(case.target.horizons),
        symbols=list(decisions.symbols),
        bar=format_duration(next(iter(panel.values())).length_us),
        n_decisions=len(rows),
        first_at=iso(decisions.decided_at.min()),
        last_at=iso(decisions.decided_at.max()),
        ensemble=judged,
        cost_bps=cost_bps,
        bars_a_year=_bars_a_year(profits[judged, 0].time),
        evidence=[
            _evidence(scores[judged, h], nets[judged, h], profits[judged, h]) for h in horizons
        ],
        doubts=[] if features is None else doubts(case, learners, scores.values(), features),
        contradictions=contradictions(case, learners, scores.values()),
        scores=list(scores.values()),
        folds=[found for each, h in learned for found in fold_accuracies(case, each, h)],
        equity=[
            equity_of(each.name, case.target.horizons[h], profits[each.name, h])
            for each, h in learned
        ],
        calibration=[found for each, h in learned for found in calibration_of(case, each, h)],
        correlations=[_correlation(case, forecasters, h, paired[h]) for h in horizons],
        confusions=[
            confusion_of(case, each, h)
            for h in horizons
            for each in forecasters
            if classifies(case, each, h)
        ],
        family=family,
        earnings=[
            earnings_of(
                case,
                learners[0],
                h,
                profits[judged, h],
                [profits[each.name, h] for each in learners],
                family,
            )
            for h in horizons
        ],
        **combined,
        **(_quantile_findings(case, forecasters) if case.target.levels else {}),
    )


def labelled(members: Stacked, labels: LabelTable) -> Stacked:
    """With the labels of their decisions."""
    at = labels.decisions.find(members.decisions)
    return replace(
        members,
        y=labels.values[at],
        known_at=KnownAt(labels.known_at[at]),
        returns=labels.returns[at],
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
    return len(time) / max(days, 1.0) * YEAR_DAYS


def _correlation(
    case: Case, forecasters: list[Forecaster], horizon: int, shown: set[str]
) -> Correlation:
    members = [each for each in forecasters if each.role == "member" and each.name in shown]
    signals = np.stack([each.signal[:, horizon] for each in members], axis=1)
    names = [each.name for each in members]
    return Correlation(case.target.horizons[horizon], names, plain(correlations(signals)))
