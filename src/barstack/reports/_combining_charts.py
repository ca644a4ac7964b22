"""Charts of combining: gains, what members contribute, importances, weights by regime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from barstack.evaluation import BEST_SO_FAR, EQUAL_WEIGHTS, Correlation

from ._member_charts import fill, heat_figure
from ._theme import (
    BLUE,
    HUES,
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
)

if TYPE_CHECKING:
    from barstack.evaluation import Evaluation

MOST_SHOWN = 24  # members, largest first, so that a page of hundreds stays readable
_REFERENCES = {
    EQUAL_WEIGHTS: ("against equal weights", Look(BLUE, symbol="diamond", glyph="◆")),
    BEST_SO_FAR: ("against the best member so far", Look(HUES[0], symbol="circle", glyph="●")),
}
_ZERO = Look(MUTED, symbol="square", glyph="■")
_NAIVE = Look(MUTED, symbol="triangle-up", glyph="▲")


def gains(evaluation: Evaluation, horizon: str) -> go.Figure | None:
    """By how much each ensemble's loss lies below that of something simpler, with intervals."""
    found = [each for each in evaluation.gains if each.horizon == horizon]
    if not found:
        return None
    names = list(dict.fromkeys(each.ensemble for each in found))[:MOST_SHOWN]
    against = list(dict.fromkeys(each.against for each in found))
    against.sort(key=lambda name: list(_REFERENCES).index(name) if name in _REFERENCES else 9)
    figure = go.Figure()
    for place, reference in enumerate(against):
        plain = _ZERO if reference == "zero" else _NAIVE
        title, look = _REFERENCES.get(reference, (f"against {reference}", plain))
        own = [each for each in found if each.against == reference and each.ensemble in names]
        figure.add_trace(
            _points(
                [100 * each.gain for each in own],
                [names.index(each.ensemble) + _offset(place, len(against)) for each in own],
                [(_scaled(each.gain_se), each.reach) for each in own],
                title,
                look,
                [escaped(each.sentence) for each in own],
            )
        )
    return _lying(figure, names, "Lower loss, %")


def contributions(evaluation: Evaluation, horizon: str) -> go.Figure | None:
    """Shapley value of each member, and what it adds to all the others, with intervals."""
    found = [each for each in evaluation.contributions if each.horizon == horizon]
    if not found:
        return None
    found = sorted(found, key=lambda each: -abs(each.shapley))[:MOST_SHOWN]
    found = sorted(found, key=lambda each: -each.shapley)
    names = [each.member for each in found]
    values: dict[str, tuple[list[tuple[float | None, float | None]], Look]] = {
        "Shapley value": ([(each.shapley, each.shapley_se) for each in found], Look()),
        "left out alone": (
            [(each.left_out, each.left_out_se) for each in found],
            Look(HUES[0], symbol="circle", glyph="●"),
        ),
    }
    figure = go.Figure()
    for place, (title, (points, look)) in enumerate(values.items()):
        figure.add_trace(
            _points(
                [_scaled(value) for value, _ in points],
                [row + _offset(place, 2) for row in range(len(names))],
                [(_scaled(se), each.reach) for (_, se), each in zip(points, found, strict=True)],
                title,
                look,
                [
                    f"{escaped(name)}, {title}: {number(_scaled(value), 3, sign=True)} %"
                    for name, (value, _) in zip(names, points, strict=True)
                ],
            )
        )
    return _lying(figure, names, "Skill that the member adds to equal weights, %")


def importances(evaluation: Evaluation, horizon: str) -> go.Figure | None:
    """Rise of each ensemble's loss when one of its members is shuffled, with intervals."""
    found = [each for each in evaluation.importances if each.horizon == horizon]
    if not found:
        return None
    size: dict[str, float] = {}
    for each in found:
        size[each.member] = max(size.get(each.member, 0.0), abs(each.rise))
    names = sorted(size, key=lambda name: -size[name])[:MOST_SHOWN]
    ensembles = list(dict.fromkeys(each.ensemble for each in found))
    look = looks(evaluation)
    figure = go.Figure()
    for place, ensemble in enumerate(ensembles):
        own = [each for each in found if each.ensemble == ensemble and each.member in names]
        figure.add_trace(
            _points(
                [100 * each.rise for each in own],
                [names.index(each.member) + _offset(place, len(ensembles)) for each in own],
                [(_scaled(each.rise_se), each.reach) for each in own],
                ensemble,
                look.get(ensemble, Look()),
                [
                    f"{escaped(ensemble)} without the order of {escaped(each.member)}: "
                    f"{number(100 * each.rise, 3, sign=True)} %"
                    for each in own
                ],
                hidden=place >= _MOST_AT_ONCE,
            )
        )
    return _lying(figure, names, "Rise of the loss when shuffled, %")


_MOST_AT_ONCE = 6  # ensembles that are drawn before anyone asks for more


