"""The page of a judgement: the verdict on what was made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from barstack.core.text import listed, printable

from ._html import page
from ._judgement_facts import judgement_facts
from ._theme import BLUE, INK, MUTED, VERMILLION, axis, error_bars, layout

if TYPE_CHECKING:
    from barstack.evaluation.judging import Judgement

_SYMBOLS_SHOWN = 6


def render_judgement(found: Judgement) -> str:
    """The judgement as one HTML page that loads nothing from anywhere.

    >>> import barstack as bs
    >>> from barstack.testing import walk
    >>> bars = walk(600)
    >>> positions = bars.to_frame()[["timestamp"]].assign(position=[1, -1] * 300)
    >>> "edge: none" in render_judgement(bs.judge(positions, bars))
    True
    """
    word = {"none": "No edge", "unproven": "Not proven", "supported": "Supported"}[found.edge]
    source = printable(Path(found.source).name or found.source)
    facts = judgement_facts(found)
    return page(
        "judgement.html",
        title=f"Judgement of {source}",
        subtitle=f"{facts[0][1]} on {listed(list(map(printable, found.symbols)), _SYMBOLS_SHOWN)}",
        facts=[],
        found=found,
        word=word,
        figures=facts[1:],
        growth=_growth(found),
        parts=_parts(found),
        lags=_lags(found),
    )


def _growth(found: Judgement) -> go.Figure | None:
    curve = found.equity
    if curve is None or not curve.time:
        return None
    moments = np.array(curve.time, dtype="datetime64[ms]").astype(np.float64)
    lines: list[tuple[str, list[float], dict[str, Any]]] = [
        ("after costs", curve.net, {"color": BLUE, "width": 3.0}),
        ("before costs", curve.gross, {"color": BLUE, "width": 1.2}),
        ("buy and hold", curve.hold, {"color": MUTED, "width": 1.6, "dash": "4px,2px"}),
    ]
    if found.kind == "equity":
        lines = [("the account", curve.net, lines[0][2]), lines[2]]
    figure = go.Figure(
        [
            go.Scatter(
                x=moments,
                y=(100 * (np.array(values) - 1)).astype(np.float32),
                name=name,
                mode="lines",
                line=line,
                meta={"swatch": "line"},
                hovertemplate="%{y:+.2f} %",
            )
            for name, values, line in lines
        ]
    )
    figure.update_layout(
        layout(380, hovermode="x unified"),
        xaxis=axis("", type="date", fixedrange=False, showgrid=False),
        yaxis=axis("Profit, % of one unit", zeroline=True, zerolinecolor=MUTED, tickformat="~g"),
    )
    return figure


def _parts(found: Judgement) -> go.Figure | None:
    parts = found.stretches
    if len(parts) < 2:
        return None
    figure = go.Figure(
        go.Scatter(
            x=list(range(len(parts))),
            y=[each.net_edge_bps for each in parts],
            error_y=error_bars([(each.net_edge_bps_se, 1.96) for each in parts], BLUE, 2.0),
            mode="markers",
            marker={"color": BLUE, "size": 10, "symbol": "diamond"},
            name="net edge",
            text=[f"{each.first_at} to {each.last_at}" for each in parts],
            hovertemplate="%{text}<br>%{y:.2f} bps a bar<extra></extra>",
        )
    )
    figure.update_layout(
        layout(320),
        shapes=[_level(0.0)],
        xaxis=axis(
            "Begins",
            tickvals=list(range(0, len(parts), 2)),  # all would overlap on a phone
            ticktext=["<br>".join((each.first_at[5:], each.first_at[:4])) for each in parts[::2]],
            tickangle=0,
            showgrid=False,
        ),
        yaxis=axis("Net edge, bps a bar", tickformat="~g"),
    )
    return figure


def _lags(found: Judgement) -> go.Figure | None:
    if not found.lead_lag:
        return None
    lags = [lag for lag, _ in found.lead_lag]
    figure = go.Figure(
        go.Bar(
            x=lags,
            y=[correlation for _, correlation in found.lead_lag],
            marker={"color": [VERMILLION if lag == 0 else BLUE for lag in lags]},
            name="correlation",
            hovertemplate="%{x} bars: %{y:.3f}<extra></extra>",
        )
    )
    figure.update_layout(
        layout(300),
        bargap=0.3,
        xaxis=axis("Bars after the decision", showgrid=False, zeroline=False, nticks=9),
        yaxis=axis("Correlation", tickformat="~g", zeroline=True, zerolinecolor=MUTED),
    )
    return figure


def _level(value: float) -> dict[str, Any]:
    line = {"color": INK, "width": 1.5, "dash": "dash"}
    place = {"xref": "paper", "x0": 0, "x1": 1, "y0": value, "y1": value}
    return place | {"type": "line", "line": line, "layer": "below"}
