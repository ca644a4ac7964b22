"""Worlds as tables, for a terminal."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from barstack.worlds import Likeness, World


def figures_table(figures: list[dict[str, Any]]) -> Table:
    """How good the best forecast is at each horizon."""
    table = _table()
    table.add_column("ahead", no_wrap=True)
    for heading in ("R² %", "right %", "IC"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("right % is", no_wrap=True)
    for figure in figures:
        accuracy = figure["directional_accuracy"]
        how = accuracy["how"]
        if accuracy["se"]:
            how += f", ± {100 * accuracy['se']:.3f}"
        table.add_row(
            figure["horizon"],
            f"{100 * figure['r2']['value']:.3f}",
            f"{100 * accuracy['value']:.2f}",
            f"{figure['ic']['value']:.4f}",
            how,
        )
    return table


def headline(name: str, world: World) -> str:
    """What the world is."""
    kind = (world.registered_as or ("", ""))[1]
    return (
        f"[bold]{name}[/]: {kind}, {len(world.names)} x {world.bars:,} bars of {world.bar} on "
        f"{world.calendar}. The best forecast:"
    )


def kinds_table(kinds: list[tuple[str, str]]) -> Table:
    """Names of kinds and what they are."""
    table = _table()
    table.add_column("kind", no_wrap=True)
    table.add_column("about")
    for name, about in kinds:
        table.add_row(name, about)
    return table


def likeness_table(facts: list[Likeness]) -> Table:
    """The facts in which made-up bars should resemble real ones, a column a symbol."""
    table = _table()
    table.add_column("", no_wrap=True)
    shown = facts[:6]
    for each in shown:
        table.add_column(each.symbol, justify="right", no_wrap=True)
    summaries = [each.summary() for each in shown]
    for row in summaries[0]:
        if row != "symbol":
            table.add_row(row.replace("_", " "), *(_written(each[row]) for each in summaries))
    return table


def _written(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def _table() -> Table:
    return Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
