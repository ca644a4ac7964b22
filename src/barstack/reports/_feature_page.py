"""One page about a feature: under the price it was made of, and how its values are spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.errors import DataError

from ._html import chart, page
from ._theme import BLUE, GRID, INK, MUTED, axis, layout, number, say

if TYPE_CHECKING:
    from barstack.bars import Bars
    from barstack.features import Feature

_BINS = 60


def render_feature(feature: Feature, bars: Bars, values: Floats, newest: int) -> str:
    """The feature as one HTML page that loads nothing from anywhere.

    values  (n_bars,) the feature at every bar
    newest  so many bars are drawn; the spread is over all

    Raises `DataError` when all of it is warm-up.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        raise DataError(f"{bars!r} lies within the warm-up of {feature.name}. Give more bars.")
    formula, _, note = feature.kernel.about.partition("\n\n")
    parts = {
        "sentence": say(_plain(formula)),
        "note": say(_plain(note)),
        "over_time": chart(_over_time(feature, bars, values, newest), "Price, and the feature."),
        "spread": chart(_spread(feature, known), "How often each value comes."),
    }
    run = say(f"{bars.symbol}, {len(bars):,} bars")
    return page("feature.html", parts, title=feature.name, run=run, facts=_facts(feature, known))


def _facts(feature: Feature, known: Floats) -> list[tuple[str, str]]:
    kernel = feature.kernel
    low, middle, high = (float(each) for each in np.quantile(known, [0.01, 0.5, 0.99]))
    return [
        ("group", kernel.group),
        ("unit", kernel.unit),
        ("warm-up", f"{feature.warmup:,} bars"),
        ("one in a hundred is below", number(low, 4)),
        ("half are below", number(middle, 4)),
        ("one in a hundred is above", number(high, 4)),
    ]


def _over_time(feature: Feature, bars: Bars, values: Floats, newest: int) -> str:
    import plotly.graph_objects as go  # noqa: PLC0415

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
    return str(figure.to_json())


def _spread(feature: Feature, known: Floats) -> str:
    import plotly.graph_objects as go  # noqa: PLC0415

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
    return str(figure.to_json())


def _plain(text: str) -> str:
    return " ".join(text.replace("`", "").split())
