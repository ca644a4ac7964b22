"""Tables in one style. Consoles read no markup: every cell is shown as it is."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Column, Table


def table(*columns: str | Column, title: str = "") -> Table:
    """A table without lines; columns given as text hold words that are never wrapped."""
    made = Table(
        *(Column(each, no_wrap=True) if isinstance(each, str) else each for each in columns),
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        header_style="bold",
    )
    made.show_header = bool(columns) and any(column.header for column in made.columns)
    return made


def right(header: str) -> Column:
    """A column of figures."""
    return Column(header, justify="right", no_wrap=True)


def folded(header: str) -> Column:
    """A column whose text may take several lines."""
    return Column(header, overflow="fold")


def facts_table(facts: Iterable[tuple[str, str]]) -> Table:
    """Labels and values; a dash where there is no value."""
    shown = table(Column(style="bold", no_wrap=True), Column())
    for label, value in facts:
        shown.add_row(label, value or "–")
    return shown
