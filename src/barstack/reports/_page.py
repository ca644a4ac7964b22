"""The page of a run: what its evaluation found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from barstack.core.horizon import Horizon
from barstack.core.text import listed

from . import _charts, _combining_charts, _member_charts, _quantile_charts
from ._html import page
from ._leaderboard import leaderboard
from ._theme import number, or_zero, present

if TYPE_CHECKING:
    from barstack.bars.checks import Finding
    from barstack.evaluation import Diversity, Evaluation, Gain, HorizonVerdict, Stability, Verdict

    from ._member_charts import Fits

EDGE_WORDS = {"none": "No edge", "unproven": "Not proven", "supported": "Supported"}
_SYMBOLS_SHOWN = 8
_FINDINGS_SHOWN = 20
_FACTS_SHOWN = 12
_ENDLESS = 100_000_000  # bars

_CHARTS = {
    "equity": _charts.equity,
    "accuracy": _charts.fold_accuracy,
    "calibration": _charts.calibration,
    "correlation": _member_charts.correlation,
    "weights": _member_charts.weights,
    "regime_weights": _combining_charts.regime_weights,
    "gains": _combining_charts.gains,
    "fold_gains": _combining_charts.fold_gains,
    "contributions": _combining_charts.contributions,
    "importances": _combining_charts.importances,
    "disagreement": _combining_charts.disagreement,
}
_CHARTS_OF_QUANTILES = {"shares": _quantile_charts.shares, "fan": _quantile_charts.fan}


def render(
    evaluation: Evaluation,
    verdict: Verdict,
    *,
    title: str,
    run_id: str,
    facts: list[tuple[str, str]],
    steps: list[tuple[str, str, float]],
    findings: Sequence[Finding] = (),
    fits: Mapping[str, Fits] | None = None,
) -> str:
    """The report as one HTML page, charts included.

    Parameters
    ----------
    facts
        (label, value) about the data and the study.
    steps
        (name, "made" or "reused", seconds).
    findings
        What the checks of the bars found.
    fits
        By member, facts on each of its fits.
    """
    horizons = evaluation.horizons
    draw = _CHARTS | (_CHARTS_OF_QUANTILES if evaluation.levels else {})
    reach = max(
        (abs(or_zero(row.net_edge_bps)) + _half_width(row) for row in verdict.evidence), default=0.0
    )
    return page(
        "study.html",
        title=title,
        run_id=run_id,
        facts=facts,
        shown=verdict.horizon if verdict.horizon in horizons else next(iter(horizons), ""),
        evaluation=evaluation,
        verdict=verdict,
        edge_words=EDGE_WORDS,
        judged=_judged(evaluation, verdict),
        basis=_basis(verdict),
        cost=_cost(evaluation.cost_bps),
        evidence=[
            (row, _interval(row, reach), _between(row.bars_to_prove)) for row in verdict.evidence
        ],
        charts={
            name: {horizon: chart(evaluation, horizon) for horizon in horizons}
            for name, chart in draw.items()
        },
        equity={horizon: _equity_facts(evaluation, horizon) for horizon in horizons},
        gains={horizon: _of(evaluation.gains, horizon) for horizon in horizons},
        steadiness={horizon: _steadiness(evaluation, horizon) for horizon in horizons},
        effective={horizon: _effective(evaluation, horizon) for horizon in horizons},
        coverage={horizon: _coverage(evaluation, horizon) for horizon in horizons},
        classes={horizon: _classes(evaluation, horizon) for horizon in horizons},
        boards={horizon: leaderboard(evaluation, horizon, verdict.trials) for horizon in horizons},
        learning=_member_charts.learning(fits or {}),
        findings=findings,
        most_findings=_FINDINGS_SHOWN,
        steps=steps,
    )


def _judged(evaluation: Evaluation, verdict: Verdict) -> str:
    """Which decisions the verdict rests on."""
    named = listed(evaluation.symbols, _SYMBOLS_SHOWN)
    return (
        f"{judged_decisions(evaluation, verdict):,} decisions "
        f"{Horizon.parse(verdict.horizon).in_words} ahead on {named}, "
        f"bars of {evaluation.bar}, {evaluation.first_at} to {evaluation.last_at}"
    )


def judged_decisions(evaluation: Evaluation, verdict: Verdict) -> int:
    """Decisions behind the verdict: those whose label of its horizon is known."""
    judged = (verdict.ensemble, verdict.horizon)
    counts = (s.n_decisions for s in evaluation.scores if (s.name, s.horizon) == judged)
    return next(counts, evaluation.n_decisions)


def _basis(verdict: Verdict) -> str:
    """The ensemble, horizon, costs and trials of the verdict."""
    trials = "1 trial" if verdict.trials == 1 else f"all {verdict.trials:,} trials"
    if verdict.looks > 1:
        trials += f", {verdict.looks:,} looks of this study at growing or changed data among them"
    return (
        f"{verdict.ensemble}, {Horizon.parse(verdict.horizon).in_words} ahead, after costs of "
        f"{_cost(verdict.cost_bps)} bps and counting {trials}"
    )


def _cost(cost_bps: float) -> str:
    return number(cost_bps, 1).removesuffix(".0")


def _half_width(row: HorizonVerdict) -> float:
    return row.reach * or_zero(row.net_edge_bps_se)


def _interval(row: HorizonVerdict, reach: float) -> tuple[float, ...] | None:
    """The 95 % interval of the net edge as (low, middle, high), in % of a line centred on 0."""
    if not reach or not present(row.net_edge_bps):
        return None
    ends = (-_half_width(row), 0.0, _half_width(row))
    return tuple(50 + 48 * (row.net_edge_bps + end) / reach for end in ends)


def _between(bounds: Sequence[int] | None) -> str:
    """A range of rough counts.

    >>> _between([7, 81_234]), _between([1_240, 10**9]), _between(None)
    ('7 to 81,000', '1,200 or more', '–')
    """
    if bounds is None:
        return "–"
    fewest, most = map(_rough, bounds)
    if bounds[1] >= _ENDLESS:
        return f"{fewest} or more"
    return most if fewest == most else f"{fewest} to {most}"


def _rough(count: int) -> str:
    """A count to two significant figures."""
    digits = 1 - math.floor(math.log10(count)) if count > 0 else 0
    return f"{round(count, min(digits, 0)):,}"


def _equity_facts(evaluation: Evaluation, horizon: str) -> list[tuple[str, str]]:
    """The judged ensemble's equity in figures, beside buy and hold."""
    curves = [curve for curve in evaluation.equity if curve.horizon == horizon]
    judged = [curve for curve in curves if curve.name == evaluation.ensemble] or curves
    return [
        fact
        for curve in judged[:1]
        for fact in (
            ("Profit after costs", f"{number(100 * curve.net_return, 1, sign=True)} %"),
            ("Buy and hold", f"{number(100 * curve.hold_return, 1, sign=True)} %"),
            ("Sharpe, a year", number(curve.sharpe_net)),
            ("Sharpe of holding", number(curve.sharpe_hold)),
            ("Maximum drawdown", f"{number(100 * abs(curve.max_drawdown), 1)} %"),
            ("Mean position", number(curve.mean_position)),
            ("Turnover a day", number(curve.turnover_per_day)),
        )
    ]


