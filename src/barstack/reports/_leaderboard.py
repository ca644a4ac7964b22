"""The table of all forecasters, in which only significant winners are marked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from barstack.evaluation import adjusted_p_value

from ._theme import number, or_zero, present, probability

if TYPE_CHECKING:
    from barstack.evaluation import Evaluation, Family, Score


@dataclass(frozen=True)
class Column:
    """A figure of the leaderboard: an attribute of `Score`, and `<attribute>_se` its error."""

    title: str
    meaning: str
    attribute: str
    digits: int | None = 3  # None for a probability
    scale: float = 1.0
    best: int = 0  # 1 where high is good, -1 where low is; 0 where no winner is marked
    no_skill: float | None = None  # the figure of a forecaster without skill
    sign: bool = False
    trials: int | None = None  # adjust the p-value for so many
    family: Family | None = None  # and for how alike the study's own are
    reach: str = "reach"  # attribute: half width of a 95 % interval in standard errors

    def value(self, score: Score) -> float | None:
        """The figure, scaled."""
        value = getattr(score, self.attribute)
        if value is None:
            return None
        if self.trials is not None:
            return adjusted_p_value(value, self.trials, self.family)
        return self.scale * float(value)

    def error(self, score: Score) -> float | None:
        """Its standard error, scaled; None where it has none."""
        error = getattr(score, f"{self.attribute}_se", None)
        return None if error is None else self.scale * float(error)

    def text(self, value: float | None) -> str:
        """A figure of this column as text."""
        if self.digits is None:
            return probability(value)
        return number(value, self.digits, sign=self.sign)

    def error_text(self, score: Score) -> str:
        """Its standard error; empty where there is none, or no figure."""
        error = self.error(score)
        known = present(error) and present(self.value(score))
        return f"± {number(error, self.digits or 0)}" if known else ""


def _columns(task: str, trials: int, family: Family | None) -> list[Column]:
    """Columns for a task; errors of return forecasts are in bps."""
    scale, unit, digits = (1e4, ", bps", 1) if task in ("return", "quantiles") else (1.0, "", 4)
    columns = [
        Column("Right direction,\u00a0%", "moves predicted right", "directional_accuracy", 1, 100.0,
               best=1, no_skill=50.0),
        Column("Net\u00a0edge, bps", "timing profit a bar, after costs", "net_edge_bps", 2, best=1,
               no_skill=0.0, sign=True, reach="net_edge_reach"),
        Column("p", "chance under pure luck", "p_value", None),
        Column("p, all trials", "all trials counted", "p_value", None, trials=trials,
               family=family),
        Column("IC", "correlation with realised", "ic", best=1, no_skill=0.0),
        Column("Rank IC", "the same for ranks", "rank_ic"),
        Column("R², %", "beyond the past mean", "r2", 2, 100.0, 1, no_skill=0.0),
        Column("R² of 0, %", "beyond zero", "r2_zero", 2, 100.0, 1, no_skill=0.0),
        Column("Accuracy, %", "classes predicted right", "accuracy", 1, 100.0),
        Column("Balanced, %", "mean recall of classes", "balanced_accuracy", 1, 100.0, 1),
        Column("Macro F1, %", "mean F1 of the classes", "macro_f1", 1, 100.0),
        Column("Log loss", "nats; lower is better", "log_loss", 4, best=-1),
        Column("Pinball, bps", "mean pinball loss", "pinball", 2, 1e4),
        Column("Skill, %", "below history’s loss", "pinball_skill", 2, 100.0, 1, no_skill=0.0),
        Column(f"RMSE{unit}", "typical error", "rmse", digits, scale),
        Column(f"MAE{unit}", "mean error", "mae", digits, scale),
    ]  # fmt: skip
    # Quantile forecasts are judged by the pinball loss, and the table has no room for both.
    left_out = {"r2_zero"} if task == "quantiles" else set()
    return [column for column in columns if column.attribute not in left_out]


@dataclass(frozen=True)
class Cell:
    """A figure, its standard error, and whether it is significantly the best of its column."""

    text: str
    error: str
    best: bool


@dataclass(frozen=True)
class Board:
    """The columns that have figures, and a row of cells for each forecaster, in the order given."""

    columns: list[Column]
    rows: list[tuple[Score, list[Cell]]]


def leaderboard(evaluation: Evaluation, horizon: str, trials: int) -> Board | None:
    """All forecasters at one horizon; None where there are none. p is adjusted for `trials`."""
    scores = [score for score in evaluation.scores if score.horizon == horizon]
    columns = [
        column
        for column in _columns(evaluation.task, trials, evaluation.family)
        if any(present(column.value(score)) for score in scores)
    ]
    winners = [winner(scores, column) for column in columns]
    rows = [
        (
            score,
            [
                Cell(column.text(column.value(score)), column.error_text(score), best is score)
                for column, best in zip(columns, winners, strict=True)
            ],
        )
        for score in scores
    ]
    return Board(columns, rows) if scores else None


def winner(scores: list[Score], column: Column) -> Score | None:
    """The best of a column, if it clearly beats every naive forecast and no skill, else None."""
    shown = [score for score in scores if column.best and present(column.value(score))]
    rivals = [score for score in shown if score.role in ("ensemble", "member")]
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
    return error is not None and lead > getattr(best, column.reach) * math.hypot(error, level_error)
