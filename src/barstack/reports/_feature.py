"""The page of a feature: its values under the price, and their distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from barstack.core.arrays import Floats
from barstack.core.errors import DataError

from ._html import page
from ._theme import BLUE, GRID, INK, MUTED, axis, layout, number

if TYPE_CHECKING:
    from barstack.bars import Bars
    from barstack.features import Feature

_BINS = 60


def render_feature(feature: Feature, bars: Bars, values: Floats, newest: int) -> str:
    """The feature as one HTML page that loads nothing from anywhere.

    Parameters
    ----------
    values
        (n_bars,) the feature at every bar.
    newest
        So many bars are drawn; the distribution is over all.

    Raises
    ------
    DataError
        When all bars are warm-up.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        raise DataError(f"{bars!r} lies within the warm-up of {feature.name}. Give more bars.")
    formula, _, note = feature.kernel.about.partition("\n\n")
    return page(
        "feature.html",
        title=feature.name,
        subtitle=f"{bars.symbol}, {len(bars):,} bars",
        facts=_facts(feature, known),
        sentence=_plain(formula),
        note=_plain(note),
        over_time=_over_time(feature, bars, values, newest),
        distribution=_distribution(feature, known),
    )


def _facts(feature: Feature, known: Floats) -> list[tuple[str, str]]:
    kernel = feature.kernel
    low, middle, high = (float(each) for each in np.quantile(known, [0.01, 0.5, 0.99]))
    return [
        ("group", kernel.group),
        ("unit", kernel.unit),
        ("warm-up", f"{feature.warmup:,} bars"),
        ("1 % quantile", number(low, 4)),
        ("median", number(middle, 4)),
        ("99 % quantile", number(high, 4)),
    ]


def _over_time(feature: Feature, bars: Bars, values: Floats, newest: int) -> go.Figure:
    # Bars side by side, without the nights between: what a feature sees.
    place = np.arange(max(len(bars) - newest, 0), len(bars))
    times = [str(each)[:16].replace("T", " ") for each in bars.closed_at[place]]
    ticks = place[:: max(len(place) // 6, 1)]
    line: dict[str, Any] = {"x": place, "mode": "lines", "customdata": times}
    figure = go.Figure(
        [
            go.Scatter(
                **line,
                y=bars.close[place],
                line={"color": INK, "width": 1.4},
                hovertemplate="%{customdata}: close %{y:.4~g}<extra></extra>",
            ),
            go.Scatter(
                **line,
                y=values[place],
                yaxis="y2",
                line={"color": BLUE, "width": 1.6},
                hovertemplate="%{customdata}: %{y:.4~g}<extra></extra>",
            ),
        ]
    )
    figure.update_layout(
        layout(520),
        xaxis=axis(
            "",
            tickvals=ticks.tolist(),
            ticktext=[str(each)[:10] for each in bars.closed_at[ticks]],
            showgrid=False,
            anchor="y2",
        ),
        yaxis=axis("Close", domain=[0.52, 1.0]),
        yaxis2=axis(feature.kernel.unit.capitalize(), domain=[0.0, 0.46], zeroline=True,
                    zerolinecolor=MUTED),
    )  # fmt: skip
    return figure


def _distribution(feature: Feature, known: Floats) -> go.Figure:
    # The outermost half percent on either side would squeeze the rest into one bar.
    low, high = np.quantile(known, [0.005, 0.995])
    if low == high:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(known, _BINS, (low, high))
    figure = go.Figure(
        go.Bar(
            x=(edges[1:] + edges[:-1]) / 2,
            y=100 * counts / len(known),
            width=np.diff(edges),
            marker={"color": BLUE, "line": {"color": GRID, "width": 0.5}},
            hovertemplate="%{x:.4~g}: %{y:.2f} % of bars<extra></extra>",
        )
    )
    figure.update_layout(
        layout(300), xaxis=axis(feature.kernel.unit.capitalize()), yaxis=axis("% of bars")
    )
    return figure


def _plain(text: str) -> str:
    return " ".join(text.replace("`", "").split())
