"""Charts of the members of an ensemble: correlation, weights, learning curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ._theme import (
    ALIKE,
    BLUE,
    HUES,
    INK,
    MUTED,
    OPPOSED,
    PAPER,
    Look,
    axis,
    escaped,
    layout,
    looks,
    present,
)

if TYPE_CHECKING:
    from barstack.evaluation import Correlation, Evaluation, Weights

# (loss of an epoch, its name here, colour, dash)
_LINES = (
    ("train_loss", "training rows", HUES[0], "dot"),
    ("stop_loss", "early-stopping rows", BLUE, "solid"),
)
_ACROSS = 2
Fits = Sequence[Mapping[str, Any]]


def correlation(evaluation: Evaluation, horizon: str) -> go.Figure | None:
    """Correlations of the members' forecasts with one another."""
    found = [item for item in evaluation.correlations if item.horizon == horizon]
    if not found or len(found[0].names) < 2:
        return None
    return heat_figure(found[0])


def heat_figure(table: Correlation, what: str = "correlation", low: float = -1.0) -> go.Figure:
    """A table of correlations, or of shares from 0 to 1, coloured."""
    places = list(range(len(table.names)))
    ticks = {"tickvals": places, "ticktext": [escaped(name) for name in table.names]}
    figure = go.Figure(_heat(table, places, what, low))
    figure.update_layout(
        layout(140 + max(240, 36 * len(places)), margin={"l": 8, "r": 8, "t": 8, "b": 8}),
        xaxis=axis("", showgrid=False, tickangle=-45, **ticks),
        yaxis=axis("", showgrid=False, autorange="reversed", **ticks),
    )
    return figure


def _heat(table: Correlation, places: list[int], what: str, low: float) -> go.Heatmap:
    return go.Heatmap(
        z=table.matrix,
        x=places,
        y=places,
        zmin=low,
        zmax=1,
        colorscale=[[0, OPPOSED], [0.5, PAPER], [1, ALIKE]] if low else [[0, PAPER], [1, OPPOSED]],
        xgap=2,
        ygap=2,
        text=[[_short(value) for value in row] for row in table.matrix],
        texttemplate="%{text}",
        textfont={"color": INK},
        customdata=[[f"{escaped(a)} and {escaped(b)}" for b in table.names] for a in table.names],
        hovertemplate=f"%{{customdata}}<br>{what} %{{z:.3f}}<extra></extra>",
        hoverongaps=False,
        colorbar={"thickness": 10, "outlinewidth": 0, "tickvals": [low, 0, 1], "len": 0.6},
    )


def _short(value: float | None) -> str:
    """Two digits without the leading zero: a dozen columns fit on a phone.

    >>> _short(0.874), _short(-0.05), _short(1.0), _short(None)
    ('.87', '−.05', '1', '–')
    """
    if value is None or not present(value):
        return "–"
    text = f"{value:.2f}".replace("0.", ".").replace("-", "−")
    return text.removesuffix(".00") or "0"


def weights(evaluation: Evaluation, horizon: str) -> go.Figure | None:
    """Weights of the members before each fold and in the final fit, one row an ensemble."""
    fits = [fit for fit in evaluation.weights if fit.horizon == horizon and fit.weights]
    if not fits:
        return None
    first = evaluation.ensemble
    ensembles = sorted(dict.fromkeys(fit.ensemble for fit in fits), key=lambda name: name != first)
    figure = make_subplots(
        rows=len(ensembles),
        shared_xaxes=True,
        subplot_titles=[escaped(name) for name in ensembles],
        vertical_spacing=0.3 / len(ensembles),
    )
    for row, ensemble in enumerate(ensembles, start=1):
        shown = [fit for fit in fits if fit.ensemble == ensemble]
        for bars in _stacked(shown, looks(evaluation)):
            figure.add_trace(bars, row=row, col=1)
    figure.update_layout(layout(120 + 240 * len(ensembles)), barmode="relative", bargap=0.35)
    figure.update_layout(margin={"t": 30})
    figure.update_xaxes(axis("", type="category", showgrid=False))
    figure.update_yaxes(axis("Weight", zeroline=True, zerolinecolor=MUTED, tickformat="~g"))
    figure.update_xaxes(title_text="Fitted before fold", row=len(ensembles))
    figure.update_annotations(x=0, xanchor="left", font={"size": 13})
    return figure


def _stacked(fits: list[Weights], look: dict[str, Look]) -> list[go.Bar]:
    ordered = sorted(fits, key=lambda fit: math.inf if fit.fold == "final" else fit.fold)
    names = dict.fromkeys(name for fit in ordered for name in fit.weights)
    return [_bars(name, ordered, look[name]) for name in names]


def _bars(name: str, fits: list[Weights], look: Look) -> go.Bar:
    return go.Bar(
        x=[str(fit.fold) for fit in fits],
        y=[fit.weights.get(name) for fit in fits],
        name=escaped(name),
        legendgroup=escaped(name),
        marker=fill(look),
        meta={"swatch": look.pattern_glyph},
        hovertemplate=f"{escaped(name)}: %{{y:.3f}}<extra></extra>",
    )


def fill(look: Look) -> dict[str, Any]:
    """How bars of one forecaster are filled."""
    return {
        "color": look.color,
        "line": {"width": 1, "color": PAPER},
        "pattern": {"shape": look.pattern, "fillmode": "replace", "size": 6},
    }


def learning(fits: Mapping[str, Fits]) -> go.Figure | None:
    """A panel a network, a line a fold; a dot at the epoch whose weights are used.

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
        subplot_titles=[escaped(name) for name in shown],
        vertical_spacing=0.34 / down,
        horizontal_spacing=0.1,
    )
    for place, of_network in enumerate(shown.values()):
        where = {"row": place // across + 1, "col": place % across + 1}
        for line in _LINES:
            for fit in of_network:
                figure.add_trace(
                    _loss_curve(fit, *line, legend=not place and fit is of_network[0]), **where
                )
        for fit in of_network:
            figure.add_trace(_best_epoch(fit), **where)
    figure.update_layout(layout(90 + 250 * down, margin={"l": 8, "r": 12, "t": 34, "b": 8}))
    figure.update_xaxes(axis("", tickformat="d", rangemode="tozero"))
    figure.update_xaxes(title_text="Epoch", row=down)
    figure.update_yaxes(axis(""))
    figure.update_yaxes(title_text="Loss", col=1)
    figure.update_annotations(font={"size": 13}, yshift=4)
    return figure


def _loss_curve(
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


def _best_epoch(fit: Mapping[str, Any]) -> go.Scatter:
    best = min(fit["curves"], key=lambda epoch: epoch["stop_loss"])
    return go.Scatter(
        x=[best["number"] + 1],
        y=[best["stop_loss"]],
        mode="markers",
        showlegend=False,
        name="used",
        marker={"color": BLUE, "size": 6, "line": {"width": 1, "color": MUTED}},
        hovertemplate=f"{_fold(fit)}, used: epoch %{{x}}, %{{y:.4f}}<extra></extra>",
    )


def _fold(fit: Mapping[str, Any]) -> str:
    return "Final fit" if fit["fold"] == "final" else f"Fold {fit['fold']}"
