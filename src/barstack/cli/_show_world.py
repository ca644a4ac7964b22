"""Worlds as tables, for a terminal."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from barstack.worlds import Likeness, World

from ._tables import right, table


def figures_table(figures: list[dict[str, Any]]) -> Table:
    """How good the best forecast is at each horizon."""
    shown = table("ahead", *map(right, ("R² %", "right %", "IC")), "right % is")
    for figure in figures:
        accuracy = figure["directional_accuracy"]
        how = accuracy["how"]
        if accuracy["se"]:
            how += f", ± {100 * accuracy['se']:.3f}"
        shown.add_row(
            figure["horizon"],
            f"{100 * figure['r2']['value']:.3f}",
            f"{100 * accuracy['value']:.2f}",
            f"{figure['ic']['value']:.4f}",
            how,
        )
    return shown


def headline(name: str, world: World) -> str:
    """What the world is."""
    kind = (world.registered_as or ("", ""))[1]
    return (
        f"{name}: {kind}, {len(world.names)} x {world.bars:,} bars of {world.bar} on "
        f"{world.calendar}. The best forecast:"
    )


def likeness_table(facts: list[Likeness]) -> Table:
    """The statistics in which synthetic bars should resemble real ones, a column per symbol."""
    summaries = [each.summary() for each in facts[:6]]
    shown = table("", *(right(each.symbol) for each in facts[:6]))
    for row in summaries[0]:
        if row != "symbol":
            shown.add_row(row.replace("_", " "), *(_number(each[row]) for each in summaries))
    return shown


def _number(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"
