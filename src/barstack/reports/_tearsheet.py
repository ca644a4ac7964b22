"""The page of a tearsheet: equity and falls, figures with their company, trades on the prices."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from barstack.core.arrays import Array, Floats
from barstack.evaluation.tearsheet import Tearsheet
from barstack.simulation import Simulation

from ._html import page
from ._theme import BLUE, GRID, HUES, INK, MUTED, VERMILLION, axis, escaped, layout, number

_MOST_BARS = 3_000  # drawn of one symbol
_MOST_TRADES = 400
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TRADE_FIGURES = (
    ("number", "Round trips", 0, 1.0),
    ("win_rate", "Win rate, %", 1, 100.0),
    ("profit_factor", "Profit factor", 2, 1.0),
    ("expectancy", "Mean net result", 2, 1.0),
    ("mean_gain", "Mean gain", 2, 1.0),
    ("mean_loss", "Mean loss", 2, 1.0),
    ("mean_bars", "Mean bars held", 1, 1.0),
    ("mean_adverse", "Mean adverse excursion, %", 2, 100.0),
    ("mean_favourable", "Mean favourable excursion, %", 2, 100.0),
    ("longest_run_of_losses", "Longest run of losses", 0, 1.0),
)


def render_tearsheet(found: Tearsheet, simulation: Simulation | None = None) -> str:
    """A tearsheet as one HTML page that loads nothing from anywhere.

    Parameters
    ----------
    found
        The figures.
    simulation
        Draws trades on the prices too.

    >>> from barstack.evaluation.tearsheet import tearsheet
    >>> from barstack.simulation import Targets, simulate_targets
    >>> from barstack.testing import walk
    >>> bars = walk(bars=300)
    >>> simulation = simulate_targets(bars, Targets.of("WALK", bars.closed_at[5], 1.0))
    >>> "buy and hold" in render_tearsheet(tearsheet(simulation, quick=True), simulation)
    True
    """
    return page(
        "tearsheet.html",
        title=found.title,
        subtitle="After the costs named here. What a simulation earns, an account may not.",
        facts=found.facts,
        sentence=found.sentence[0].upper() + found.sentence[1:] + ".",
        notes=found.notes,
        equity=_equity(found),
        fall=_fall(found),
        beside_heads=["", "Total, %", "A year, %", "Sharpe", "Drawdown, %", "Costs"],
        beside=[_beside_row(row) for row in found.beside],
        beaten=next((row["beaten"] for row in found.beside if "beaten" in row), None),
        stress=[[*_beside_row(row)[:-1], row["about"]] for row in found.stress],
        month_heads=["Year", *_MONTHS, "Year, %"],
        months=_months(found),
        trades=_trades_table(found),
        histogram=_histogram(found),
        risk=_risk(found),
        costs=[
            [name.replace("_", " ").capitalize(), number(value, 2)]
            for name, value in found.costs.items()
            if value != 0.0
        ],
        exposure=[
            [name.replace("_", " ").capitalize(), number(value, 2)]
            for name, value in found.exposure.items()
        ],
        paths=found.paths,
        capacity=found.capacity,
        drawdowns=[
            [number(100 * row["depth"], 1), row["from"], row["deepest"], row["to"] or "not yet"]
            for row in found.drawdowns
        ],
        by_symbol=[
            [row["symbol"], f"{row['trades']:,}", number(row["net"], 2),
             number(100 * row["win_rate"], 1)]
            for row in found.by_symbol[:50]
        ],
        by_hour=[[f"{row['hour']:02}:00", number(row["net"], 2)] for row in found.by_hour],
        by_volatility=[
            [row["days"], str(row["number"]), number(100 * row["total"], 1),
             number(row["sharpe"], 2)]
            for row in found.by_volatility
        ],
        prices={} if simulation is None else {
            symbol: trades_on_prices(simulation, symbol) for symbol in _drawn(simulation)
        },
    )  # fmt: skip


def _equity(found: Tearsheet) -> go.Figure:
    """Growth in per cent, beside buy-and-hold."""
    time = np.asarray(found.curve["time"], "datetime64[ms]").astype(float)
    figure = go.Figure()
    for name, column, style in (
        ("strategy, after costs", "equity", {"color": BLUE, "width": 2.6}),
        ("buy and hold", "hold", {"color": MUTED, "width": 1.6, "dash": "4px,2px"}),
    ):
        values = np.asarray(found.curve[column], float)
        figure.add_trace(
            go.Scatter(
                x=time,
                y=100.0 * (values / values[0] - 1.0),
                name=name,
                mode="lines",
                line=style,
                meta={"swatch": "line"},
                hovertemplate="%{y:+.2f} %",
            )
        )
    figure.update_layout(
        layout(380, hovermode="x unified"),
        xaxis=axis("", type="date", fixedrange=False, showgrid=False),
        yaxis=axis("Profit, %", zeroline=True, zerolinecolor=MUTED, tickformat="~g"),
    )
    return figure


def _fall(found: Tearsheet) -> go.Figure:
    time = np.asarray(found.curve["time"], "datetime64[ms]").astype(float)
    figure = go.Figure(
        go.Scatter(
            x=time,
            y=found.curve["drawdown"],
            name="below the peak",
            mode="lines",
            fill="tozeroy",
            fillcolor="rgba(213,94,0,0.25)",
            line={"color": VERMILLION, "width": 1.2},
            hovertemplate="%{y:.2f} %<extra></extra>",
        )
    )
    figure.update_layout(
        layout(220),
        xaxis=axis("", type="date", fixedrange=False, showgrid=False),
        yaxis=axis("Below the peak, %", tickformat="~g"),
    )
    return figure


def _histogram(found: Tearsheet) -> go.Figure | None:
    edges = np.asarray(found.histogram["edges"])
    if not len(edges):
        return None
    middle = 0.5 * (edges[1:] + edges[:-1])
    colours = [BLUE if each > 0.0 else VERMILLION for each in middle]
    figure = go.Figure(
        go.Bar(
            x=middle,
            y=found.histogram["counts"],
            marker={"color": colours},
            name="round trips",
            hovertemplate="%{y} round trips near %{x:.2f} %<extra></extra>",
        )
    )
    figure.update_layout(
        layout(260, bargap=0.1),
        xaxis=axis("Net result of a round trip, % of its value", tickformat="~g"),
        yaxis=axis("Round trips"),
    )
    return figure


def _beside_row(row: dict[str, Any]) -> list[str]:
    return [
        str(row["name"]),
        number(100 * row["total"], 1, sign=True),
        number(100 * row["annual"], 1, sign=True),
        number(row["sharpe"], 2),
        number(100 * row["drawdown"], 1),
        number(row["costs"], 2),
    ]


def _months(found: Tearsheet) -> list[list[str]]:
    years: dict[str, dict[int, float]] = {}
    for row in found.months:
        year, month = str(row["month"]).split("-")
        years.setdefault(year, {})[int(month)] = float(row["return"])
    return [
        [
            year,
            *(number(100 * own[month], 1) if month in own else "" for month in range(1, 13)),
            number(100 * (float(np.prod([1.0 + each for each in own.values()])) - 1.0), 1),
        ]
        for year, own in years.items()
    ]


def _trades_table(found: Tearsheet) -> list[list[str]]:
    rows = []
    for name, label, digits, scale in _TRADE_FIGURES:
        value = found.trades[name]
        rows.append([label, number(None if value is None else scale * value, digits)])
    return rows


def _risk(found: Tearsheet) -> list[list[str]]:
    return [
        [
            f"{kind.capitalize()}, {level}",
            number(100 * own[kind], 2),
            number(100 * own[f"{kind}_cvar"], 2),
        ]
        for level, own in found.risk.items()
        for kind in ("historical", "parametric", "filtered")
    ]


def _drawn(simulation: Simulation) -> list[str]:
    """The symbols with most round trips, as a page of hundreds would be of no use."""
    counts = np.bincount(simulation.trades["symbol"], minlength=len(simulation.symbols))
    return [simulation.symbols[code] for code in np.argsort(-counts, kind="stable")[:3]
            if counts[code]]  # fmt: skip


def trades_on_prices(simulation: Simulation, symbol: str) -> go.Figure:
    """The newest bars of a symbol with entries, exits and a line for each round trip."""
    own, code = simulation.panel[symbol], simulation.symbols.index(symbol)
    trades = simulation.trades[simulation.trades["symbol"] == code][-_MOST_TRADES:]
    first = max(int(trades["row_in"].min()) - 20, len(own) - _MOST_BARS, 0)
    last = min(int(trades["row_out"].max()) + 20, len(own)) if len(trades) else len(own)
    first = max(first, last - _MOST_BARS)
    records, time = own.records[first:last], own.closed_at[first:last].astype("datetime64[ms]")
    moments = time.astype(float)
    shown = trades[trades["row_in"] >= first]
    figure = go.Figure(
        go.Candlestick(
            x=moments,
            open=records["open"],
            high=records["high"],
            low=records["low"],
            close=records["close"],
            name="bars",
            increasing={"line": {"color": MUTED, "width": 1}, "fillcolor": GRID},
            decreasing={"line": {"color": INK, "width": 1}, "fillcolor": INK},
            showlegend=False,
        )
    )
    net = shown["gross"] - shown["cost"]
    for label, inside, colour in (
        ("gains", net > 0.0, BLUE),
        ("losses", net <= 0.0, VERMILLION),
    ):
        figure.add_trace(_lines(shown[inside], label, colour))
    for label, longs, symbol_drawn, colour in (
        ("long entries", True, "triangle-up", HUES[2]),
        ("short entries", False, "triangle-down", HUES[3]),
    ):
        rows = shown[(shown["quantity"] > 0.0) == longs]
        figure.add_trace(
            go.Scatter(
                x=_moments(rows["opened_at"]),
                y=rows["entry"],
                name=label,
                mode="markers",
                marker={"symbol": symbol_drawn, "size": 9, "color": colour},
                hovertemplate="entered at %{y:.6~g}<extra></extra>",
            )
        )
    figure.update_layout(
        layout(460, hovermode="closest"),
        xaxis=axis("", type="date", fixedrange=False, showgrid=False,
                   rangeslider={"visible": False}),
        yaxis=axis(escaped(symbol), fixedrange=False),
    )  # fmt: skip
    return figure


def _moments(microseconds: Array) -> Floats:
    return np.asarray(microseconds, float) / 1000.0


def _lines(trades: Array, label: str, colour: str) -> go.Scatter:
    """One line for each round trip, from entry to exit, with gaps between them."""
    x: Floats = np.full(3 * len(trades), np.nan)
    y: Floats = np.full(3 * len(trades), np.nan)
    x[0::3], x[1::3] = _moments(trades["opened_at"]), _moments(trades["closed_at"])
    y[0::3], y[1::3] = trades["entry"], trades["exit"]
    return go.Scatter(
        x=[None if np.isnan(each) else each for each in x],
        y=[None if np.isnan(each) else each for each in y],
        name=label,
        mode="lines",
        line={"color": colour, "width": 2},
        meta={"swatch": "line"},
        hovertemplate="%{y:.6~g}<extra></extra>",
    )
