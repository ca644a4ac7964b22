"""The page's tables: evidence, leaderboard, steps, facts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._theme import number, present, say

if TYPE_CHECKING:
    from barstack.evaluation import Equity, Evaluation, Evidence, Score

EDGE_WORDS: dict[str, str] = {
    "none": "No edge",
    "unproven": "Not proven",
    "supported": "Supported",
}

EVIDENCE_COLUMNS = {
    "Horizon": "How far ahead the forecast looks.",
    "Net edge, bps a bar": (
        "What the timing earned in an average bar after costs, in hundredths of a percent. The "
        "line reaches two standard errors each way: where it crosses 0, luck alone could have "
        "made it."
    ),
    "p": "How often pure luck would look this good, had only this one thing been tried.",
    "p, all trials": (
        "The same, given everything that was tried on these symbols. Under 0.05 counts as support."
    ),
    "Bars seen": "Bars behind the figures.",
    "Bars to prove": "About how many bars it takes to tell an edge of this size from luck.",
}


def _unknown(score: Score) -> float | None:
    return None


BOARD_NOTE = (
    '<p class="look-for">± is one standard error, from leaving out blocks of time. A forecast of '
    "zero counts as half right. A figure in <strong>bold</strong> is the best of its column and "
    "more than two standard errors better than every naive forecast; where none is bold, none "
    "was. Even so, the best of many can get there by luck: p for all trials counts that.</p>"
)


@dataclass(frozen=True)
class Column:
    """A figure of the leaderboard."""

    title: str
    meaning: str
    value: Callable[[Score], float | None]
    error: Callable[[Score], float | None] = _unknown
    digits: int | None = 3  # None for a probability
    best: int = 0  # 1 where high is good, -1 where low is; 0 where no winner is looked for
    sign: bool = False

    @property
    def width(self) -> int:
        """Cells that it takes: the standard error has its own."""
        return 1 if self.error is _unknown else 2

    def text(self, value: float | None) -> str:
        """A figure of this column in words."""
        if self.digits is None:
            return chance(value)
        return number(value, self.digits, sign=self.sign)

    def error_text(self, score: Score) -> str:
        """Its standard error, or nothing where there is none."""
        error = self.error(score)
        return f"± {number(error, self.digits or 0)}" if present(error) else ""


def _columns(task: str) -> list[Column]:
    """Columns for a task; errors of return forecasts are in bps."""
    scale, unit, digits = (1e4, ", bps", 1) if task == "return" else (1.0, "", 4)
    return [
        Column(
            "Right direction, %",
            "moves called right",
            lambda s: _times(s.directional_accuracy, 100),
            lambda s: _times(s.directional_accuracy_se, 100),
            digits=1,
            best=1,
        ),
        Column(
            "Net edge, bps",
            "timing profit a bar after costs",
            lambda s: s.net_edge_bps,
            lambda s: s.net_edge_bps_se,
            digits=2,
            best=1,
            sign=True,
        ),
        Column("p", "chance of this by luck", lambda s: s.p_value, digits=None),
        Column("p, all trials", "all tries counted", lambda s: s.p_adjusted, digits=None),
        Column("IC", "correlation with what came", lambda s: s.ic, lambda s: s.ic_se, best=1),
        Column("Rank IC", "the same for ranks", lambda s: s.rank_ic),
        Column(
            "R², %",
            "explained beyond the mean",
            lambda s: _times(s.r2, 100),
            lambda s: _times(s.r2_se, 100),
            digits=2,
            best=1,
        ),
        Column(
            "Log loss",
            "nats; lower is better",
            lambda s: s.log_loss,
            lambda s: s.log_loss_se,
            digits=4,
            best=-1,
        ),
        Column(f"RMSE{unit}", "typical error", lambda s: _times(s.rmse, scale), digits=digits),
        Column(f"MAE{unit}", "mean error", lambda s: _times(s.mae, scale), digits=digits),
    ]


def _times(value: float | None, scale: float) -> float | None:
    return None if value is None else scale * value


def _or_zero(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) else 0.0


def facts_strip(facts: Iterable[tuple[str, str]]) -> str:
    """Labels and values, side by side."""
    pairs = (f"<div><dt>{say(label)}</dt><dd>{say(value)}</dd></div>" for label, value in facts)
    return f'<dl class="facts">{"".join(pairs)}</dl>'


def evidence_table(evidence: list[Evidence]) -> str:
    """What speaks for an edge, a row a horizon, and what each column means."""
    if not evidence:
        return '<p class="nothing">No horizon has figures to judge.</p>'
    reach = max(
        abs(_or_zero(row.net_edge_bps)) + 2 * _or_zero(row.net_edge_bps_se) for row in evidence
    )
    rows = "".join(_evidence_row(row, reach) for row in evidence)
    spans = {"Net edge, bps a bar": ' colspan="2"'}
    heads = "".join(f'<th scope="col"{spans.get(t, "")}>{say(t)}</th>' for t in EVIDENCE_COLUMNS)
    meanings = "".join(
        f"<div><dt>{say(title)}</dt><dd>{say(meaning)}</dd></div>"
        for title, meaning in EVIDENCE_COLUMNS.items()
    )
    return (
        f'<div class="scroll" tabindex="0"><table class="evidence"><thead><tr>{heads}</tr></thead>'
        f'<tbody>{rows}</tbody></table></div><dl class="meanings">{meanings}</dl>'
    )


def _evidence_row(row: Evidence, reach: float) -> str:
    edge = f'<span class="pill edge-{row.edge}">{EDGE_WORDS[row.edge]}</span>'
    size = f"{number(row.net_edge_bps, sign=True)} <small>± {number(row.net_edge_bps_se)}</small>"
    cells = [chance(row.p_value), chance(row.p_adjusted), f"{row.n_bars:,}"]
    cells.append("–" if row.bars_to_prove is None else _about(row.bars_to_prove))
    return (
        f'<tr><th scope="row">{say(row.horizon)} {edge}</th><td>{size}</td>'
        f"<td>{_interval(row, reach)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    )


def _interval(row: Evidence, reach: float) -> str:
    """Two standard errors about the net edge on a line with 0 in its middle."""
    if not reach or not present(row.net_edge_bps):
        return "–"
    error = 2 * _or_zero(row.net_edge_bps_se)
    ends = (row.net_edge_bps - error, row.net_edge_bps, row.net_edge_bps + error)
    low, middle, high = (50 + 48 * end / reach for end in ends)
    return (
        f'<span class="interval edge-{row.edge}" aria-hidden="true"><i class="whisker" '
        f'style="left:{low:.1f}%;right:{100 - high:.1f}%"></i>'
        f'<i class="dot" style="left:{middle:.1f}%"></i></span>'
    )


def chance(p: float | None) -> str:
    """A probability, never rounded to certainty.

    >>> chance(0.0421), chance(0.00004), chance(0.9999), chance(None)
    ('0.042', '&lt;0.001', '&gt;0.999', '–')
    """
    if p is None or not present(p):
        return "–"
    if p < 0.001:
        return "&lt;0.001"
    return "&gt;0.999" if p > 0.999 else f"{p:.3f}"


def _about(count: int) -> str:
    """A rough count to two figures.

    >>> _about(81_234), _about(7)
    ('about 81,000', 'about 7')
    """
    digits = 1 - math.floor(math.log10(count)) if count > 0 else 0
    return f"about {round(count, min(digits, 0)):,}"


def leaderboard(evaluation: Evaluation, horizon: str) -> str | None:
    """All forecasters at one horizon, in the order given."""
    scores = [score for score in evaluation.scores if score.horizon == horizon]
    if not scores:
        return None
    columns = [
        column
        for column in _columns(evaluation.task)
        if any(present(column.value(score)) for score in scores)
    ]
    heads = "".join(
        f'<th scope="col" colspan="{column.width}">{say(column.title)}'
        f"<small>{say(column.meaning)}</small></th>"
        for column in columns
    )
    winners = {column.title: winner(scores, column) for column in columns}
    rows = "".join(
        f'<tr class="{score.role}"><th scope="row">{say(score.name)} '
        f'<span class="role">{score.role}</span></th>'
        + "".join(_figure(score, column, winners[column.title] is score) for column in columns)
        + f"<td>{score.n_decisions:,}</td></tr>"
        for score in scores
    )
    return (
        '<div class="scroll" tabindex="0"><table class="leaderboard"><thead><tr>'
        f'<th scope="col">Forecaster</th>{heads}<th scope="col">Decisions</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{BOARD_NOTE}"
    )


def _figure(score: Score, column: Column, wins: bool) -> str:
    shown = column.text(column.value(score))
    shown = f"<strong>{shown}</strong>" if wins else shown
    beside = f'<td class="se">{column.error_text(score)}</td>' if column.width == 2 else ""
    return f"<td>{shown}</td>{beside}"


def winner(scores: list[Score], column: Column) -> Score | None:
    """The best of a column, if it beats every naive forecast by two standard errors, else None."""
    shown = [score for score in scores if column.best and present(column.value(score))]
    naive = [score for score in shown if score.role == "naive"]
    rivals = [score for score in shown if score.role != "naive"]
    if not naive or not rivals:
        return None
    best = max(rivals, key=lambda score: column.best * _or_zero(column.value(score)))
    return best if all(_clearly_better(best, other, column) for other in naive) else None


def _clearly_better(best: Score, other: Score, column: Column) -> bool:
    """By two standard errors of the difference, as if the two were independent."""
    error = column.error(best)
    lead = column.best * (_or_zero(column.value(best)) - _or_zero(column.value(other)))
    return error is not None and lead > 2 * math.hypot(error, _or_zero(column.error(other)))


def equity_figures(evaluation: Evaluation, horizon: str) -> str:
    """The judged ensemble's equity in a few figures beside buy and hold."""
    curves = [curve for curve in evaluation.equity if curve.horizon == horizon]
    judged = [curve for curve in curves if curve.name == evaluation.verdict.ensemble]
    return "".join(facts_strip(_equity_facts(curve)) for curve in (judged or curves)[:1])


