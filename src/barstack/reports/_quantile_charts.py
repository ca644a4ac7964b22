"""Charts of quantile forecasts: calibration, and the newest forecasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from ._theme import (
    BLUE,
    GRID,
    HUES,
    INK,
    MUTED,
    VERMILLION,
    Look,
    axis,
    escaped,
    layout,
    looks,
    number,
)

if TYPE_CHECKING:
    from barstack.evaluation import Evaluation, Fan, LevelShare

_MOST_TICKS = 8


def shares(evaluation: Evaluation, horizon: str) -> go.Figure | None:
    """The share of realised values below each quantile against its level."""
    found = [share for share in evaluation.shares if share.horizon == horizon]
    if not found:
        return None
    first = evaluation.ensemble
    look = looks(evaluation)
    names = dict.fromkeys([first] + [share.name for share in found])
    by_name = [[share for share in found if share.name == name] for name in names]
    marks = [_marks(each, look[each[0].name]) for each in by_name if each]
    for trace in marks[1:]:
        trace.visible = "legendonly"
    figure = go.Figure([_luck(by_name[0] or found), _diagonal(), *marks])
    levels = {"tickvals": [100 * level for level in evaluation.levels], "tickformat": "~g"}
    figure.update_layout(
        layout(400),
        xaxis=axis("Level of the quantile, %", range=[0, 100], **levels),
        yaxis=axis("Realised below, %", range=[0, 100], **levels),
    )
    return figure


def _marks(found: list[LevelShare], look: Look) -> go.Scatter:
    return go.Scatter(
        x=[100 * share.level for share in found],
        y=[100 * share.below for share in found],
        name=escaped(found[0].name),
        mode="markers",
        marker={"color": look.color, "size": 9, "symbol": look.symbol},
        meta={"swatch": look.glyph},
        customdata=[[share.n_decisions, 100 * share.reach * share.below_se] for share in found],
        hovertemplate=(
            "level %{x:g} %<br>%{y:.1f} ± %{customdata[1]:.1f} % realised below"
            "<br>%{customdata[0]:,} decisions"
        ),
    )


def _luck(found: list[LevelShare]) -> go.Scatter:
    """Where luck would put 95 % of the marks, around the diagonal."""
    inner = ((share.level, share.reach * share.below_se) for share in found)
    ends = [(0.0, 0.0), *inner, (1.0, 0.0)]
    upper = [100 * min(level + error, 1.0) for level, error in ends]
    lower = [100 * max(level - error, 0.0) for level, error in ends]
    across = [100 * level for level, _ in ends]
    return _area(across, lower, upper, GRID, 1.0)


def _diagonal() -> go.Scatter:
    return go.Scatter(
        x=[0, 100],
        y=[0, 100],
        name="calibrated",
        mode="lines",
        line={"color": MUTED, "width": 1.6, "dash": "dash"},
        meta={"swatch": "line"},
        hoverinfo="skip",
    )


def fan(evaluation: Evaluation, horizon: str) -> go.Figure | None:
    """Bands between quantiles of the newest decisions, by symbol, and the realised returns."""
    found = [each for each in evaluation.fans if each.horizon == horizon]
    if not found:
        return None
    figure = go.Figure()
    for place, each in enumerate(found):
        colour = BLUE if place == 0 else HUES[(place - 1) % len(HUES)]
        for trace in _fan(each, evaluation.levels, colour):
            trace.visible = True if place == 0 else "legendonly"
            figure.add_trace(trace)
    longest = max(found, key=lambda each: len(each.time))
    figure.update_layout(
        layout(400),
        xaxis=axis("Newest decisions", showgrid=False, **_ticks(longest.time)),
        yaxis=axis("Return, bps", zeroline=True, zerolinecolor=MUTED, tickformat="~g"),
    )
    return figure


def _fan(each: Fan, levels: list[float], colour: str) -> list[go.Scatter]:
    """The bands from the widest to the narrowest, the median, and realised returns."""
    across = list(range(len(each.time)))
    scaled = [[1e4 * value for value in quantile] for quantile in each.quantiles]
    middle = levels.index(0.5)
    group = {
        "legendgroup": escaped(each.symbol),
        "name": escaped(each.symbol),
        "meta": {"swatch": "■"},
    }
    pairs = zip(scaled[:middle], reversed(scaled[middle + 1 :]), strict=False)
    bands = [_area(across, lower, upper, colour, 0.2, **group) for lower, upper in pairs]
    median = go.Scatter(
        x=across,
        y=scaled[middle],
        mode="lines",
        line={"color": colour, "width": 1.6},
        marker={"color": colour},
        text=[_story(each, levels, place) for place in across],
        hovertemplate="%{text}<extra></extra>",
        **group,
    )
    known = [place for place in across if each.realised[place] is not None]
    realised = [1e4 * (each.realised[place] or 0.0) for place in known]
    outside = [
        not scaled[0][place] <= value <= scaled[-1][place]
        for place, value in zip(known, realised, strict=True)
    ]
    dots = go.Scatter(
        x=known,
        y=realised,
        mode="markers",
        marker={
            "color": [VERMILLION if out else INK for out in outside],
            "symbol": ["x" if out else "circle" for out in outside],
            "size": [7 if out else 4 for out in outside],
        },
        text=[_story(each, levels, place) for place in known],
        hovertemplate="%{text}<extra></extra>",
        **(group | {"meta": {"swatch": "■"}}),
    )
    # The page's legend takes its colour from the last trace of a group.
    return [*bands, dots, median]


def _story(each: Fan, levels: list[float], place: int) -> str:
    quantiles = "<br>".join(
        f"{100 * level:g} %: {number(1e4 * quantile[place], 1, sign=True)} bps"
        for level, quantile in zip(levels, each.quantiles, strict=True)
    )
    realised = each.realised[place]
    known = "open" if realised is None else f"{number(1e4 * realised, 1, sign=True)} bps"
    moment = f"<b>{escaped(each.symbol)}</b> {escaped(each.time[place])}"
    return f"{moment}<br>{quantiles}<br>realised: {known}"


def _area(
    across: list[Any],
    lower: list[float],
    upper: list[float],
    colour: str,
    opacity: float,
    **more: Any,
) -> go.Scatter:
    """What lies between two lines."""
    return go.Scatter(
        x=[*across, *reversed(across)],
        y=[*lower, *reversed(upper)],
        mode="lines",
        fill="toself",
        fillcolor=colour,
        line={"width": 0, "color": colour},
        opacity=opacity,
        hoverinfo="skip",
        **more,
    )


def _ticks(times: list[str]) -> dict[str, Any]:
    """A tick where a day begins, of as many days as there is room for."""
    days = [time[:10] for time in times]
    begins = [place for place, day in enumerate(days) if place == 0 or day != days[place - 1]]
    shown = begins[:: -(-len(begins) // _MOST_TICKS)]
    return {"tickvals": shown, "ticktext": [days[place][5:] for place in shown]}