def fold_gains(evaluation: Evaluation, horizon: str) -> go.Figure | None:
    """Gain against equal weights in each fold, of each ensemble."""
    found = [each for each in evaluation.fold_gains if each.horizon == horizon]
    if not found:
        return None
    folds = sorted({each.fold for each in found})
    ensembles = list(dict.fromkeys(each.ensemble for each in found))
    look = looks(evaluation)
    figure = go.Figure()
    for place, ensemble in enumerate(ensembles):
        own = [each for each in found if each.ensemble == ensemble]
        trace = _points(
            [100 * each.gain for each in own],
            [folds.index(each.fold) + _offset(place, len(ensembles)) for each in own],
            [(_scaled(each.gain_se), each.reach) for each in own],
            ensemble,
            look.get(ensemble, Look()),
            [
                f"{escaped(ensemble)}, fold {each.fold}: {number(100 * each.gain, 2, sign=True)} %"
                f"<br>{each.n_decisions:,} decisions"
                for each in own
            ],
            hidden=place >= _MOST_AT_ONCE,
            upright=True,
        )
        figure.add_trace(trace)
    figure.update_layout(
        layout(360),
        shapes=[_zero("y")],
        xaxis=axis(
            "Fold",
            tickvals=list(range(len(folds))),
            ticktext=[str(fold) for fold in folds],
            range=[-0.5, len(folds) - 0.5],
            showgrid=False,
        ),
        yaxis=axis("Lower loss than equal weights, %", tickformat="~g"),
    )
    return figure


def disagreement(evaluation: Evaluation, horizon: str) -> go.Figure | None:
    """Share of decisions at which two members take opposite sides."""
    found = [each for each in evaluation.diversity if each.horizon == horizon]
    if not found or len(found[0].names) < 2:
        return None
    each = found[0]
    shown = slice(0, MOST_SHOWN)
    matrix: list[list[float | None]] = [list(row[shown]) for row in each.disagreement[shown]]
    table = Correlation(horizon, each.names[shown], matrix)
    return heat_figure(table, "disagreement", low=0.0)


def regime_weights(evaluation: Evaluation, horizon: str) -> go.Figure | None:
    """Mean weights of the members while each regime was likely, one row an ensemble."""
    found = [each for each in evaluation.regime_weights if each.horizon == horizon]
    if not found:
        return None
    ensembles = list(dict.fromkeys(each.ensemble for each in found))
    look = looks(evaluation)
    figure = make_subplots(
        rows=len(ensembles),
        shared_xaxes=True,
        subplot_titles=[escaped(name) for name in ensembles],
        vertical_spacing=0.3 / len(ensembles),
    )
    for row, ensemble in enumerate(ensembles, start=1):
        own = [each for each in found if each.ensemble == ensemble]
        for name in dict.fromkeys(name for each in own for name in each.weights):
            figure.add_trace(
                go.Bar(
                    x=[each.regime.replace("_", " ") for each in own],
                    y=[each.weights.get(name) for each in own],
                    name=escaped(name),
                    legendgroup=escaped(name),
                    marker=fill(look.get(name, Look())),
                    meta={"swatch": look.get(name, Look()).pattern_glyph},
                    customdata=[100 * each.share for each in own],
                    hovertemplate=f"{escaped(name)}: %{{y:.3f}}<br>%{{customdata:.0f}} % of the "
                    "decisions<extra></extra>",
                ),
                row=row,
                col=1,
            )
    figure.update_layout(layout(120 + 240 * len(ensembles)), barmode="relative", bargap=0.35)
    figure.update_layout(margin={"t": 30})
    figure.update_xaxes(axis("", type="category", showgrid=False))
    figure.update_yaxes(axis("Weight", zeroline=True, zerolinecolor=MUTED, tickformat="~g"))
    figure.update_annotations(x=0, xanchor="left", font={"size": 13})
    return figure


def _points(
    values: Sequence[float | None],
    places: Sequence[float],
    errors: Sequence[tuple[float | None, float]],
    name: str,
    look: Look,
    stories: Sequence[str],
    *,
    hidden: bool = False,
    upright: bool = False,
) -> go.Scatter:
    """Marks with 95 % intervals; `places` along the other axis, `errors` as (error, reach)."""
    where: dict[str, Any] = {"x": values, "y": places}
    if upright:
        where = {"x": places, "y": values}
    where["error_y" if upright else "error_x"] = error_bars(errors, look.color, 1.6)
    return go.Scatter(
        **where,
        name=escaped(name),
        mode="markers",
        marker={"color": look.color, "size": 9, "symbol": look.symbol},
        meta={"swatch": look.glyph},
        text=list(stories),
        hovertemplate="%{text}<extra></extra>",
        visible="legendonly" if hidden else True,
    )


def _lying(figure: go.Figure, names: Sequence[str], title: str) -> go.Figure:
    """Names down the side, a line at zero."""
    n_traces = max(len(figure.data), 1)
    figure.update_layout(
        layout(100 + max(110, len(names) * (22 + 9 * n_traces))),
        shapes=[_zero("x")],
        xaxis=axis(title, tickformat="~g"),
        yaxis=axis(
            "",
            tickvals=list(range(len(names))),
            ticktext=[escaped(name) for name in names],
            range=[len(names) - 0.5, -0.5],
            showgrid=False,
        ),
    )
    return figure


def _zero(along: str) -> dict[str, Any]:
    """A line at no difference."""
    other = "y" if along == "x" else "x"
    ends = {f"{along}0": 0, f"{along}1": 0, f"{other}0": 0, f"{other}1": 1, f"{other}ref": "paper"}
    line = {"color": INK, "width": 1.5, "dash": "dash"}
    return {"type": "line", "layer": "below", "line": line} | ends


def _offset(place: int, count: int) -> float:
    """Where one of several stands within a row, which is one wide."""
    return 0.7 * ((place + 0.5) / count - 0.5)


def _scaled(share: float | None) -> float | None:
    return None if share is None else 100 * or_zero(share)
