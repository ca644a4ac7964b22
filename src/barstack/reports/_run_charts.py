"""Charts that need a run's bars and models beside its evaluation: regimes, features."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from barstack.bars import Bars
from barstack.core.arrays import Floats
from barstack.core.forecast import REGIMES

from ._theme import HUES, INK, MUTED, axis, escaped, layout

_MOST_BARS = 4_000  # drawn, so that a figure of years of minutes stays small
_MOST_FEATURES = 24  # largest first


def regimes_over_prices(bars: Bars, probabilities: Floats) -> go.Figure:
    """Closes, marked by the likeliest regime, above the probabilities of all.

    probabilities  (n_bars, n_regimes), in the order of `REGIMES`
    """
    place = np.unique(np.linspace(0, len(bars) - 1, min(len(bars), _MOST_BARS)).astype(int))
    times, closes, shares = bars.closed_at[place], bars.close[place], probabilities[place]
    likeliest = shares.argmax(axis=1)
    figure = go.Figure(
        go.Scatter(x=times, y=closes, name="close", mode="lines", line={"color": MUTED, "width": 1})
    )
    for number, (name, colour) in enumerate(zip(REGIMES, HUES, strict=True)):
        figure.add_trace(
            go.Scatter(
                x=times,
                y=np.where(likeliest == number, closes, np.nan),
                name=name.replace("_", " "),
                legendgroup=name,
                mode="markers",
                marker={"color": colour, "size": 4},
                hovertemplate="close %{y:.5~g}",
            )
        )
    for number, (name, colour) in enumerate(zip(REGIMES, HUES, strict=True)):
        figure.add_trace(
            go.Scatter(
                x=times,
                y=100 * shares[:, number],
                name=name.replace("_", " "),
                legendgroup=name,
                showlegend=False,
                stackgroup="regimes",
                mode="lines",
                line={"width": 0},
                fillcolor=colour,
                yaxis="y2",
                hovertemplate="%{y:.0f} %",
            )
        )
    figure.update_layout(
        layout(520, hovermode="x"),
        xaxis=axis("", type="date", showgrid=False, anchor="y2"),
        yaxis=axis("Close", domain=[0.42, 1.0]),
        yaxis2=axis("Probability, %", domain=[0.0, 0.34], range=[0, 100]),
    )
    return figure


def feature_bars(
    shares: Mapping[str, Mapping[str, float]], colours: Mapping[str, str]
) -> go.Figure:
    """Each feature's share of what members learned, the largest first.

    shares  by member, then by feature
    """
    largest: dict[str, float] = {}
    for each in shares.values():
        for feature, share in each.items():
            largest[feature] = max(largest.get(feature, 0.0), share)
    names = sorted(largest, key=lambda name: -largest[name])[:_MOST_FEATURES]
    figure = go.Figure(
        [
            go.Bar(
                x=[100 * own.get(name, 0.0) for name in names],
                y=[escaped(name) for name in names],
                orientation="h",
                name=escaped(member),
                marker={"color": colours.get(member, INK)},
                hovertemplate=f"{escaped(member)}, %{{y}}: %{{x:.1f}} %<extra></extra>",
            )
            for member, own in shares.items()
        ]
    )
    figure.update_layout(
        layout(120 + len(names) * (12 + 10 * len(shares))),
        bargap=0.25,
        xaxis=axis("Share, %", tickformat="~g"),
        yaxis=axis("", autorange="reversed", showgrid=False),
    )
    return figure
