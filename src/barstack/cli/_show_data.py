"""Collections and findings on a terminal of eighty columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from barstack.bars.checks import Finding
from barstack.core.times import iso
from barstack.reports import Survey, facts, sentence

from ._tables import right, table

_ROWS = 30
_SENTENCES = 10
_COLOURS = {"refuse": "red", "warn": "yellow"}


_HEADINGS = ("collection", "bar", "calendar", "symbols", "rows", "first", "last", "size")
_LEFT = 3  # so many columns are words, the others figures


def collections_lines(rows: list[dict[str, Any]], folder: str, width: int) -> Iterator[Text]:
    """A collection in two lines: what it holds, and where from.

    A name too long to stand beside its figures gets a line of its own.
    """
    lines = [_HEADINGS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    room = width - sum(widths[1:]) - len(widths) + 1
    widths[0] = max(len(each[0]) for each in lines if len(each[0]) <= room or each is _HEADINGS)
    yield Text(f"Catalog {folder}", style="bold")
    for row, (name, *cells) in zip([None, *rows], lines, strict=True):
        alone = len(name) > widths[0]
        if alone:
            yield Text(name)
        line = [("" if alone else name).ljust(widths[0])]
        line += [each.ljust(n) for each, n in zip(cells[: _LEFT - 1], widths[1:], strict=False)]
        line += [each.rjust(n) for each, n in zip(cells[_LEFT - 1 :], widths[_LEFT:], strict=True)]
        yield Text(" ".join(line).rstrip(), style="" if row else "bold")
        if row:
            mark = "damaged" if row["damages"] else row["fingerprint"][:12]
            style = "dim red" if row["damages"] else "dim"
            yield Text(f"  {mark} {row['source'] or ''}".rstrip(), style=style)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    def known(value: Any, written: Callable[[Any], str] = str) -> str:
        return "?" if value is None else written(value)

    return (
        row["collection"],
        known(row["bar"]),
        known(row["calendar"]),
        known(row["symbols"], "{:,}".format),
        known(row["rows"], "{:,}".format),
        _day(row["first_us"]),
        _day(row["last_us"]),
        known(row["bytes"], size),
    )


def show_survey(survey: Survey, console: Console, html: Path | None) -> None:
    """Facts, a table of findings, and below it what to do about each kind."""
    known = dict(facts(survey))
    span = known["from, to"].replace(", ", " to ") if "from, to" in known else "none"
    console.print(survey.title, style="bold")
    console.print(
        f"{known['symbols']} symbol(s), {known['bars']} bars of {known.get('length', '?')}, "
        f"{span}; {known['hours']} sessions of {known['calendar']}",
    )
    console.print()
    if survey.findings:
        console.print(findings_table(survey))
        console.print()
        _sentences(survey.in_order(), console)
    console.print(sentence(survey), style="bold")
    if html is not None:
        console.print(f"Page with charts: {html}", soft_wrap=True)


def findings_table(survey: Survey) -> Table:
    """A row a finding, those that refuse first."""
    shown = table("symbol", "check", "level", right("count"), "first", "last")
    shown.columns[0].max_width = 12
    found = survey.in_order()
    for each in found[:_ROWS]:
        shown.add_row(
            each.symbol,
            each.check,
            Text(each.level, style=_COLOURS[each.level]),
            f"{each.count:,}",
            _day(each.first_at_us),
            _day(each.last_at_us),
        )
    if len(found) > _ROWS:
        shown.add_row("…", f"and {len(found) - _ROWS:,} more: --json or --html has all")
    return shown


def _sentences(found: list[Finding], console: Console) -> None:
    """One sentence of each kind first, so that no kind is lost among many symbols."""
    kinds: dict[str, list[Finding]] = {}
    for each in found:
        kinds.setdefault(each.check, []).append(each)
    shown = [group[0] for group in kinds.values()][:_SENTENCES]
    for each in shown:
        console.print(f"{each.check}: {each.sentence}")
        others = len(kinds[each.check]) - 1
        if others:
            console.print(f"  and {others:,} more such finding(s)", style="dim")
    console.print()


def _day(at_us: int | None) -> str:
    return "–" if at_us is None else iso(at_us)[:10]


def size(n_bytes: int) -> str:
    """A number of bytes for people to read.

    >>> size(512), size(2_500_000), size(3_200_000_000)
    ('512 B', '2.5 MB', '3.2 GB')
    """
    amount = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
