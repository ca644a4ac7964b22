"""Learning curves: how the loss of each network fell, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ._theme import BLUE, HUES, MUTED, axis, layout, say

# (what an epoch measures, its name here, colour, dash)
_LINES = (
    ("train_loss", "rows it learns from", HUES[0], "dot"),
    ("stop_loss", "rows it stops early by", BLUE, "solid"),
)
_ACROSS = 2
Fits = Sequence[Mapping[str, Any]]


def learning(fits: Mapping[str, Fits]) -> go.Figure | None:
    """A panel a network, a line a fold; a dot where the weights that were kept come from.

    fits  by member, facts on each fit as in its metrics.json
    """
    shown = {name: [fit for fit in each if fit["curves"]] for name, each in fits.items()}
    shown = {name: each for name, each in shown.items() if each}
    if not shown:
        return None
    across = min(_ACROSS, len(shown))
    down = -(-len(shown) // across)
    figure = make_subplots(
        rows=down,
        cols=across,
        subplot_titles=[say(name) for name in shown],
        vertical_spacing=0.34 / down,
        horizontal_spacing=0.1,
    )
    for place, own in enumerate(shown.values()):
        where = {"row": place // across + 1, "col": place % across + 1}
        for line in _LINES:
            for fit in own:
                figure.add_trace(_curve(fit, *line, legend=not place and fit is own[0]), **where)
        for fit in own:
            figure.add_trace(_kept(fit), **where)
    figure.update_layout(layout(90 + 250 * down, margin={"l": 8, "r": 12, "t": 34, "b": 8}))
    figure.update_xaxes(axis("", tickformat="d", rangemode="tozero"))
    figure.update_xaxes(title_text="Epoch", row=down)
    figure.update_yaxes(axis(""))
    figure.update_yaxes(title_text="Loss", col=1)
    figure.update_annotations(font={"size": 13}, yshift=4)
    return figure


def _curve(
    fit: Mapping[str, Any], measured: str, name: str, color: str, dash: str, *, legend: bool
) -> go.Scatter:
    return go.Scatter(
        x=[epoch["number"] + 1 for epoch in fit["curves"]],
        y=[epoch[measured] for epoch in fit["curves"]],
        mode="lines",
        name=name,
        legendgroup=name,
        showlegend=legend,
        line={"color": color, "dash": dash, "width": 1.5},
        opacity=0.8,
        hovertemplate=f"{_fold(fit)}, epoch %{{x}}<br>{name} %{{y:.4f}}<extra></extra>",
    )


def _kept(fit: Mapping[str, Any]) -> go.Scatter:
    best = min(fit["curves"], key=lambda epoch: epoch["stop_loss"])
    return go.Scatter(
        x=[best["number"] + 1],
        y=[best["stop_loss"]],
        mode="markers",
        showlegend=False,
        name="kept",
        marker={"color": BLUE, "size": 6, "line": {"width": 1, "color": MUTED}},
        hovertemplate=f"{_fold(fit)}, kept: epoch %{{x}}, %{{y:.4f}}<extra></extra>",
    )


def _fold(fit: Mapping[str, Any]) -> str:
    return "Final fit" if fit["fold"] < 0 else f"Fold {fit['fold']}"