Found = TypeVar("Found", bound="Gain | Stability | Diversity")


def _of(found: Sequence[Found], horizon: str) -> list[Found]:
    return [each for each in found if each.horizon == horizon]


def _steadiness(evaluation: Evaluation, horizon: str) -> list[tuple[str, str]]:
    """How much of weights, and of the members' order, is kept from fold to fold."""
    return [
        ("Order of the members, rank correlation", number(each.value))
        if each.kind == "rank_correlation"
        else (f"Weights of {each.of} kept", f"{number(100 * each.value, 0)} %")
        for each in _of(evaluation.stability, horizon)[:_FACTS_SHOWN]
    ]


def _effective(evaluation: Evaluation, horizon: str) -> list[tuple[str, str]]:
    return [
        fact
        for each in _of(evaluation.diversity, horizon)
        for fact in (
            ("Members", f"{len(each.names):,}"),
            ("Effective number, by forecasts", number(each.effective_forecasts)),
            ("Effective number, by errors", number(each.effective_errors)),
        )
    ]


def _coverage(evaluation: Evaluation, horizon: str) -> dict[str, Any] | None:
    """How many realised values lay within each central interval: a row per forecaster."""
    found = [each for each in evaluation.coverages if each.horizon == horizon]
    names = dict.fromkeys(each.name for each in found)
    intervals = list(dict.fromkeys((each.lower, each.upper) for each in found))
    cells = {(each.name, each.lower): each for each in found}
    rows = [[cells[name, lower] for lower, _ in intervals] for name in names]
    return {"intervals": intervals, "rows": rows} if found else None


def _classes(evaluation: Evaluation, horizon: str) -> dict[str, Any] | None:
    """The judged ensemble's confusion matrix with recall and precision, and all forecasters."""
    found = [each for each in evaluation.confusions if each.horizon == horizon]
    if not found:
        return None
    judged = next((each for each in found if each.name == evaluation.ensemble), found[0])
    columns = [list(column) for column in zip(*judged.matrix, strict=True)]
    return {
        "judged": judged,
        "recall": _diagonal_shares(judged.matrix),
        "precision": _diagonal_shares(columns),
        "all": found,
    }


def _diagonal_shares(counts: Sequence[Sequence[int]]) -> list[float | None]:
    return [100 * row[place] / sum(row) if sum(row) else None for place, row in enumerate(counts)]
