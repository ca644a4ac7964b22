"""The table of all forecasters, which calls nobody a winner by luck."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from barstack.evaluation import adjusted_p_value

from ._theme import chance, number, or_zero, present, say

if TYPE_CHECKING:
    from barstack.evaluation import Evaluation, Score

BOARD_NOTE = (
    '<p class="look-for">± is one standard error, from leaving out blocks of time. A forecast of '
    "zero counts as half right. A figure in <strong>bold</strong> is the best of its column and "
    "better than every naive forecast and than no skill by more than a 95 % interval of the "
    "difference; where none is bold, none was. Even so, the best of many can get there by luck: "
    "p for all trials counts that.</p>"
)


def _unknown(score: Score) -> float | None:
    return None


def _reach(score: Score) -> float:
    return score.reach


@dataclass(frozen=True)
class Column:
    """A figure of the leaderboard."""

    title: str
    meaning: str
    value: Callable[[Score], float | None]
    error: Callable[[Score], float | None] = _unknown
    digits: int | None = 3  # None for a probability
    best: int = 0  # 1 where high is good, -1 where low is; 0 where no winner is looked for
    no_skill: float | None = None  # what a forecaster without any skill comes to
    sign: bool = False
    reach: Callable[[Score], float] = _reach  # errors to each end of a 95 % interval

    def text(self, value: float | None) -> str:
        """A figure of this column in words."""
        if self.digits is None:
            return chance(value)
        return number(value, self.digits, sign=self.sign)

    def error_text(self, score: Score) -> str:
        """Its standard error, or nothing where there is none, or no figure."""
        error = self.error(score)
        known = present(error) and present(self.value(score))
        return f"± {number(error, self.digits or 0)}" if known else ""


def _columns(task: str, trials: int) -> list[Column]:
    """Columns for a task; errors of return forecasts are in bps."""
    scale, unit, digits = (1e4, ", bps", 1) if task in ("return", "quantiles") else (1.0, "", 4)
    return [
        Column(
            "Right direction,\u00a0%",
            "moves called right",
            lambda s: _times(s.directional_accuracy, 100),
            lambda s: _times(s.directional_accuracy_se, 100),
            digits=1,
            best=1,
            no_skill=50.0,
        ),
        Column(
            "Net\u00a0edge, bps",
            "timing profit a bar, after costs",
            lambda s: s.net_edge_bps,
            lambda s: s.net_edge_bps_se,
            digits=2,
            best=1,
            no_skill=0.0,
            sign=True,
            reach=lambda s: s.net_edge_reach,
        ),
        Column("p", "chance of this by luck", lambda s: s.p_value, digits=None),
        Column("p, all trials", "all tries counted", lambda s: _adjusted(s, trials), digits=None),
        Column(
            "IC",
            "correlation with what came",
            lambda s: s.ic,
            lambda s: s.ic_se,
            best=1,
            no_skill=0.0,
        ),
        Column("Rank IC", "the same for ranks", lambda s: s.rank_ic),
        Column(
            "R², %",
            "beyond the past mean",
            lambda s: _times(s.r2, 100),
            lambda s: _times(s.r2_se, 100),
            digits=2,
            best=1,
            no_skill=0.0,
        ),
        Column(
            "R² of 0, %",
            "beyond zero",
            # Of quantiles there is no room for it, and their skill is the pinball loss.
            lambda s: None if task == "quantiles" else _times(s.r2_zero, 100),
            lambda s: _times(s.r2_zero_se, 100),
            digits=2,
            best=1,
            no_skill=0.0,
        ),
        Column(
            "Accuracy, %",
            "classes called right",
            lambda s: _times(s.accuracy, 100),
            lambda s: _times(s.accuracy_se, 100),
            digits=1,
        ),
        Column(
            "Balanced, %",
            "each class weighs alike",
            lambda s: _times(s.balanced_accuracy, 100),
            lambda s: _times(s.balanced_accuracy_se, 100),
            digits=1,
            best=1,
        ),
        Column(
            "Macro F1, %",
            "mean F1 of the classes",
            lambda s: _times(s.macro_f1, 100),
            lambda s: _times(s.macro_f1_se, 100),
            digits=1,
        ),
        Column(
            "Log loss",
            "nats; lower is better",
            lambda s: s.log_loss,
            lambda s: s.log_loss_se,
            digits=4,
            best=-1,
        ),
        Column(
            "Pinball, bps",
            "cost of missed quantiles",
            lambda s: _times(s.pinball, 1e4),
            lambda s: _times(s.pinball_se, 1e4),
            digits=2,
        ),
        Column(
            "Skill, %",
            "pinball loss below history’s",
            lambda s: _times(s.pinball_skill, 100),
            lambda s: _times(s.pinball_skill_se, 100),
            digits=2,
            best=1,
            no_skill=0.0,
        ),
        Column(f"RMSE{unit}", "typical error", lambda s: _times(s.rmse, scale), digits=digits),
        Column(f"MAE{unit}", "mean error", lambda s: _times(s.mae, scale), digits=digits),
    ]


def _adjusted(score: Score, trials: int) -> float | None:
    return None if score.p_value is None else adjusted_p_value(score.p_value, trials)


def _times(value: float | None, scale: float) -> float | None:
    return None if value is None else scale * value


def leaderboard(evaluation: Evaluation, horizon: str, trials: int) -> str | None:
    """All forecasters at one horizon, in the order given."""
    scores = [score for score in evaluation.scores if score.horizon == horizon]
    if not scores:
        return None
    columns = [
        column
        for column in _columns(evaluation.task, trials)
        if any(present(column.value(score)) for score in scores)
    ]
    heads = "".join(
        f'<th scope="col">{say(column.title)}<small>{say(column.meaning)}</small></th>'
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
    error = column.error_text(score)
    beside = f'<span class="se">{error}</span>' if error else ""
    return f"<td>{shown}{beside}</td>"


def winner(scores: list[Score], column: Column) -> Score | None:
    """The best of a column, if it clearly beats every naive forecast and no skill, else None."""
    shown = [score for score in scores if column.best and present(column.value(score))]
    rivals = [score for score in shown if score.role != "naive"]
    levels = [
        (or_zero(column.value(score)), or_zero(column.error(score)))
        for score in shown
        if score.role == "naive"
    ]
    levels += [] if column.no_skill is None else [(column.no_skill, 0.0)]
    if not rivals or not levels:
        return None
    best = max(rivals, key=lambda score: column.best * or_zero(column.value(score)))
    return best if all(_clearly_better(best, column, *level) for level in levels) else None


def _clearly_better(best: Score, column: Column, level: float, level_error: float) -> bool:
    """By the 95 % interval of the difference, as if the two were independent."""
    error = column.error(best)
    lead = column.best * (or_zero(column.value(best)) - level)
    return error is not None and lead > column.reach(best) * math.hypot(error, level_error)
