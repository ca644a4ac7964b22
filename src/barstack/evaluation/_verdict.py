"""The verdict: is there an edge, after costs and after everything that was tried?

An evaluation depends on forecasts, labels and costs alone. How many trials were made, and what the
audits found, changes whenever another study runs, so what depends on it is computed here, from a
finished evaluation, whenever it is read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from barstack.core.horizon import Horizon
from barstack.core.notebook import card, paragraph, remark, table

from ._combining_findings import BEST_SO_FAR, EQUAL_WEIGHTS
from ._findings import Doubt, Evaluation, Evidence, Family
from ._words import words_of
from .audit import AuditRecord

Edge = Literal["none", "unproven", "supported"]
LEVEL = 0.05
POWER = 0.8  # the chance of proving a true edge with as many bars as are given
_RANK: dict[Edge, int] = {"supported": 0, "unproven": 1, "none": 2}
_TAIL = 0.05  # beyond each end of the range that the true size of the edge lies in
_ENDLESS = 10**9


@dataclass(frozen=True, kw_only=True)
class HorizonVerdict(Evidence):
    """The verdict at one horizon, with the evidence for it.

    Attributes
    ----------
    p_adjusted
        The p-value for all trials made: those of this study by how alike they are, as
        `Evaluation.family` has it, all others as if they were independent.
    bars_to_prove
        [fewest, most] bars beyond these that would prove the edge in 8 cases of 10; None where it
        is not unproven, or where the bars cannot say.
    """

    edge: Edge
    p_adjusted: float
    bars_to_prove: list[int] | None


@dataclass(frozen=True)
class Verdict:
    """Whether there is an edge, after costs and after everything that was tried.

    Attributes
    ----------
    edge
        "supported": the net edge would be luck with a chance under 5 %, all trials counted.
        "unproven": it is positive, but luck could well have made it.
        "none": after costs there is none to prove.
    sentence
        The same for a person who knows no statistics.
    horizon
        The one at which most speaks for an edge.
    cost_bps
        Of each unit bought or sold.
    doubts
        Forecasters that do better than is plausible: with any, nothing is supported, unless
        `expected`, the study's reason why so large an effect is to be expected, is given.
    looks
        States of the data that this ensemble was judged on, each among the trials.
    audits
        Those made before the verdict.
    remarks
        What to know about the number of trials, such as a ledger that was begun anew.
    words
        What was tried, the best of it, what the judged ensemble earns at the costs and at twice
        those, and in which folds, symbols and regimes.
    ledger
        State of the ledgers that they were counted from: rows, since when, and head. Whoever keeps
        it can tell later whether rows were removed.

    >>> import tempfile
    >>> import barstack as bs
    >>> from barstack.testing import walk
    >>> frame = walk(400).to_frame()
    >>> study = {"features": ["body"], "members": ["ridge"], "calendar": "24/7", "stamp": "open"}
    >>> runs = tempfile.mkdtemp()
    >>> run = bs.run(frame, horizons=["1h"], symbol="WALK", runs=runs, **study)
    >>> run.verdict.edge, run.verdict.horizon, run.verdict.trials
    ('none', '1h', 3)
    """

    edge: Edge
    sentence: str
    horizon: str
    ensemble: str
    trials: int
    cost_bps: float
    evidence: list[HorizonVerdict]
    doubts: list[Doubt] = field(default_factory=list)
    expected: str = ""
    looks: int = 1
    audits: list[AuditRecord] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    ledger: str = ""
    words: list[str] = field(default_factory=list)

    def _repr_html_(self) -> str:
        """The sentence and the evidence, as notebooks show them."""
        head = ("horizon", "edge", "net edge, bps a bar", "standard error", "p", "p, all trials")
        rows = [
            (e.horizon, e.edge, e.net_edge_bps, e.net_edge_bps_se, e.p_value, e.p_adjusted)
            for e in self.evidence
        ]
        counted = f"{self.trials:,} trials counted, {self.cost_bps:g} bps paid for each unit."
        doubts = [
            f"Implausible: {name}." for name in dict.fromkeys(each.name for each in self.doubts)
        ]
        return card(
            f"Verdict on {self.ensemble}",
            paragraph(self.sentence),
            *map(paragraph, self.words),
            table(head, rows),
            remark(counted, *self.remarks, *doubts),
            note=f"edge: {self.edge}",
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data; `from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Verdict:
        """The verdict that `to_json` wrote."""
        kinds: dict[str, Any] = {"evidence": HorizonVerdict, "doubts": Doubt, "audits": AuditRecord}
        return cls(**{**data, **{n: [kind(**x) for x in data[n]] for n, kind in kinds.items()}})


def judge(
    evaluation: Evaluation,
    *,
    trials: int,
    looks: int = 1,
    leaks: int = 0,
    audits: Sequence[AuditRecord] = (),
    expected: str = "",
    remarks: Sequence[str] = (),
    ledger: str = "",
) -> Verdict:
    """The verdict on the judged ensemble, at the horizon where most speaks for it.

    Choosing that horizon afterwards is fair because every horizon counts among the trials.

    Parameters
    ----------
    trials
        How many things have been tried on these symbols, all runs counted.
    looks
        States of its data that the ensemble has been judged on, this one included, each of which is
        a trial.
    leaks
        Found by the audits and allowed by the study: with any, nothing is supported.
    audits
        Made before the verdict.
    expected
        Why forecasts may be better than real markets allow; empty where they may not.
    remarks, ledger
        What to know about the number of trials, and the state of the ledgers.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import barstack as bs
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = bs.run(small_study(Path(folder)), folder=folder, runs=f"{folder}/runs")
    >>> judge(run.evaluation, trials=10).edge
    'none'
    """
    doubts = evaluation.doubts
    doubted = bool(doubts) and not expected
    judged = f"{evaluation.ensemble} at "
    contradicted = [each for each in evaluation.contradictions if each.startswith(judged)]
    found = [_at_horizon(each, trials, evaluation.family) for each in evaluation.evidence]
    if leaks or doubted or contradicted:
        found = [
            replace(each, edge="unproven", bars_to_prove=None) if each.edge != "none" else each
            for each in found
        ]
    best = min(found, key=lambda each: (_RANK[each.edge], each.p_value, -each.net_edge_bps))
    if leaks:
        sentence = _leaking(leaks)
    elif doubted:
        sentence = _doubted(doubts)
    elif contradicted and best.edge != "none":
        sentence = _contradicted(contradicted)
    else:
        sentence = _sentence(best, trials, looks, evaluation.bars_a_year)
        sentence += f" {_expected(expected)}" if doubts else ""
    return Verdict(
        edge=best.edge,
        sentence=sentence,
        horizon=best.horizon,
        ensemble=evaluation.ensemble,
        trials=trials,
        cost_bps=evaluation.cost_bps,
        evidence=found,
        doubts=list(doubts),
        expected=expected if doubts else "",
        looks=looks,
        audits=list(audits),
        remarks=list(remarks),
        ledger=ledger,
        words=list(words_of(evaluation, best.horizon, trials)),
    )


def _at_horizon(evidence: Evidence, trials: int, family: Family | None) -> HorizonVerdict:
    p_adjusted = adjusted_p_value(evidence.p_value, trials, family)
    edge: Edge = "none"
    if evidence.net_edge_bps > 0.0 and evidence.trades:
        edge = "supported" if p_adjusted < LEVEL else "unproven"
    to_prove = None
    if edge == "unproven" and evidence.t_value is not None:
        count = trials if family is None else family.of_all(LEVEL / trials, trials)
        to_prove = bars_to_prove(evidence.p_value, evidence.n_bars, count, LEVEL)
    return HorizonVerdict(
        **asdict(evidence), edge=edge, p_adjusted=p_adjusted, bars_to_prove=to_prove
    )


def leaderboard(evaluation: Evaluation, trials: int) -> list[dict[str, Any]]:
    """The scores as plain data, each with `p_adjusted`, its p-value for all trials made.

    With an ensemble's gains against the best member so far and equal weights, such as
    `gain_equal_weights`, and their p-values for all ensembles.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import barstack as bs
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = bs.run(small_study(Path(folder)), folder=folder, runs=f"{folder}/runs")
    >>> sorted({row["name"] for row in leaderboard(run.evaluation, trials=10)})[:2]
    ['always_up', 'average']
    """
    gains = {(g.ensemble, g.horizon, g.against): g for g in evaluation.gains}
    rows = []
    for score in evaluation.scores:
        row: dict[str, Any] = {}
        for name, value in asdict(score).items():
            row[name] = value
            if name == "p_value":
                row["p_adjusted"] = (
                    None if value is None else adjusted_p_value(value, trials, evaluation.family)
                )
        for against in (BEST_SO_FAR, EQUAL_WEIGHTS):
            gain = gains.get((score.name, score.horizon, against))
            row[f"gain_{against}"] = None if gain is None else gain.gain
            row[f"gain_{against}_p"] = None if gain is None else gain.p_adjusted
        rows.append(row)
    return rows


def adjusted_p_value(p_value: float, trials: int, family: Family | None = None) -> float:
    """How often the best of `trials` worthless ones would do at least this well. Šidák (1967).

    Exact for independent trials, too cautious for alike ones: those of a family count as the number
    of independent ones that they are worth.

    >>> round(adjusted_p_value(0.01, 30), 3)
    0.26
    """
    count = trials if family is None else family.of_all(p_value, trials)
    return float(-np.expm1(count * np.log1p(-min(p_value, 1.0 - 1e-15))))


def bars_to_prove(p_value: float, n_bars: int, trials: float, level: float) -> list[int] | None:
    """[fewest, most] further bars, or None where the edge may as well be nothing.

    p_value  one-sided, of the edge so far, were this the only trial
    n_bars   behind it
    trials   made so far, as independent ones
    level    that the p-value for all trials must fall below

    The edge's true size lies, with a chance of 90 %, within 1.64 standard errors of the one seen.
    For both ends of that range: how many bars prove an edge of that size in eight cases of ten,
    as the error falls with the root of their number. Where the lower end is no edge at all, no
    number of bars is enough, and None is returned. The most is at most 1e9.

    >>> bars_to_prove(0.02, 1000, 10, 0.05)
    [1, 68528]
    >>> bars_to_prove(0.2, 1000, 10, 0.05) is None
    True
    """
    quantile = NormalDist().inv_cdf  # scipy.special takes a quarter of a second to import
    if not 0.0 < p_value < 1.0 or (seen := -quantile(p_value)) <= (unsure := -quantile(_TAIL)):
        return None
    single = -math.expm1(math.log1p(-level) / trials)
    needed = -quantile(single) - quantile(1.0 - POWER)
    totals = [n_bars * (needed / size) ** 2 for size in (seen + unsure, seen - unsure)]
    return [int(min(max(math.ceil(total) - n_bars, 1), _ENDLESS)) for total in totals]


def _sentence(best: HorizonVerdict, trials: int, looks: int, bars_a_year: float) -> str:
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


def _to_prove(best: HorizonVerdict, bars_a_year: float) -> str:
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


def _contradicted(sentences: Sequence[str]) -> str:
    more = f" (and {len(sentences) - 1} more)" if len(sentences) > 1 else ""
    return (
        f"Nothing is proven, because the figures contradict each other: {sentences[0]}{more} Look "
        "for the mistake in the bars or the label before anything else."
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