def _equity_facts(curve: Equity) -> list[tuple[str, str]]:
    profit, hold = (
        number(100 * value, 1, sign=True) for value in (curve.net_return, curve.hold_return)
    )
    return [
        ("Profit after costs", f"{profit} %"),
        ("Buy and hold", f"{hold} %"),
        ("Sharpe, a year", number(curve.sharpe_net)),
        ("Sharpe of holding", number(curve.sharpe_hold)),
        ("Deepest fall", f"{number(100 * abs(curve.max_drawdown), 1)} %"),
        ("Position on average", number(curve.mean_position)),
        ("Turnover a day", number(curve.turnover_per_day)),
    ]


def steps_table(steps: list[tuple[str, str, float]]) -> str:
    """What was made, what was reused, and how long it took."""
    if not steps:
        return '<p class="nothing">No steps were recorded.</p>'
    rows = "".join(
        f'<tr><th scope="row">{say(name)}</th><td><span class="pill">{say(how)}</span></td>'
        f"<td>{number(seconds, 1)}</td></tr>"
        for name, how, seconds in steps
    )
    total = number(math.fsum(seconds for _, _, seconds in steps), 1)
    return (
        '<div class="scroll" tabindex="0"><table class="steps"><thead><tr><th scope="col">Step</th>'
        f'<th scope="col">How</th><th scope="col">Seconds</th></tr></thead><tbody>{rows}</tbody>'
        f'<tfoot><tr><th scope="row">All</th><td></td><td>{total}</td></tr></tfoot></table></div>'
    )
