"""`barstack init`: a study file for given bars."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._complete import collections
from ._reading import (
    Bar,
    Calendar,
    Columns,
    DayFirst,
    Decimal,
    Encoding,
    Hours,
    Separator,
    Stamp,
    SymbolColumn,
    Thousands,
    TimeFormat,
    Timezone,
    given_from,
    prompted,
)
from ._root import Catalogs, Json, app
from ._terminal import print_json, report, stdout

if TYPE_CHECKING:
    from barstack.experiments import FirstStudy


@app.command(epilog="Example: barstack init bars/ --to study.yaml")
def init(
    bars: Annotated[
        str,
        typer.Argument(
            autocompletion=collections,
            help="A file, a folder, 'data/*_5min.csv', a collection, or sample.",
        ),
    ],
    to: Annotated[Path, typer.Option(help="The study file to write.")] = Path("study.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    catalog: Catalogs = None,
    calendar: Calendar = None,
    hours: Hours = None,
    timezone: Timezone = None,
    stamp: Stamp = None,
    bar: Bar = None,
    columns: Columns = None,
    symbol_column: SymbolColumn = None,
    dayfirst: DayFirst = None,
    time_format: TimeFormat = None,
    separator: Separator = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """Write a study file for these bars, each line with its reason, which runs as it stands.

    How files are read is guessed as by barstack import. What they do not show is a question
    on a terminal. Elsewhere it becomes a commented line, with a value by which no bar is known
    too early; exit 2 where there is no such value. Exit 1 when checks refuse the bars.
    """
    given = given_from(
        calendar=calendar, hours=hours, timezone=timezone, stamp=stamp, bar=bar, columns=columns,
        symbol_column=symbol_column, dayfirst=dayfirst, time_format=time_format,
        separator=separator, decimal=decimal, thousands=thousands, encoding=encoding,
    )  # fmt: skip
    from barstack.experiments import first_study, open_settings  # noqa: PLC0415

    if sys.stdin.isatty() and not as_json:
        while unanswered := open_settings(bars, given, catalog):
            given = prompted(given, unanswered)
    written = first_study(bars, to, given, catalog=catalog, replace=force)
    if as_json:
        print_json(written.to_json())
    else:
        _show(written)
    if written.refused:
        raise typer.Exit(1)


def _show(written: FirstStudy) -> None:
    about: dict[str, Any] = written.to_json()
    console = stdout()
    symbols = about["symbols"]
    listed = ", ".join(symbols[:6]) + (f" and {len(symbols) - 6} more" if symbols[6:] else "")
    console.print(f"{about['bars']:,} bars of {about['bar']}: {listed}")
    for clue in written.clues:
        if clue.certainty == "likely":
            console.print(f"  Likely, so check it: {clue.setting}: {clue.value}. {clue.because}")
    for clue in written.left_open:
        console.print(f"  Choose {clue.setting} in the file: {clue.because}", style="yellow")
    for each in written.refused:
        report("refused", f"{each.symbol}: {each.sentence}")
    console.print(
        f"Wrote {written.file}: {', '.join(about['horizons'])} ahead, preset {about['preset']}, "
        f"about {about['seconds']:,} s on one core.",
        soft_wrap=True,
    )
    if written.refused:
        console.print("Mend the bars first: checks refuse them, and so will a run.")
    console.print(f"Next: {about['next']}", soft_wrap=True)
