"""Charts of a sweep's answers: effects with intervals, accuracies beside luck, a heatmap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from ._theme import (
    ALIKE,
    BLUE,
    INK,
    MUTED,
    OPPOSED,
    PAPER,
    VERMILLION,
    axis,
    error_bars,
    escaped,
    layout,
    number,
    or_zero,
    probability,
)

if TYPE_CHECKING:
    from barstack.evaluation.sweeps import LevelEffect, Luck

ExperimentRows = Sequence[Mapping[str, Any]]


def effects(levels: Sequence[LevelEffect], title: str) -> go.Figure:
    """Effect of each level with its 95 % interval; blue where luck does not explain it.

    title  of the axis of effects
    """
    names = [escaped(each.level) for each in levels]
    figure = go.Figure()
    for differs, color in ((True, BLUE), (False, MUTED)):
        own = [each for each in levels if each.differs == differs]
        if not own:
            continue
        bars = [(100 * or_zero(each.effect_se), each.reach) for each in own]
        figure.add_trace(
            go.Scatter(
                x=[100 * each.effect for each in own],
                y=[names[levels.index(each)] for each in own],
                mode="markers",
                name="differs" if differs else "luck explains it",
                marker={"color": color, "size": 9, "symbol": "diamond" if differs else "circle"},
                meta={"swatch": "◆" if differs else "●"},
                error_x=error_bars(bars, color, 1.6),
                text=[
                    f"{escaped(each.level)}: {number(100 * each.effect, 2, sign=True)} %<br>"
                    f"p {probability(each.p_adjusted)}"
                    for each in own
                ],
                hovertemplate="%{text}<extra></extra>",
            )
        )
    figure.add_vline(0.0, line={"color": INK, "dash": "dash", "width": 1.5}, layer="below")
    figure.update_layout(
        layout(100 + 30 * max(len(names), 2)),
        xaxis=axis(title, tickformat="~g"),
        yaxis=axis(
            "", showgrid=False, categoryorder="array", categoryarray=names[::-1], type="category"
        ),
    )
    return figure


def accuracies(rows: ExperimentRows, luck: Luck) -> go.Figure | None:
    """How many experiments reach which accuracy, with the best that luck makes."""
    values = [100 * row["directional_accuracy"] for row in rows if _there(row)]
    if not values:
        return None
    counts, edges = np.histogram(values, bins=min(40, max(8, len(values) // 8)))
    middles = (edges[1:] + edges[:-1]) / 2
    figure = go.Figure(
        go.Bar(
            x=middles.tolist(),
            y=counts.tolist(),
            width=(np.diff(edges) * 0.92).tolist(),
            marker={"color": ALIKE},
            name="experiments",
            meta={"swatch": "■"},
            hovertemplate="%{x:.1f} % right: %{y} experiments<extra></extra>",
        )
    )
    lines = {
        "best that luck makes, expected": (luck.expected_best, VERMILLION, "dash"),
        "exceeded by luck in 5 of 100 sweeps": (luck.high_best, VERMILLION, "dot"),
        "best found": (luck.best, BLUE, "solid"),
    }
    top = float(counts.max()) * 1.08
    for name, (value, color, dash) in lines.items():
        figure.add_trace(
            go.Scatter(
                x=[100 * value, 100 * value],
                y=[0, top],
                mode="lines",
                line={"color": color, "dash": dash, "width": 2},
                name=name,
                meta={"swatch": "line"},
                hovertemplate=f"{name}: {100 * value:.1f} %<extra></extra>",
            )
        )
    figure.update_layout(
        layout(320),
        xaxis=axis("Right direction, %", tickformat="~g"),
        yaxis=axis("Experiments"),
    )
    return figure


def heatmap(rows: ExperimentRows) -> go.Figure | None:
    """Mean directional accuracy of each model at each horizon."""
    there = [row for row in rows if _there(row)]
    models = list(dict.fromkeys(row["model"] for row in there))
    horizons = list(dict.fromkeys(row["horizon"] for row in there))
    if len(models) * len(horizons) < 2:
        return None
    cells: list[list[float | None]] = []
    for model in models:
        of_model = [row for row in there if row["model"] == model]
        means = [
            [r["directional_accuracy"] for r in of_model if r["horizon"] == h] for h in horizons
        ]
        cells.append([100 * sum(own) / len(own) if own else None for own in means])
    far = max(abs(v - 50) for row in cells for v in row if v is not None) or 1.0
    figure = go.Figure(
        go.Heatmap(
            z=cells,
            x=[escaped(each) for each in horizons],
            y=[escaped(each) for each in models],
            zmin=50 - far,
            zmax=50 + far,
            colorscale=[[0, OPPOSED], [0.5, PAPER], [1, ALIKE]],
            xgap=2,
            ygap=2,
            text=[[number(value, 1) for value in row] for row in cells],
            texttemplate="%{text}",
            textfont={"color": INK},
            hovertemplate="%{y} at %{x}: %{z:.2f} %<extra></extra>",
            showscale=False,
        )
    )
    figure.update_layout(
        layout(90 + 34 * max(len(models), 2)),
        xaxis=axis("", showgrid=False, type="category"),
        yaxis=axis("", showgrid=False, autorange="reversed", type="category"),
    )
    return figure


def boxes(rows: ExperimentRows) -> go.Figure | None:
    """Directional accuracies of each model's experiments."""
    there = [row for row in rows if _there(row)]
    models = list(dict.fromkeys(row["model"] for row in there))
    if not models:
        return None
    figure = go.Figure()
    for model in models:
        values = [100 * row["directional_accuracy"] for row in there if row["model"] == model]
        figure.add_trace(
            go.Box(
                x=values,
                name=escaped(model),
                orientation="h",
                marker={"color": BLUE, "size": 4},
                line={"width": 1.5},
                hoverinfo="x",
            )
        )
    figure.add_vline(50.0, line={"color": INK, "dash": "dash", "width": 1.5}, layer="below")
    figure.update_layout(
        layout(90 + 36 * max(len(models), 2)),
        xaxis=axis("Right direction, %", tickformat="~g"),
        yaxis=axis("", showgrid=False, autorange="reversed", type="category"),
    )
    return figure


def _there(row: Mapping[str, Any]) -> bool:
    return row.get("directional_accuracy") is not None
