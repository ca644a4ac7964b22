"""Charts of forecasters side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from ._member_charts import heat_figure
from ._theme import BLUE, MUTED, axis, error_bars, layout, say

if TYPE_CHECKING:
    from barstack.evaluation import Comparison

_MOST_DRAWN = 60


def skill(found: Comparison) -> go.Figure:
    """Information coefficients with whiskers of 95 %, best on top."""
    entries = [entry for entry in found.entries if entry.ic is not None][:_MOST_DRAWN]
    names = [say(entry.name) for entry in entries]
    figure = go.Figure(
        go.Scatter(
            x=[entry.ic for entry in entries],
            y=names,
            mode="markers",
            marker={"color": BLUE, "size": 8},
            error_x=error_bars([(entry.ic_se, entry.reach) for entry in entries], BLUE, 1.5),
            hovertemplate="%{y}<br>IC %{x:.3f}<extra></extra>",
            showlegend=False,
        )
    )
    figure.add_vline(0.0, line={"color": MUTED, "dash": "dash", "width": 1})
    figure.update_layout(
        layout(90 + 26 * max(len(entries), 2)),
        xaxis=axis("Information coefficient", tickformat="~g"),
        yaxis=axis("", autorange="reversed", showgrid=False),
    )
    return figure


def correlation(found: Comparison) -> go.Figure:
    """Correlations of all forecasts with one another."""
    return heat_figure(found.correlation)
