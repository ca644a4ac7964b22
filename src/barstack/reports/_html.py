"""Pieces of HTML that all pages share."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files

from ._theme import say


def chart(figure_json: str, label: str) -> str:
    """A place where the page's script draws the figure."""
    # plotly writes < as \u003c, so that no text within can end the script element.
    return (
        f'<div class="chart"><script type="application/json">{figure_json}</script>'
        f'<div class="plot" role="img" aria-label="{say(label)}"></div>'
        '<div class="legend"></div></div>'
    )


def tabs(names: Iterable[str], label: str) -> str:
    """One button a name; nothing to choose from, no buttons."""
    shown = list(names)
    if len(shown) < 2:
        return ""
    buttons = (
        f'<button type="button" data-horizon="{say(name)}">{say(name)}</button>' for name in shown
    )
    return f'<div class="tabs" role="group" aria-label="{say(label)}">{"".join(buttons)}</div>'


def file_text(name: str) -> str:
    """A template, a style sheet or a script beside this module."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
