"""The page of bars: what is there, what is missing, what looks wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from barstack.bars.checks import CHECKS, STRUCTURAL
from barstack.core.arrays import Array, Floats, Ints

from ._html import page
from ._survey import PICTURES, Portrait, Survey, facts, sentence
from ._theme import BLUE, GRID, HUES, MUTED, OPPOSED, SYMBOLS, VERMILLION, axis, escaped, layout

_FINDINGS_SHOWN = 200
_LEVELS = {  # class and word
    "refuse": ("level-refuse", "Refused"),
    "warn": ("level-warn", "Warnings"),
    "sound": ("edge-supported", "Sound"),
}
_ROWS = 80  # symbols in the map of what is there
_COLUMNS = 240
_TICKS = 8

# Every check is marked the same in every picture.
_MARKS = {
    "unadjusted_split": (VERMILLION, "star"),
    "bad_prints": (VERMILLION, "x"),
    "jumps": ("#c77f00", "diamond"),
    "stale_prices": ("#c4689a", "square"),
    "zero_volume": ("#009e73", "circle"),
    "volume_break": ("#2b93d1", "triangle-up"),
    "missing_sessions": ("#4a5460", "line-ns"),
    "missing_bars": ("#4a5460", "line-ns"),
    "missing_hours": (MUTED, "line-ns"),
}
_GLYPHS = SYMBOLS | {"star": "★", "x": "✕", "diamond": "◆", "line-ns": "❘"}


def render_survey(survey: Survey) -> str:
    """The survey as one HTML page that loads nothing from anywhere."""
    level = "refuse" if survey.refused else "warn" if survey.findings else "sound"
    checks = [(each.name, each.about, str(each.level)) for each in map(CHECKS.get, CHECKS.names())]
    drawn = sorted(survey.portraits)
    return page(
        "survey.html",
        title=survey.title,
        subtitle="Bars, and what the checks found",
        facts=facts(survey),
        shown=next(iter(drawn), ""),
        level=_LEVELS[level],
        refusing=sum(each.level == "refuse" for each in survey.findings),
        sentence=sentence(survey),
        checks=sorted({each.check for each in survey.findings}),
        flagged=sorted({each.symbol for each in survey.findings}),
        by_place={(each.symbol, each.check): each for each in survey.findings},
        matrix_rows=_ROWS,
        n_drawn=min(len(survey.coverage), _ROWS),
        n_covered=len(survey.coverage),
        coverage=_coverage(survey),
        time_of_day=_time_of_day(survey),
        portraits={symbol: _portrait(survey.portraits[symbol]) for symbol in drawn},
        most_portraits=PICTURES,
        findings=survey.in_order(),
        most_findings=_FINDINGS_SHOWN,
        guide=[*checks, *((name, about, "refuse, always") for name, about in STRUCTURAL.items())],
    )


def _coverage(survey: Survey) -> go.Figure | None:
    """Symbols by days: share of the expected bars that is there."""
    symbols = _worst_first(survey)[:_ROWS]
    if not symbols:
        return None
    days = np.unique(np.concatenate([survey.coverage[symbol].day for symbol in symbols]))
    n_columns = min(_COLUMNS, len(days))
    column_of = np.arange(len(days)) * n_columns // len(days)
    shares, stories = [], []
    for symbol in symbols:
        found = survey.coverage[symbol]
        column = column_of[np.searchsorted(days, found.day)]
        present = np.bincount(column, found.present, minlength=n_columns)
        due = np.bincount(column, found.present + found.missing, minlength=n_columns)
        with np.errstate(invalid="ignore"):
            shares.append(100 * present / due)
        stories.append(
            [f"{int(a):,} of {int(b):,} bars" for a, b in zip(present, due, strict=True)]
        )
    first = days[np.searchsorted(column_of, np.arange(n_columns))]
    dates = first.astype("datetime64[D]").astype(str)
    figure = go.Figure(
        go.Heatmap(
            z=np.array(shares, np.float32),
            x=np.arange(n_columns),
            y=np.arange(len(symbols)),
            zmin=0,
            zmax=100,
            colorscale=[[0, VERMILLION], [0.5, OPPOSED], [0.999, GRID], [1, BLUE]],
            xgap=0 if n_columns > 120 else 1,
            ygap=1,
            customdata=[[(dates[c], story) for c, story in enumerate(row)] for row in stories],
            hovertemplate="%{y}, from %{customdata[0]}<br>%{customdata[1]}, %{z:.1f} %"
            "<extra></extra>",
            hoverongaps=False,
            colorbar={"thickness": 10, "outlinewidth": 0, "ticksuffix": " %", "len": 0.9},
        )
    )
    ticks = np.unique(np.linspace(0, n_columns - 1, min(_TICKS, n_columns)).astype(int))
    figure.update_layout(
        layout(70 + max(90, 15 * len(symbols)), margin={"l": 8, "r": 8, "t": 8, "b": 8}),
        xaxis=axis("", showgrid=False, tickvals=ticks, ticktext=[dates[t] for t in ticks]),
        yaxis=axis(
            "",
            showgrid=False,
            autorange="reversed",
            tickvals=np.arange(len(symbols)),
            ticktext=[escaped(symbol) for symbol in symbols],
            tickfont={"size": 11},
        ),
    )
    return figure


def _worst_first(survey: Survey) -> list[str]:
    """Symbols by how much of them is missing; all complete ones in the order of their names."""

    def share(symbol: str) -> float:
        found = survey.coverage[symbol]
        return float(found.missing.sum() / max(found.present.sum() + found.missing.sum(), 1))

    return sorted(survey.coverage, key=lambda symbol: (-share(symbol), symbol))


def _time_of_day(survey: Survey) -> go.Figure | None:
    """Share of the bars due that is missing, by the market's clock."""
    found = list(survey.coverage.values())
    absent = np.sum([each.absent_at for each in found], axis=0) if found else np.zeros(1)
    if not absent.any() or survey.length_us >= 86_400_000_000:
        return None
    due = np.sum([each.due_at for each in found], axis=0)
    some = np.flatnonzero(due)
    clock = [f"{part // 4:02d}:{part % 4 * 15:02d}" for part in some]
    share = 100 * absent[some] / due[some]
    figure = go.Figure(
        go.Bar(
            x=clock,
            y=share,
            marker={"color": BLUE},
            customdata=np.stack([absent[some], due[some]], axis=1),
            hovertemplate="%{x}<br>%{y:.2f} % missing<br>%{customdata[0]:,} of %{customdata[1]:,}"
            " bars<extra></extra>",
        )
    )
    figure.update_layout(
        layout(320),
        bargap=0.15,
        xaxis=axis("Time of day", type="category", showgrid=False, nticks=12, tickangle=0),
        yaxis=axis("Missing, %", tickformat="~g", rangemode="tozero", ticklabelstandoff=8),
    )
    return figure


