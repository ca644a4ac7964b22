"""Results of a run as tables and sentences, for a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from barstack.core.forecast import Forecast
from barstack.core.horizon import Horizon
from barstack.core.times import iso
from barstack.evaluation import (
    BEST_SO_FAR,
    EQUAL_WEIGHTS,
    Evaluation,
    Gain,
    Score,
    Verdict,
    adjusted_p_value,
)
from barstack.experiments import Run

from ._tables import folded, right, table

_COLOURS = {"none": "white", "unproven": "yellow", "supported": "green"}
_FITS = {"return": "R² %", "quantiles": "skill %"}
_TITLES = {"none": "No edge", "unproven": "No edge proven", "supported": "Edge supported"}


def show_run(run: Run, console: Console) -> None:
    """Leaderboard, verdict, and the paths of report and artifact."""
    console.print()
    console.print(leaderboard_table(run.evaluation, run.verdict.trials))
    if run.evaluation.levels:
        console.print("skill  pinball loss below that of the historical quantiles")
    console.print(
        "±      one standard error, from a jackknife over blocks of time\n"
        "right  a forecast of zero counts as half right\n"
        "edge   mean profit of a bar after costs, beyond a steady position\n"
        "luck   p-value: how often luck alone does as well, all trials counted",
    )
    if (gains := gains_table(run.evaluation)) is not None:
        console.print()
        console.print(gains)
        console.print("*      distinguished from no difference, all ensembles counted (Holm)")
    show_verdict(run.verdict, console)
    for sentence in run.verdict.words:
        console.print(Padding(sentence, (0, 2)))
    for remark in run.verdict.remarks:
        console.print(Padding(remark, (0, 2)), style="dim")
    for anchor in run.given.anchors:
        state = f"{anchor.rows:,} rows since {anchor.since[:10]}, head {anchor.head}"
        console.print(f"  ledger    {anchor.ledger}: {state}", soft_wrap=True)
    console.print(f"  report    {run.folder / 'report.html'}", soft_wrap=True)
    console.print(f"  artifact  {run.folder / 'artifact'}", soft_wrap=True)


def gains_table(evaluation: Evaluation, horizon: str | None = None) -> Table | None:
    """Whether each ensemble beats what is simpler; None of an older evaluation, without gains."""
    names = {EQUAL_WEIGHTS: "equal weights %", BEST_SO_FAR: "best so far %"}
    gains = {(g.ensemble, g.horizon, g.against): g for g in evaluation.gains}
    shown = table("lower loss than", *map(right, names.values()))
    for each in (each for each in evaluation.horizons if horizon in (None, each)):
        rows = [name for name, at, against in gains if at == each and against == EQUAL_WEIGHTS]
        if rows:
            shown.add_row(f"{Horizon.parse(each).in_words} ahead", style="bold cyan")
        for name in rows:
            found = [gains[name, each, against] for against in names]
            shown.add_row(f" {name}", *map(gain_cell, found))
    return shown if shown.row_count else None


def gain_cell(gain: Gain) -> str:
    """A gain in %, with its standard error, and a star where it is distinguished from none."""
    return plus_minus(gain.gain, gain.gain_se, 100, 2) + ("*" if gain.distinguished else " ")


def show_verdict(verdict: Verdict, console: Console) -> None:
    """The verdict in a box."""
    colour = _COLOURS[verdict.edge]
    title = Text(_TITLES[verdict.edge], style="bold")
    console.print(Panel(verdict.sentence, title=title, border_style=colour, padding=(1, 2)))


def leaderboard_table(evaluation: Evaluation, trials: int, horizon: str | None = None) -> Table:
    """All forecasters at each horizon: ensembles, members, the best so far, naive forecasts."""
    fit = _FITS.get(evaluation.task, "log loss")
    span = f"{evaluation.first_at[:10]} to {evaluation.last_at[:10]}"
    shown = table(
        folded("forecaster"),
        *map(right, ("right %", "IC", fit, "edge bp/bar", "luck")),
        title=f"{_named(evaluation.symbols)}: decisions out of fold, {span}",
    )
    for each in evaluation.horizons:
        if horizon not in (None, each):
            continue
        known = max((s.n_decisions for s in evaluation.scores if s.horizon == each), default=0)
        shown.add_row(f"{Horizon.parse(each).in_words} ahead", f"{known:,}", style="bold cyan")
        for score in evaluation.scores:
            if score.horizon == each:
                shown.add_row(*_row(score, fit, evaluation, trials), style=_style(score))
        shown.add_row()
    return shown


def _named(symbols: list[str]) -> str:
    return ", ".join(symbols) if len(symbols) <= 3 else f"{len(symbols)} symbols"


def _row(score: Score, fit: str, evaluation: Evaluation, trials: int) -> tuple[str, ...]:
    fitted = {
        "R² %": plus_minus(score.r2, score.r2_se, 100, 2),
        "skill %": plus_minus(score.pinball_skill, score.pinball_skill_se, 100, 2),
        "log loss": plus_minus(score.log_loss, score.log_loss_se, 1, 3),
    }
    return (
        f" {score.name}",
        plus_minus(score.directional_accuracy, score.directional_accuracy_se, 100, 1),
        plus_minus(score.ic, score.ic_se, 1, 3),
        fitted[fit],
        plus_minus(score.net_edge_bps, score.net_edge_bps_se, 1, 2),
        "–"
        if score.p_value is None
        else f"{adjusted_p_value(score.p_value, trials, evaluation.family):.3f}",
    )


def _style(score: Score) -> str:
    return {"ensemble": "bold", "member": "", "benchmark": "italic", "naive": "italic"}[score.role]


def plus_minus(value: float | None, error: float | None, scale: float, digits: int) -> str:
    """A figure with its standard error, or a dash; large ones take no more room than small ones.

    >>> plus_minus(0.512, 0.014, 100, 1)
    '51.2 ± 1.4'
    >>> plus_minus(0.0512, 0.1234, 100, 2)
    '5.1 ± 12.3'
    """
    if value is None:
        return "–"
    size = max(abs(value), error or 0.0) * scale
    if digits > 1 and size >= 10.0:
        digits = max(digits - int(math.log10(size)), 0)
    figure = f"{round(value * scale, digits) + 0.0:.{digits}f}"  # + 0.0: no minus before zero
    return figure if error is None else f"{figure} ± {error * scale:.{digits}f}"


def forecast_lines(
    forecast: Forecast, sides: Mapping[str, int] | None = None, verdict: str | None = None
) -> list[str]:
    """The newest forecast of each symbol, in words.

    Parameters
    ----------
    sides
        By symbol, the side that a rule takes, if the label has a rule.
    verdict
        The edge of the study's verdict, which is shown beside each.
    """
    title = _TITLES.get(verdict or "", "no verdict given")
    word = f" ({title.lower()})" if verdict else ""
    lines = []
    for code, symbol in enumerate(forecast.decisions.symbols):
        rows = np.flatnonzero(forecast.decisions.symbol_code == code)
        if not len(rows):
            continue
        newest = rows[np.argmax(forecast.decisions.decided_at[rows])]
        side = sides.get(symbol) if sides else None
        answer = ", ".join(
            f"{horizon} {_in_words(forecast, newest, place, side)}"
            for place, horizon in enumerate(forecast.target.horizons)
        )
        if side == 0:
            answer = "the rule takes no side"
        lines.append(f"{symbol} at {iso(forecast.decisions.decided_at[newest])}: {answer}{word}")
    return lines


def _in_words(forecast: Forecast, row: int, horizon: int, side: int | None) -> str:
    numbers = forecast.values[row, horizon]
    if side:
        return f"{'long' if side > 0 else 'short'} pays with {numbers[0]:.0%}"
    if forecast.target.task == "return":
        return f"{numbers[0] * 100:+.3f} %"
    if forecast.target.levels:
        named = zip(forecast.target.outputs, numbers, strict=True)
        return " ".join(f"{name} {each * 100:+.3f}" for name, each in named) + " %"
    if forecast.target.task == "direction":
        return f"up with {numbers[0]:.0%}"
    return "SELL {:.0%} HOLD {:.0%} BUY {:.0%}".format(*numbers)
