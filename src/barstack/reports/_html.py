"""Pieces of HTML that all pages share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from string import Template

from barstack.core.errors import ConfigError
from barstack.core.files import new_file

from ._tables import facts_strip
from ._theme import DARK, say

_GUIDE = "<!-- guide -->\n"  # in a template of a page, what comes after goes into its guide


def page(
    template: str,
    parts: Mapping[str, str],
    *,
    title: str,
    run: str,
    facts: list[tuple[str, str]],
    shown: str = "",
    guide_title: str = "How to read this page",
) -> str:
    """A whole page that loads nothing from anywhere: head, facts, what is in `template`, guide.

    parts  what stands for the names in the template, in HTML
    title  as plain text
    run    the line below it, in HTML
    facts  (label, value) below that
    shown  which of the panels to choose from is shown first
    """
    # Drawing takes seconds to import, and only a page needs it.
    from plotly.offline import get_plotlyjs  # noqa: PLC0415

    main, guide = (Template(each).substitute(parts) for each in file_text(template).split(_GUIDE))
    return Template(file_text("base.html")).substitute(
        style=file_text("style.css"),
        script=file_text("page.js"),
        plotly=get_plotlyjs(),
        dark=json.dumps(DARK),
        title=say(title),
        run=run,
        facts=facts_strip(facts),
        shown=say(shown),
        main=main.strip(),
        guide_title=say(guide_title),
        guide=guide.strip(),
    )


def section(name: str, title: str, look_for: str, body: str, tabs: str = "") -> str:
    """One card of a page; `body` and `tabs` are HTML."""
    return Template(file_text("section.html")).substitute(
        id=name, title=say(title), look_for=say(look_for), tabs=tabs, panels=body
    )


def write_page(text: str, file: Path) -> None:
    """Write a page, whole or not at all; `ConfigError` for a folder, `StorageError` as for all."""
    if file.is_dir():
        raise ConfigError(
            f"{file} is a folder. Name the page to write in it, such as {file / 'page.html'}."
        )
    with new_file(file) as scratch:
        scratch.write_text(text, encoding="utf-8")


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