def _portrait(picture: Portrait) -> go.Figure:
    """Price with its findings, and volume by day, both on scales of ratios."""
    figure = make_subplots(
        rows=2, shared_xaxes=True, row_heights=[0.68, 0.32], vertical_spacing=0.06
    )
    line = {"color": BLUE, "width": 1.3}
    price = go.Scatter(
        x=_milliseconds(picture.at),
        y=picture.price.astype(np.float32),
        name="price",
        mode="lines",
        line=line,
        hovertemplate="%{y:.6g}<extra></extra>",
    )
    figure.add_trace(price, row=1, col=1)
    floor = float(np.nanmin(picture.price)) if len(picture.price) else 1.0
    for check, (at, prices) in picture.marks.items():
        figure.add_trace(_marks(check, at, prices, floor), row=1, col=1)
    if np.isfinite(picture.volume).any():
        days = go.Scatter(
            x=_milliseconds(picture.day * 86_400_000_000),
            y=picture.volume.astype(np.float32),
            name="volume by day",
            mode="lines+markers" if len(picture.day) < 400 else "lines",
            marker={"size": 3, "color": MUTED},
            line={"color": MUTED, "width": 1.0},
            hovertemplate="%{y:.4s}<extra></extra>",
        )
        figure.add_trace(days, row=2, col=1)
    for moment in _milliseconds(picture.marks.get("volume_break", (np.empty(0), None))[0]):
        figure.add_vline(x=moment, row=2, col=1, line={"color": "#2b93d1", "width": 2})
    figure.update_layout(layout(460))
    figure.update_xaxes(axis("", type="date", showgrid=False))
    figure.update_yaxes(axis("Price", type="log", tickformat="~g"), row=1)
    figure.update_yaxes(axis("Volume, day", type="log", tickformat="~s", dtick=1), row=2)
    return figure


def _marks(check: str, at: Ints, prices: Floats, floor: float) -> go.Scatter:
    color, symbol = _MARKS.get(check, (HUES[-1], "triangle-down"))
    gap = symbol == "line-ns"
    line: dict[str, Any] = {"width": 1.5, "color": color} if symbol in ("line-ns", "x") else {}
    return go.Scatter(
        x=_milliseconds(at),
        y=np.full(len(at), 0.985 * floor) if gap else prices,
        name=escaped(check),
        mode="markers",
        marker={
            "color": color,
            "size": 9 if len(at) < 60 else 5,
            "symbol": symbol,
            "line": line or {"width": 0},
        },
        meta={"swatch": _GLYPHS.get(symbol, "▼")},
        hovertemplate=f"{escaped(check)}<br>%{{x|%Y-%m-%d %H:%M}}<br>%{{y:.6g}}<extra></extra>",
    )


def _milliseconds(at_us: Array) -> Floats:
    return np.asarray(at_us, np.float64) / 1000
