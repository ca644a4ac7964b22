"""How files are understood, and what was imported, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table
from rich.text import Text

from barstack.bars import Catalog
from barstack.bars.checks import find
from barstack.bars.importing import ImportOutcome, Plan, preview
from barstack.core.errors import BarstackError
from barstack.core.times import iso

from ._tables import folded, right, table

_STYLES = {"given": "dim", "sure": "green", "likely": "yellow", "unsure": "bold red"}
_ROWS = 3
_MOST_CHECKED = 2_000_000  # bars of one symbol; checking holds them in memory several times over


def plan_table(plan: Plan) -> Table:
    """Every setting, its value, how sure that is, and why."""
    shown = table(
        "setting",
        folded("taken as"),
        "how sure",
        folded("because"),
        title=f"{plan.path}: {_files(plan)} into {plan.into}",
    )
    for clue in plan.guess.clues:
        value = "?" if clue.value is None and clue.open else _shown(clue.value)
        name = clue.setting.removeprefix("columns.")
        shown.add_row(name, value, _certainty(clue.certainty), clue.because)
    return shown


def plans_table(plans: list[Plan]) -> Table:
    """One line for each collection."""
    names = ("bar", "calendar", "hours", "stamp")
    shown = table("collection", "files", *names, "how sure", title=f"{len(plans)} collections")
    for plan in plans:
        values = {clue.setting: clue for clue in plan.guess.clues}
        order = list(_STYLES)
        worst = max(("given", *(each.certainty for each in plan.guess.clues)), key=order.index)
        worst = "unsure" if plan.error else worst
        cells = [_shown(values[name].value) if name in values else "-" for name in names]
        shown.add_row(plan.into, str(plan.n_files), *cells, _certainty(worst))
    return shown


def preview_table(plan: Plan) -> Table | None:
    """The first bars as they would be read, or the sentence why they cannot be."""
    try:
        bars = preview(plan)
    except BarstackError as error:
        shown = table(folded(""), title="The first rows cannot be read so")
        shown.add_row(str(error))
        return shown
    if bars is None:
        return None
    first = bars.records[:_ROWS]
    # A bar is a column: so every digit of a price has room, whatever it counts in.
    shown = table(
        "", *(right("") for _ in first), title=f"The first bars of {bars.symbol}, read so"
    )
    for heading, name in (("opens", "opened_at"), ("known at", "closed_at")):
        moments = [iso(record[name].astype("datetime64[us]")) for record in first]
        shown.add_row(heading, *(moment.removesuffix(" UTC") for moment in moments))
    for name in ("open", "high", "low", "close", "volume"):
        shown.add_row(name, *(f"{record[name]:,.12g}" for record in first))
    shown.caption = "times in UTC"
    shown.caption_justify = "left"
    return shown


def outcome_lines(name: str, outcomes: list[ImportOutcome], catalog: Catalog) -> Iterator[str]:
    """What was stored, what was repaired, what the checks found, and what to run next."""
    taken = [each for each in outcomes if each.error is None]
    for each in taken:
        parts = [f"{each.new:,} new"]
        parts += [f"{each.same:,} already there"] if each.same else []
        parts += [f"{each.revised:,} revised"] if each.revised else []
        parts += [f"{repair} {count:,}" for repair, count in each.repairs.items()]
        yield f"  {each.symbol:<10} {', '.join(parts)}"
    if not taken:
        return
    collection = catalog.collection(name)
    facts = collection.facts
    for symbol in sorted({each.symbol for each in taken}):
        if collection.summary(symbol).rows > _MOST_CHECKED:
            yield f"  {symbol:<10} too long to be checked on import"
            continue
        found = find(collection.bars(symbol), calendar=facts.calendar, hours=facts.hours)
        for level, verb in (("refuse", "refuse, and so will a study"), ("warn", "warn")):
            kinds = [f"{each.check} {each.count:,}" for each in found if each.level == level]
            if kinds:
                yield f"  {symbol:<10} checks {verb}: {', '.join(kinds)}"
    n_symbols = len(collection.symbols())
    yield f"{name} holds {n_symbols} symbol(s). Look: barstack data {name}"


def _files(plan: Plan) -> str:
    symbols = len(plan.files)
    return f"{plan.n_files} file(s)" + (f" of {symbols} symbols" if symbols > 1 else "")


def _shown(value: Any) -> str:
    return {None: "ISO 8601", "\t": "tab", ",": "comma", ";": "semicolon"}.get(value, str(value))


def _certainty(word: str) -> Text:
    return Text(word, _STYLES[word])
