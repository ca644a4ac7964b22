"""The page of a world: how good its best forecast is, and what its bars are like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import plotly.graph_objects as go

from barstack.core.arrays import Floats
from barstack.core.horizon import Horizon
from barstack.worlds import Likeness, World

from ._html import page
from ._theme import BLUE, GRID, HUES, axis, escaped, layout, number

_NAMES_SHOWN = 8
_MOST_SHOWN = 6
Points = tuple[Floats, Floats]
_SIZES = [0.2, 0.5, 1, 2, 5, 10, 20, 50]
_SHARES = [0.001, 0.01, 0.1, 1, 10, 100]
_SMOOTH = 5  # lags averaged into one point, so that lines can be distinguished


def render_world(
    name: str,
    world: World,
    figures: list[dict[str, Any]],
    own: list[Likeness],
    real: list[Likeness],
) -> str:
    """The world as one HTML page that loads nothing from anywhere.

    Parameters
    ----------
    figures
        As in truth.json.
    own, real
        What bars of the world, and real ones to compare, are like; `real` may be empty.
    """
    charts = {
        "clustering": _clustering,
        "memory": _memory,
        "tails": _tails,
        "day": _day,
        "volume": _volume,
    }
    summaries = [each.summary() for each in [*own, *real][:_NAMES_SHOWN]]
    kind = (world.registered_as or ("", ""))[1]
    return page(
        "world.html",
        title=name,
        facts=_facts(world),
        world=world,
        kind=kind.replace("_", " "),
        about=" ".join((type(world).__doc__ or "").split()),
        sentence=_sentence(figures),
        figures=[_figures(each) for each in figures],
        charts={name: draw(own, real) for name, draw in charts.items()},
        number_heads=["Fact", *(str(each["symbol"]) for each in summaries)],
        numbers=[
            [fact.replace("_", " "), *(_number(each[fact]) for each in summaries)]
            for fact in summaries[0]
            if fact != "symbol"
        ],
    )


def _facts(world: World) -> list[tuple[str, str]]:
    return [
        ("symbols", f"{len(world.names):,}"),
        ("bars of each", f"{world.bars:,}"),
        ("length", world.bar),
        ("calendar", world.calendar),
        ("from", world.start),
        ("seed", str(world.seed)),
    ]


def _sentence(figures: list[dict[str, Any]]) -> str:
    best = max(figures, key=lambda each: each["r2"]["value"])
    if not best["r2"]["value"]:
        return "Nobody can forecast these prices: the best forecast of every return is 0."
    right = 100 * best["directional_accuracy"]["value"]
    return (
        f"The best possible forecast gets {right:.1f} % of signs right "
        f"{Horizon.parse(best['horizon']).in_words} ahead. No model can do better on average."
    )


def _figures(each: dict[str, Any]) -> list[str]:
    accuracy = each["directional_accuracy"]
    return [
        each["horizon"],
        number(100 * each["r2"]["value"], 3),
        number(each["ic"]["value"], 4),
        number(100 * accuracy["value"], 2),
        number(100 * accuracy["se"], 3) if accuracy["se"] else "–",
        accuracy["how"],
    ]


def _number(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return "–" if value is None else f"{value:.3g}".replace("-", "−")


def _clustering(world: list[Likeness], real: list[Likeness]) -> go.Figure:
    """Autocorrelation of the size of returns."""
    figure = _lines(world, real, lambda each: _smoothed(each.acf_size), "%{y:.3f} at lag %{x:.0f}")
    figure.update_layout(
        layout(380),
        xaxis=axis("Bars apart", type="log", tickvals=[3, 10, 30, 100, 300]),
        yaxis=axis("Correlation of |return|", zeroline=True, tickformat="~g"),
    )
    return figure


def _memory(world: list[Likeness], real: list[Likeness]) -> go.Figure:
    """Autocorrelation of returns themselves, with the band of pure noise."""
    figure = _lines(
        world,
        real,
        lambda each: (np.arange(1.0, 41.0), each.acf_return[:40]),
        "%{y:+.3f} at lag %{x:.0f}",
    )
    reach = 2.0 / np.sqrt(min(each.n_bars for each in (*world, *real)))
    band = {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": -reach, "y1": reach}
    figure.update_layout(
        layout(340),
        shapes=[band | {"fillcolor": GRID, "line": {"width": 0}, "layer": "below"}],
        xaxis=axis("Bars apart"),
        yaxis=axis("Correlation of returns", range=[-0.15, 0.15], tickformat="~g"),
    )
    return figure


def _tails(world: list[Likeness], real: list[Likeness]) -> go.Figure:
    """How rare large moves are."""
    figure = _lines(
        world,
        real,
        lambda each: (each.tail[:, 0], 100 * each.tail[:, 1]),
        "%{y:.3g} % move further than %{x:.2f} deviations",
    )
    figure.update_layout(
        layout(380),
        xaxis=axis("Size, standard deviations", type="log", range=[-0.7, 1.7], tickvals=_SIZES),
        yaxis=axis("Share of bars that move further, %", type="log", tickvals=_SHARES),
    )
    return figure


def _day(world: list[Likeness], real: list[Likeness]) -> go.Figure:
    """Mean size of returns through the session."""
    return _through_the_day(world, real, lambda each: each.size_by_hour, "Mean |return| over usual")


def _volume(world: list[Likeness], real: list[Likeness]) -> go.Figure:
    """Mean volume through the session."""
    return _through_the_day(world, real, lambda each: each.volume_by_hour, "Mean volume over usual")


def _through_the_day(
    world: list[Likeness],
    real: list[Likeness],
    of: Callable[[Likeness], Floats],
    title: str,
) -> go.Figure:
    have = [[each for each in group if len(of(each))] for group in (world, real)]
    figure = _lines(
        have[0], have[1], lambda each: (each.hour, of(each)), "%{y:.2f} at hour %{x:.1f}"
    )
    figure.update_layout(
        layout(340),
        xaxis=axis("Hours since the session opened", tickformat="~g"),
        yaxis=axis(title, rangemode="tozero", tickformat="~g"),
    )
    return figure


def _lines(
    world: list[Likeness], real: list[Likeness], points: Callable[[Likeness], Points], hover: str
) -> go.Figure:
    styles: list[dict[str, Any]] = [{"color": BLUE, "width": 3.2, "dash": "solid"}]
    styles += [{"color": hue, "width": 1.6, "dash": "solid"} for hue in HUES]
    traces = []
    for each, style in zip((*world, *real[:_MOST_SHOWN]), styles, strict=False):
        x, y = points(each)
        name = f"{each.symbol}, synthetic" if each in world else each.symbol
        traces.append(
            go.Scatter(
                x=x,
                y=np.asarray(y, np.float32),
                name=escaped(name),
                mode="lines",
                line=style,
                zorder=1 if each in world else 0,
                meta={"swatch": "line"},
                hovertemplate=hover,
            )
        )
    return go.Figure(traces)


def _smoothed(acf: Floats) -> Points:
    known = acf[np.isfinite(acf)]
    used = len(known) - len(known) % _SMOOTH
    lags = np.arange(1.0, used + 1)
    return lags.reshape(-1, _SMOOTH).mean(axis=1), known[:used].reshape(-1, _SMOOTH).mean(axis=1)
