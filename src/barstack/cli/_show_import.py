"""A guess and what became of it, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.markup import escape
from rich.table import Table

from barstack.bars import Catalog
from barstack.bars.checks import find
from barstack.bars.importing import Outcome, Plan, preview
from barstack.core.errors import BarstackError
from barstack.core.times import iso

_STYLES = {"given": "dim", "sure": "green", "likely": "yellow", "unsure": "bold red"}
_ROWS = 3
_MOST_CHECKED = 2_000_000  # bars of one symbol; checking holds them in memory several times over


def plan_table(plan: Plan) -> Table:
    """Every setting, what it is taken to be, how sure that is, and why."""
    table = _table(f"{plan.path}: {_files(plan)} into {plan.into}")
    for heading in ("setting", "taken as", "how sure"):
        table.add_column(heading, no_wrap=heading != "taken as", overflow="fold")
    table.add_column("because")
    for clue in plan.guess.clues:
        style = _STYLES[clue.certainty]
        value = "?" if clue.value is None and clue.open else _shown(clue.value)
        name = clue.setting.removeprefix("columns.")
        table.add_row(name, escape(value), f"[{style}]{clue.certainty}[/]", escape(clue.because))
    return table


def plans_table(plans: list[Plan]) -> Table:
    """One line for each collection."""
    table = _table(f"{len(plans)} collections")
    for heading in ("collection", "files", "bar", "calendar", "hours", "stamp", "how sure"):
        table.add_column(heading, no_wrap=True)
    for plan in plans:
        values = {clue.setting: clue for clue in plan.guess.clues}
        order = list(_STYLES)
        worst = max(("given", *(each.certainty for each in plan.guess.clues)), key=order.index)
        worst = "unsure" if plan.error else worst
        cells = [
            _shown(values[name].value) if name in values else "-"
            for name in ("bar", "calendar", "hours", "stamp")
        ]
        table.add_row(escape(plan.into), str(plan.n_files), *cells, f"[{_STYLES[worst]}]{worst}[/]")
    return table


def preview_table(plan: Plan) -> Table | None:
    """The first bars as they would be read, or the sentence why they cannot be."""
    try:
        bars = preview(plan)
    except BarstackError as error:
        table = _table("The first rows cannot be read so")
        table.add_column("")
        table.add_row(escape(str(error)))
        return table
    if bars is None:
        return None
    table = _table(f"The first bars of {escape(bars.symbol)}, read so")
    table.show_header = False
    first = bars.records[:_ROWS]
    # A bar is a column: so every digit of a price has room, whatever it counts in.
    for _ in range(1 + len(first)):
        table.add_column(no_wrap=True, justify="right")
    table.columns[0].justify = "left"
    for heading, name in (("opens", "opened_at"), ("known at", "closed_at")):
        moments = [iso(record[name].astype("datetime64[us]")) for record in first]
        table.add_row(heading, *(moment.removesuffix(" UTC") for moment in moments))
    for name in ("open", "high", "low", "close", "volume"):
        table.add_row(name, *(f"{record[name]:,.12g}" for record in first))
    table.caption = "times in UTC"
    table.caption_justify = "left"
    return table


def outcome_lines(name: str, outcomes: list[Outcome], catalog: Catalog) -> Iterator[str]:
    """What was stored, what was repaired, what the checks say, and where to look."""
    taken = [each for each in outcomes if each.error is None]
    for each in taken:
        parts = [f"{each.new:,} new"]
        parts += [f"{each.same:,} already there"] if each.same else []
        parts += [f"{each.revised:,} revised"] if each.revised else []
        parts += [f"{repair} {count:,}" for repair, count in each.repairs.items()]
        yield f"  {escape(each.symbol):<10} {', '.join(parts)}"
    if not taken:
        return
    collection = catalog.collection(name)
    facts = collection.facts
    for symbol in sorted({each.symbol for each in taken}):
        if collection.summary(symbol).rows > _MOST_CHECKED:
            yield f"  {escape(symbol):<10} too long to be checked in passing"
            continue
        found = find(collection.bars(symbol), calendar=facts.calendar, hours=facts.hours)
        for level, verb in (("refuse", "refuse, and so will a study"), ("warn", "warn")):
            kinds = [f"{each.check} {each.count:,}" for each in found if each.level == level]
            if kinds:
                yield f"  {escape(symbol):<10} checks {verb}: {', '.join(kinds)}"
    n_symbols = len(collection.symbols())
    yield f"[bold]{escape(name)}[/] holds {n_symbols} symbol(s). Look: barstack data {escape(name)}"


def _files(plan: Plan) -> str:
    symbols = len(plan.files)
    return f"{plan.n_files} file(s)" + (f" of {symbols} symbols" if symbols > 1 else "")


def _shown(value: Any) -> str:
    return {None: "ISO 8601", "\t": "tab", ",": "comma", ";": "semicolon"}.get(value, str(value))


def _table(title: str) -> Table:
    return Table(
        title=escape(title),
        title_justify="left",
        title_style="bold",
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        header_style="bold",
    )
