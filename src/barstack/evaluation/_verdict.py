"""Is there an edge, after costs and after everything that was tried? In one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from barstack.core.horizon import Horizon
from barstack.core.times import Times

from ._findings import Score
from ._interval import reach
from ._jackknife import chance_of_luck, for_all_trials, timing_se
from ._judgement import Doubt, Edge, Evidence, Verdict
from ._profit import Profit
from ._proof import bars_to_prove

LEVEL = 0.05
_RANK: dict[Edge, int] = {"supported": 0, "unproven": 1, "none": 2}
_YEAR_DAYS = 365.25


@dataclass(frozen=True)
class NetEdge:
    """Mean timing profit of a bar after costs, and how easily luck makes as much.

    bps, bps_se  basis points; no error where there are too few bars or no timing at all
    t_value      bps / bps_se
    p_value      one-sided, were this the only trial; 1 where there is no error
    n_blocks     of time that stand behind the error
    """

    bps: float
    bps_se: float | None
    t_value: float | None
    p_value: float
    n_blocks: int


def net_edge(profit: Profit) -> NetEdge:
    """The net edge of one forecaster at one horizon.

    The error is that of the profit before costs. They are known when a position is taken, so they
    have none of their own, and the higher they are, the higher is the p-value.
    """
    bps = float((profit.timing - profit.cost).mean()) * 1e4
    se, n_blocks = timing_se(profit.timing)
    if se is None:
        return NetEdge(bps, None, None, 1.0, n_blocks)
    t_value = bps / (se * 1e4)
    return NetEdge(bps, se * 1e4, t_value, chance_of_luck(t_value, n_blocks), n_blocks)


def evidence(score: Score, net: NetEdge, profit: Profit, trials: int) -> Evidence:
    """What speaks for an edge of one forecaster at one horizon."""
    p_adjusted = for_all_trials(net.p_value, trials)
    edge: Edge = "none"
    if net.bps > 0.0 and np.any(profit.turnover):
        edge = "supported" if p_adjusted < LEVEL else "unproven"
    to_prove = None
    if edge == "unproven" and net.t_value is not None:
        to_prove = bars_to_prove(net.p_value, len(profit.timing), trials, LEVEL)
    return Evidence(
        horizon=score.horizon,
        edge=edge,
        net_edge_bps=net.bps,
        net_edge_bps_se=net.bps_se,
        t_value=net.t_value,
        p_value=net.p_value,
        p_adjusted=p_adjusted,
        ic=score.ic,
        ic_se=score.ic_se,
        n_bars=len(profit.timing),
        bars_to_prove=to_prove,
        reach=reach(net.n_blocks),
    )


def verdict(
    ensemble: str,
    found: list[Evidence],
    trials: int,
    cost_bps: float,
    time: Times,
    *,
    leaks: int = 0,
    looks: int = 1,
    doubts: Sequence[Doubt] = (),
    expected: str = "",
) -> Verdict:
    """The verdict on the first ensemble, at the horizon where most speaks for it.

    leaks     found by the audit and allowed by the study: with any, nothing is supported
    looks     states of its data that this ensemble has been judged on, each of which is a trial
    doubts    forecasters that do better than is plausible: with any, nothing is supported, unless
    expected  the study says why so large an effect is to be expected

    Choosing that horizon afterwards is fair because every horizon counts among the trials.
    """
    doubted = bool(doubts) and not expected
    if leaks or doubted:
        found = [
            replace(each, edge="unproven", bars_to_prove=None) if each.edge != "none" else each
            for each in found
        ]
    best = min(found, key=lambda each: (_RANK[each.edge], each.p_value, -each.net_edge_bps))
    if leaks:
        sentence = _leaking(leaks)
    elif doubted:
        sentence = _doubted(doubts)
    else:
        sentence = _sentence(best, trials, looks, _bars_a_year(time))
        sentence += f" {_expected(expected)}" if doubts else ""
    return Verdict(
        edge=best.edge,
        sentence=sentence,
        horizon=best.horizon,
        ensemble=ensemble,
        trials=trials,
        cost_bps=cost_bps,
        evidence=found,
        looks=looks,
        doubts=list(doubts),
        expected=expected if doubts else "",
    )


def _sentence(best: Evidence, trials: int, looks: int, bars_a_year: float) -> str:
    """What the evidence means, for a person who knows no statistics."""
    if best.edge == "none":
        return (
            "No edge: once trading costs are paid, following these forecasts would have earned no "
            "more than simply holding a steady position, at any of the horizons tried."
        )
    if best.t_value is None:
        return (
            "No edge is proven: there are too few bars to tell skill from luck; give at least "
            "several times as many."
        )
    followed = f"following the {Horizon.parse(best.horizon).adjective} forecasts would have earned"
    luck = often(best.p_adjusted)
    tried = f"{trials} things tried"
    if looks > 1:
        tried += f" ({looks} looks of this study at growing or changed data among them)"
    if best.edge == "supported":
        return (
            f"The bars support an edge: {followed} more than holding a steady position, costs "
            f"paid, and even with {tried} luck alone does this well {luck}; it "
            "is the past all the same, and edges fade."
        )
    return (
        f"No edge is proven: {followed} a little more than holding a steady position, costs paid, "
        f"but with {tried}, luck alone does at least this well {luck}; "
        f"{_to_prove(best, bars_a_year)}."
    )


def _to_prove(best: Evidence, bars_a_year: float) -> str:
    """How much longer it may take, with the chance that goes with it."""
    if best.bars_to_prove is None:
        return "these bars cannot say how many more it would take to prove one, if there is one"
    fewest, most = (_span(bars / bars_a_year) for bars in best.bars_to_prove)
    span = fewest if fewest == most else f"between {fewest} and {most}"
    return (
        f"if it is real and lasts, {span} more of bars like these would prove it with a chance "
        "of 8 in 10"
    )


def _leaking(leaks: int) -> str:
    what = "a leak" if leaks == 1 else f"{leaks} leaks"
    return (
        f"Nothing is proven: the audit found {what}, which this study allows, so the forecasts may "
        "have seen their answers, and their figures are no evidence of anything."
    )


def _doubted(doubts: Sequence[Doubt]) -> str:
    worst = max(doubts, key=lambda each: each.value / each.bound)
    more = f" (and {len(doubts) - 1} more)" if len(doubts) > 1 else ""
    return (
        f"Nothing is proven, because it is too good to be true: {worst.sentence}{more}. If so "
        "large an effect is to be expected here, say why in the study: large_effect."
    )


def _expected(why: str) -> str:
    return f"Forecasts are better than real markets allow, which the study expects: {why}"


def often(chance: float) -> str:
    """A probability in words that need no statistics.

    >>> often(0.7), often(0.03), often(0.0001)
    ('about 7 times in 10', 'about 3 times in 100', 'less than once in 1,000 times')
    """
    if chance >= 0.95:
        return "nearly every time"
    for out_of in (10, 100, 1000):
        times = round(chance * out_of)
        if times >= 1 and (times > 1 or out_of == 1000 or abs(chance * out_of - 1) < 0.2):
            return f"about {'once' if times == 1 else f'{times} times'} in {out_of:,}"
    return "less than once in 1,000 times"


def _span(years: float) -> str:
    """A length of time in round words.

    >>> _span(0.3), _span(7.2), _span(1e-4)
    ('4 months', '7 years', 'a month')
    """
    if years > 100.0:
        return "more than a hundred years"
    if years < 1.0:
        months = max(1, round(years * 12))
        return "a month" if months == 1 else f"{months} months"
    whole = round(years)
    return "a year" if whole == 1 else f"{whole} years"


def _bars_a_year(time: Times) -> float:
    days = float((time[-1] - time[0]) / np.timedelta64(1, "D"))
    return len(time) / max(days, 1.0) * _YEAR_DAYS
