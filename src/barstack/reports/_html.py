"""Pages of HTML from the templates beside this module."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.graph_objects import Figure
from plotly.offline import get_plotlyjs

from barstack.core.errors import ConfigError
from barstack.core.files import new_file
from barstack.core.times import iso

from ._theme import DARK, number, probability


def page(template: str, **values: Any) -> str:
    """A whole page that loads nothing from anywhere.

    Parameters
    ----------
    template
        A file in `templates/` that extends `base.html`.
    values
        The names in the template; `title` and `facts`, (label, value) pairs, always. `subtitle` is
        the line below the title, and `shown` the panel that is shown first where panels can be
        chosen. Text is escaped.
    """
    values = {"subtitle": "", "shown": ""} | values
    # StrictUndefined: a misspelt name is an error and no empty cell.
    plotly = Markup(get_plotlyjs())
    return _environment().get_template(template).render(plotly=plotly, dark=DARK, **values)


def write_page(text: str, file: Path) -> None:
    """Write a page, whole or not at all; `ConfigError` for a folder, `StorageError` as for all."""
    if file.is_dir():
        raise ConfigError(
            f"{file} is a folder. Name the page to write in it, such as {file / 'page.html'}."
        )
    with new_file(file) as scratch:
        scratch.write_text(text, encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__ or ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure_json": _figure_json,
        "moment": _moment,
        "number": number,
        "probability": probability,
    }
    return environment


def _figure_json(figure: Figure) -> Markup:
    # plotly writes < as \u003c, so that no text within can end the script element.
    return Markup(figure.to_json())


def _moment(at_us: int | None) -> str:
    return "–" if at_us is None else iso(np.datetime64(at_us, "us")).removesuffix(" UTC")
