"""The page that compares forecasters of one run or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from ._html import page
from ._member_charts import heat_figure
from ._theme import BLUE, MUTED, axis, error_bars, escaped, layout, number

if TYPE_CHECKING:
    from barstack.evaluation import Compared, Comparison

_MOST_DRAWN = 60


def render_comparison(found: Sequence[Comparison], runs: Mapping[str, str]) -> str:
    """The comparison as one HTML page that loads nothing from anywhere.

    Parameters
    ----------
    found
        A comparison per horizon.
    runs
        Titles of the runs by the label that ends their forecasters' names where there are several.
    """
    first = found[0]
    return page(
        "comparison.html",
        title="Forecasters side by side",
        facts=[
            ("runs", str(len(runs))),
            ("forecasters", str(len(first.entries))),
            ("horizons", ", ".join(each.horizon for each in found)),
        ],
        shown=first.horizon,
        runs=runs,
        found=found,
        skill={each.horizon: _skill(each) for each in found},
        boards={
            each.horizon: [_row(*entry) for entry in enumerate(each.entries)] for each in found
        },
        correlation={each.horizon: heat_figure(each.correlation) for each in found},
    )


def _skill(found: Comparison) -> go.Figure:
    """Information coefficients with whiskers of 95 %, best on top."""
    entries = [entry for entry in found.entries if entry.ic is not None][:_MOST_DRAWN]
    figure = go.Figure(
        go.Scatter(
            x=[entry.ic for entry in entries],
            y=[escaped(entry.name) for entry in entries],
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


def _row(place: int, entry: Compared) -> tuple[str, str, list[str]]:
    """Name, style and figures; those significantly behind the best are grey, as naive ones are."""
    cells = [
        _with_error(entry.directional_accuracy, entry.directional_accuracy_se, 100, 1),
        _with_error(entry.ic, entry.ic_se, 1, 3),
        _with_error(entry.behind, entry.behind_se, 1, 3) if place else "",
    ]
    return entry.name, "naive" if entry.distinguished else "member", cells


def _with_error(value: float | None, error: float | None, scale: float, digits: int) -> str:
    shown = number(None if value is None else scale * value, digits)
    return shown if error is None else f"{shown} ± {number(scale * error, digits)}"
