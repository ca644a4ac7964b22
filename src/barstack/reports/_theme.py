"""Colours, layout and the format of numbers that every chart and table shares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from barstack.evaluation import Evaluation

INK = "#1b2129"
MUTED = "#5a6572"
GRID = "#e3e6ea"
BAND = "#f3f5f7"
PAPER = "#ffffff"
BLUE = "#0072b2"
VERMILLION = "#d55e00"
ALIKE = "#7fbce3"  # pale enough for ink on it
OPPOSED = "#f2ab7d"

# Okabe-Ito: distinguishable with any colour vision. Orange and sky blue are a shade darker
# than published, to stand out from white as well.
HUES = ("#c77f00", "#2b93d1", "#009e73", "#c4689a", VERMILLION, "#4a5460")

# Charts are drawn in the colours of the light theme; the page swaps each for its partner.
DARK = {
    INK: "#e8ecf0",
    MUTED: "#a3aeb9",
    GRID: "#333c46",
    BAND: "#20262d",
    PAPER: "#181d23",
    BLUE: "#3ea6ea",
    VERMILLION: "#f0793f",
    ALIKE: "#1d679b",
    OPPOSED: "#97491a",
    "#c77f00": "#f2b632",
    "#2b93d1": "#a5dcf8",
    "#009e73": "#2cc795",
    "#c4689a": "#e59cc6",
    "#4a5460": "#bcc5ce",
}

SYMBOLS = {"circle": "●", "square": "■", "triangle-up": "▲", "triangle-down": "▼"}
DASHES = ("solid", "dot", "dash", "dashdot")
PATTERNS = {"": "■", "/": "▨", ".": "▩", "-": "▤"}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True)
class Look:
    """How one forecaster is drawn, the same in every chart."""

    color: str = BLUE
    dash: str = "solid"
    symbol: str = "diamond"
    glyph: str = "◆"
    pattern: str = ""
    pattern_glyph: str = "■"


def looks(evaluation: Evaluation) -> dict[str, Look]:
    """A look per forecaster: the judged ensemble in blue, the others by hue, then by shape."""
    names = [score.name for score in evaluation.scores]
    names += [curve.name for curve in evaluation.equity]
    names += [row.name for row in evaluation.folds]
    names += [name for fit in evaluation.weights for name in fit.weights]
    names += [item.name for item in evaluation.calibration]
    first = evaluation.ensemble
    others = [name for name in dict.fromkeys(names) if name != first]
    return {first: Look()} | {name: _look(place) for place, name in enumerate(others)}


def _look(place: int) -> Look:
    turn, hue = divmod(place, len(HUES))
    symbol, glyph = list(SYMBOLS.items())[turn % len(SYMBOLS)]
    pattern, pattern_glyph = list(PATTERNS.items())[turn % len(PATTERNS)]
    return Look(HUES[hue], DASHES[turn % len(DASHES)], symbol, glyph, pattern, pattern_glyph)


def layout(height: int, **more: Any) -> dict[str, Any]:
    """A plain layout; the page itself carries title and legend, which wrap on a phone."""
    plain: dict[str, Any] = {
        "height": height,
        "template": "none",
        "showlegend": False,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 13, "color": MUTED},
        "margin": {"l": 8, "r": 12, "t": 12, "b": 8},
        "hoverlabel": {"bgcolor": PAPER, "bordercolor": MUTED, "font": {"color": INK}},
    }
    return plain | more


def axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis with a light grid; it cannot be dragged, so that a finger scrolls the page."""
    plain: dict[str, Any] = {
        "title": {"text": title, "standoff": 10, "font": {"size": 13}},
        "automargin": True,
        "fixedrange": True,
        "gridcolor": GRID,
        "zeroline": False,
        "ticks": "",
    }
    return plain | more


def error_bars(
    errors: Iterable[tuple[float | None, float]], color: str, thickness: float
) -> dict[str, Any]:
    """Whiskers of a 95 % interval; none where the error is unknown.

    errors  (standard error, half width of the interval in standard errors)
    """
    widths = [reach * or_zero(error) for error, reach in errors]
    return {"array": widths, "color": color, "thickness": thickness, "width": 0}


def present(value: float | None) -> bool:
    """Whether there is a figure to show."""
    return value is not None and isfinite(value)


def number(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """A figure for people to read.

    >>> number(-1234.5, 1), number(0.5, 1, sign=True), number(None), number(-0.001)
    ('−1,234.5', '+0.5', '–', '0.00')
    """
    if value is None or not isfinite(value):
        return "–"
    text = f"{value:{'+' if sign else ''},.{digits}f}"
    return text.lstrip("+-") if not float(text.replace(",", "")) else text.replace("-", "−")


def probability(p: float | None) -> str:
    """A probability, never rounded to certainty.

    >>> probability(0.0421), probability(0.00004), probability(0.9999), probability(None)
    ('0.042', '<0.001', '>0.999', '–')
    """
    if p is None or not isfinite(p):
        return "–"
    if p < 0.001:
        return "<0.001"
    return ">0.999" if p > 0.999 else f"{p:.3f}"


def or_zero(value: float | None) -> float:
    """The figure, or 0 where there is none."""
    return value if value is not None and isfinite(value) else 0.0


def escaped(text: str) -> str:
    """Text that a chart, whose labels are a small markup, shows as it is."""
    return escape(str(text))
