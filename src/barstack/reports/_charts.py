"""Charts of the forecasts’ results: equity, accuracy by fold, calibration."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import plotly.graph_objects as go

from barstack.core.arrays import Floats

from ._theme import (
    BAND,
    GRID,
    INK,
    MUTED,
    Look,
    axis,
    error_bars,
    escaped,
    layout,
    looks,
    number,
    or_zero,
    present,
)

if TYPE_CHECKING:
    from barstack.evaluation import CalibrationBin, Equity, Evaluation, FoldAccuracy

Named = TypeVar("Named", "Equity", "CalibrationBin")


def equity(evaluation: Evaluation, horizon: str) -> go.Figure | None:
    """Growth after costs of the judged ensemble, before costs, and of holding."""
    curves = [curve for curve in evaluation.equity if curve.horizon == horizon and curve.time]
    if not curves:
        return None
    look = looks(evaluation)
    first, *others = _first_ahead(curves, evaluation.ensemble)
    moments = _numbers(first.time)
    judged = [
        _curve(f"{first.name} after costs", moments, first.net, look[first.name], 3.0),
        _curve(f"{first.name} before costs", moments, first.gross, look[first.name], 1.2),
        _curve("buy and hold", moments, first.hold, Look(color=MUTED, dash="4px,2px"), 1.6),
    ]
    rest = [
        _curve(other.name, _numbers(other.time), other.net, look[other.name], 1.6)
        for other in others
    ]
    for trace in rest:
        trace.visible = "legendonly"
    judged[0].zorder = 1
    figure = go.Figure(judged + rest)
    figure.update_layout(
        layout(400, hovermode="x unified"),
        xaxis=axis("", type="date", fixedrange=False, showgrid=False),
        yaxis=axis("Profit, % of one unit", zeroline=True, zerolinecolor=MUTED, tickformat="~g"),
    )
    return figure


def _numbers(times: list[str]) -> Floats:
    """Milliseconds since 1970 UTC: shorter than text, so that a page of many curves stays small."""
    plain = [time.removesuffix(" UTC").removesuffix("Z").split("+")[0] for time in times]
    return np.array(plain, dtype="datetime64[ms]").astype(np.float64)


def _curve(
    label: str, moments: Floats, growth: list[float], look: Look, width: float
) -> go.Scatter:
    return go.Scatter(
        x=moments,
        y=(100 * (np.array(growth, dtype=np.float64) - 1)).astype(np.float32),
        name=escaped(label),
        mode="lines",
        line={"color": look.color, "width": width, "dash": look.dash},
        meta={"swatch": "line"},
        hovertemplate="%{y:+.2f} %",
    )


def fold_accuracy(evaluation: Evaluation, horizon: str) -> go.Figure | None:
    """Directional accuracy in each fold, of the judged ensemble and the members."""
    first = evaluation.ensemble
    members = {score.name for score in evaluation.scores if score.role == "member"}
    rows = [
        row
        for row in evaluation.folds
        if row.horizon == horizon
        and row.name in members | {first}
        and present(row.directional_accuracy)
    ]
    if not rows:
        return None
    folds = sorted({row.fold for row in rows})
    names = [group[0].name for group in _by_name(rows, first)]
    look = looks(evaluation)
    figure = go.Figure(
        [
            _dots(group, folds, _offset(names, group[0].name), look[group[0].name])
            for group in _by_name(rows, first)
        ]
    )
    figure.update_layout(
        layout(420),
        shapes=[*_bands(len(folds)), _line_at(50)],
        xaxis=axis(
            "Fold (each tested later than the one before)",
            tickvals=list(range(len(folds))),
            ticktext=[_fold_label(fold, rows, len(folds)) for fold in folds],
            tickangle=0,
            range=[-0.5, len(folds) - 0.5],
            showgrid=False,
        ),
        yaxis=axis("Right direction, %", tickformat="~g"),
    )
    return figure


def _by_name(rows: list[FoldAccuracy], first: str) -> list[list[FoldAccuracy]]:
    names = dict.fromkeys([first] + [row.name for row in rows])
    groups = ([row for row in rows if row.name == name] for name in names)
    return [group for group in groups if group]


def _offset(names: list[str], name: str) -> float:
    """Where a name stands within its fold, which is one wide."""
    return 0.8 * ((names.index(name) + 0.5) / len(names) - 0.5)


def _dots(rows: list[FoldAccuracy], folds: list[int], offset: float, look: Look) -> go.Scatter:
    bold = look == Look()
    return go.Scatter(
        x=[folds.index(row.fold) + offset for row in rows],
        y=[_percent(row.directional_accuracy) for row in rows],
        error_y=error_bars(
            [(_percent(row.directional_accuracy_se), row.reach) for row in rows],
            look.color,
            2.4 if bold else 1.2,
        ),
        name=escaped(rows[0].name),
        mode="markers",
        marker={"color": look.color, "size": 11 if bold else 7, "symbol": look.symbol},
        meta={"swatch": look.glyph},
        text=[_fold_story(row) for row in rows],
        hovertemplate="%{text}<extra></extra>",
    )


def _fold_story(row: FoldAccuracy) -> str:
    right = number(_percent(row.directional_accuracy), 1)
    error = row.directional_accuracy_se
    known = error is not None and present(error)
    whisker = f" ± {number(100 * row.reach * or_zero(error), 1)}" if known else ""
    return (
        f"<b>{escaped(row.name)}</b>, fold {row.fold}<br>{right}{whisker} % right"
        f"<br>{row.n_decisions:,} decisions<br>{escaped(row.first_at)} to<br>{escaped(row.last_at)}"
    )


def _fold_label(fold: int, rows: list[FoldAccuracy], n_folds: int) -> str:
    """Number and first month; three short lines, because a dozen must fit on a phone."""
    since = _numbers([min(row.first_at for row in rows if row.fold == fold)])
    month = datetime.fromtimestamp(since[0] / 1000, tz=UTC)
    return f"{fold}<br>{month:%b<br>%Y}" if n_folds <= 8 else str(fold)


def _bands(n: int) -> list[dict[str, Any]]:
    """Every other fold shaded, so that neighbours can be distinguished."""
    plain: dict[str, Any] = {"type": "rect", "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    plain |= {"fillcolor": BAND, "line": {"width": 0}}
    return [plain | {"x0": place - 0.5, "x1": place + 0.5} for place in range(0, n, 2)]


def _line_at(level: float) -> dict[str, Any]:
    line = {"color": INK, "width": 1.5, "dash": "dash"}
    place = {"xref": "paper", "x0": 0, "x1": 1, "y0": level, "y1": level}
    return place | {"type": "line", "line": line, "layer": "below"}


_CALIBRATION_TITLES = {
    "return": ("Forecast, bps", "Realised, bps"),
    "direction": ("Forecast of up, %", "Went up, %"),
    "three_class": ("Forecast of the class, %", "Share realised, %"),
    "quantiles": ("Forecast of the median, bps", "Realised, bps"),
}


def calibration(evaluation: Evaluation, horizon: str) -> go.Figure | None:
    """Forecasts against realised values."""
    bins = [item for item in evaluation.calibration if item.horizon == horizon]
    of_three = evaluation.task == "three_class"
    bins = [item for item in bins if present(item.forecast) and present(item.realised)]
    if not bins:
        return None
    returns = evaluation.task in ("return", "quantiles")
    scale, unit = (1e4, "bps") if returns else (100.0, "%")
    titles = _CALIBRATION_TITLES[evaluation.task]
    look = looks(evaluation)
    first = _first_ahead(bins, evaluation.ensemble)[0].name
    drawn = [
        ([item for item in bins if (item.name, item.of) == each], *each)
        for each in sorted(
            dict.fromkeys((item.name, item.of) for item in bins), key=lambda each: each[0] != first
        )
    ]
    figure = go.Figure(
        [
            _binned(
                group,
                scale,
                unit,
                _CLASS_LOOKS.get(of, look[name]) if name == first else look[name],
                f"{name} {of}" if of_three else name,
            )
            for group, name, of in drawn
        ]
    )
    for trace, (_, name, _) in zip(figure.data, drawn, strict=True):
        if name != first:
            trace.visible = "legendonly"
    figure.add_trace(_diagonal([scale * item.forecast for item in bins]))
    zero = {"zeroline": returns, "zerolinecolor": GRID, "zerolinewidth": 2}
    figure.update_layout(
        layout(400),
        xaxis=axis(titles[0], tickformat="~g", **zero),
        yaxis=axis(titles[1], tickformat="~g", **zero),
    )
    return figure


_CLASS_LOOKS = {
    "SELL": Look("#d55e00", symbol="triangle-down", glyph="▼"),
    "HOLD": Look(MUTED, symbol="square", glyph="■"),
    "BUY": Look(symbol="triangle-up", glyph="▲"),
}


def _binned(
    bins: list[CalibrationBin], scale: float, unit: str, look: Look, name: str
) -> go.Scatter:
    ordered = sorted(bins, key=lambda item: item.forecast)
    return go.Scatter(
        x=[scale * item.forecast for item in ordered],
        y=[scale * item.realised for item in ordered],
        error_y=error_bars(
            [(scale * item.realised_se, item.reach) for item in ordered], look.color, 1.6
        ),
        name=escaped(name),
        mode="markers",
        marker={"color": look.color, "size": 9, "symbol": look.symbol},
        meta={"swatch": look.glyph},
        customdata=[[item.n_decisions, item.reach * scale * item.realised_se] for item in ordered],
        hovertemplate=(
            f"forecast %{{x:.2f}} {unit}<br>realised %{{y:.2f}} ± %{{customdata[1]:.2f}} {unit}"
            "<br>%{customdata[0]:,} decisions"
        ),
    )


def _diagonal(forecasts: list[float]) -> go.Scatter:
    ends = [min(forecasts), max(forecasts)]
    return go.Scatter(
        x=ends,
        y=ends,
        name="forecasts that are right on average",
        mode="lines",
        line={"color": MUTED, "width": 1.6, "dash": "dash"},
        meta={"swatch": "line"},
        hoverinfo="skip",
    )


def _first_ahead(items: list[Named], first: str) -> list[Named]:
    """The judged ensemble's ahead of the others, which keep their order."""
    return sorted(items, key=lambda item: item.name != first)


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
