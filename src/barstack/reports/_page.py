"""One page that tells what an evaluation found; it loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from barstack.core.horizon import Horizon

from ._class_tables import class_tables
from ._findings import findings_table
from ._html import chart, page, section, tabs
from ._leaderboard import leaderboard
from ._tables import (
    EDGE_WORDS,
    equity_figures,
    evidence_table,
    steps_table,
)
from ._theme import number, say
from ._trust import trust

if TYPE_CHECKING:
    from barstack.bars.checks import Finding
    from barstack.evaluation import Evaluation, Verdict

    from ._learning_chart import Fits

Draw = Callable[["Evaluation", str], Any]
NAMES_SHOWN = 8
FINDINGS_SHOWN = 20


@dataclass(frozen=True)
class Section:
    """A part of the page with one panel a horizon."""

    id: str
    title: str
    look_for: str
    draw: Draw  # a figure, a table in HTML, or None where there is nothing to show
    nothing: str  # said instead
    below: Draw | None = None


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
    """The report as one HTML page, charts and all.

    facts   (label, value) about the data and the study
    steps   (name, "made" or "reused", seconds)
    findings  what the checks of the bars found
    fits    by member, facts on each of its fits
    """
    sections = _sections(evaluation, verdict.trials)
    parts = {
        "edge": verdict.edge,
        "edge_words": EDGE_WORDS[verdict.edge],
        "sentence": say(verdict.sentence),
        "tried": say(_tried(verdict)),
        "evidence": evidence_table(verdict.evidence),
        "sections": "".join(_section(part, evaluation) for part in sections),
        "learning": _learning(fits or {}),
        "trust": trust(evaluation, verdict),
        "steps": steps_table(steps),
        "findings": findings_table(findings, most=FINDINGS_SHOWN),
    }
    return page(
        "page.html",
        parts,
        title=title,
        run=f"Run <code>{say(run_id)}</code> · {_judged(evaluation, verdict)}",
        facts=facts,
        shown=_shown_first(evaluation, verdict),
    )


def _sections(evaluation: Evaluation, trials: int) -> list[Section]:
    from . import _charts, _member_charts, _quantile_charts  # noqa: PLC0415

    judged, cost = evaluation.ensemble, number(evaluation.cost_bps, 1).removesuffix(".0")
    spread = [
        Section(
            "shares",
            "Does as much fall below each quantile as it should?",
            "A quantile of level 25 % should lie above a quarter of what came. Marks on the dashed "
            "diagonal say that it does; the grey band is where luck would put them in 95 % "
            "of cases. Marks above it at low levels and below it at high ones: intervals are too "
            "wide; the other way round: too narrow.",
            _quantile_charts.shares,
            "There was nothing to count at this horizon.",
            _quantile_charts.coverage_table,
        ),
        Section(
            "fan",
            "What do the newest forecasts look like?",
            f"Quantiles of {judged} for the newest decisions, and a mark for what came. "
            "Most marks should lie inside, and some should not: those that are wide of the band "
            "are counted above. A band that widens before wild days has learned something.",
            _quantile_charts.fan,
            "There are no forecasts to show at this horizon.",
        ),
    ]
    of_classes = [
        Section(
            "classes",
            "Which classes come where which are forecast?",
            "Rows are what came, columns what was forecast; the diagonal is right. A forecaster "
            "that says one class nearly always may be right often and know nothing: compare the "
            "shares below, and the balanced accuracy in the table at the end.",
            class_tables,
            "No class was forecast at this horizon.",
        ),
    ]
    return [
        Section(
            "equity",
            "Does timing pay, once costs are paid?",
            f"The bold line is {judged} after costs of {cost} bps on all that is bought "
            "or sold, the thin line the same before costs. If the thin line climbs and the bold "
            "one does not, costs eat the forecasts. Dashed grey is buying once and holding. "
            "Profits are added up, not compounded. Choose a name below to add its line, after "
            "costs.",
            _charts.equity,
            "No equity was worked out for this horizon.",
            equity_figures,
        ),
        Section(
            "accuracy",
            "Is the direction right more often than a coin, again and again?",
            "Each mark is the share of moves called right in one stretch of time; whiskers are "
            "95 % intervals. Skill would sit above the 50 % line in most folds; one good fold "
            "is what luck looks like. In a market that mostly rises, always saying up does that "
            "too: compare the naive forecasts in the table below.",
            _charts.fold_accuracy,
            "No fold had enough decisions for an accuracy at this horizon.",
        ),
        Section(
            "calibration",
            "When it forecasts more, does more come?",
            "Forecasts of about the same size stand together. Marks on the dashed diagonal mean "
            "that forecasts are right on average; marks along a flat line mean that their size "
            "says nothing. Whiskers are 95 % intervals.",
            _charts.calibration,
            "There were too few forecasts to compare with what came at this horizon.",
        ),
        *(spread if evaluation.levels else []),
        *(of_classes if evaluation.confusions else []),
        Section(
            "correlation",
            "Do the members say different things?",
            "Correlation of the members’ forecasts. Near 1, two members say the same and the "
            "second adds little; near 0, each has something of its own to add, or only noise.",
            _member_charts.correlation,
            "It takes two members to compare; at this horizon there are fewer.",
        ),
        Section(
            "weights",
            "Whom does the ensemble trust, and does it change its mind?",
            "Weight of each member, fitted before each fold on what was known by then; final is "
            "the fit to use from here on. Steady weights suggest the members’ merits last; "
            "weights that jump suggest there was little to tell them apart.",
            _member_charts.weights,
            "No ensemble with weights was fitted at this horizon.",
        ),
        Section(
            "leaderboard",
            "Who forecasts best, and is it clear?",
            "Every forecaster on the same decisions, naive ones included.",
            partial(leaderboard, trials=trials),
            "Nothing was scored at this horizon.",
        ),
    ]


def _learning(fits: Mapping[str, Fits]) -> str:
    """The section of learning curves; without networks there is none."""
    from ._learning_chart import learning  # noqa: PLC0415 (plotly takes long to import)

    figure = learning(fits)
    if figure is None:
        return ""
    title = "Did the networks learn, and stop in time?"
    return section(
        "learning",
        title,
        "A line for each fit. Where the solid line falls, what was learned holds on later rows; "
        "where it rises while the dotted one falls, the network learns the past by heart. The dot "
        "is the epoch whose weights were kept. Dropout makes the dotted line higher than it would "
        "be.",
        f'<div class="panel">{chart(figure.to_json(), title)}</div>',
    )


def _section(part: Section, evaluation: Evaluation) -> str:
    horizons = evaluation.horizons
    panels = "".join(_panel(part, evaluation, horizon) for horizon in horizons)
    body = panels or f'<p class="nothing">{say(part.nothing)}</p>'
    return section(part.id, part.title, part.look_for, body, tabs(horizons, "Horizon"))


def _panel(part: Section, evaluation: Evaluation, horizon: str) -> str:
    drawn = part.draw(evaluation, horizon)
    if drawn is None:
        body = f'<p class="nothing">{say(part.nothing)}</p>'
    elif isinstance(drawn, str):
        body = drawn
    else:
        body = chart(drawn.to_json(), f"{part.title} Horizon {horizon}.")
    below = part.below(evaluation, horizon) if part.below else ""
    return (
        f'<div class="panel" data-horizon="{say(horizon)}">'
        f'<h3 class="of-horizon">Horizon {say(horizon)}</h3>{body}{below}</div>'
    )


def _shown_first(evaluation: Evaluation, verdict: Verdict) -> str:
    judged = verdict.horizon
    return judged if judged in evaluation.horizons else next(iter(evaluation.horizons), "")


def _judged(evaluation: Evaluation, verdict: Verdict) -> str:
    symbols = evaluation.symbols
    named = ", ".join(symbols[:NAMES_SHOWN])
    more = len(symbols) - NAMES_SHOWN
    rest = f" and {more} more" if more > 0 else ""
    when = Horizon.parse(verdict.horizon).in_words
    return say(
        f"{judged_decisions(evaluation, verdict):,} decisions {when} ahead on "
        f"{named}{rest}, bars of {evaluation.bar}, {evaluation.first_at} to {evaluation.last_at}"
    )


def judged_decisions(evaluation: Evaluation, verdict: Verdict) -> int:
    """Decisions behind the verdict: those whose label of its horizon is known."""
    judged = (verdict.ensemble, verdict.horizon)
    counts = (s.n_decisions for s in evaluation.scores if (s.name, s.horizon) == judged)
    return next(counts, evaluation.n_decisions)


def _tried(verdict: Verdict) -> str:
    cost = number(verdict.cost_bps, 1).removesuffix(".0")
    trials = "1 trial" if verdict.trials == 1 else f"all {verdict.trials:,} trials"
    if verdict.looks > 1:
        trials += f", {verdict.looks:,} looks of this study at growing or changed data among them"
    return (
        f"{verdict.ensemble}, {Horizon.parse(verdict.horizon).in_words} ahead, after costs of "
        f"{cost} bps and counting {trials}"
    )
