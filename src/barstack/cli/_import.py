"""`barstack import`: files into the catalog, after showing how they are understood."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barstack.core.errors import ConfigError, DataError

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
    Text,
    Thousands,
    TimeFormat,
    Timezone,
    given_from,
    option_of,
    prompted,
)
from ._root import Json, app
from ._terminal import print_json, stderr, stdout

if TYPE_CHECKING:
    from barstack.bars.importing import ImportOutcome, Plan


@app.command(name="import", epilog="Example: barstack import bars/ --into spy_5m")
def import_(
    path: Annotated[
        str, typer.Argument(help="A file, a folder, a folder of folders, or 'data/*_5min.csv'.")
    ],
    into: Annotated[
        Text, typer.Option(help="Name of the collection; by default that of the folder.")
    ] = None,
    catalog: Annotated[
        Path | None, typer.Option(help="Its folder; by default $BARSTACK_CATALOG or ./catalog.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Accept what is sure or likely without asking.")
    ] = False,
    calendar: Calendar = None,
    hours: Hours = None,
    timezone: Timezone = None,
    stamp: Stamp = None,
    bar: Bar = None,
    columns: Columns = None,
    symbol: Annotated[
        Text, typer.Option(help="Symbol of all bars, whatever the files are called.")
    ] = None,
    symbol_column: SymbolColumn = None,
    dayfirst: DayFirst = None,
    time_format: TimeFormat = None,
    separator: Separator = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    encoding: Encoding = None,
    drop_bad_rows: Annotated[
        bool, typer.Option("--drop-bad-rows", help="Repair: drop rows that are no valid bars.")
    ] = False,
    keep: Annotated[
        Text, typer.Option(help="Repair: of rows with the same time keep the first or last.")
    ] = None,
    sort: Annotated[bool, typer.Option("--sort", help="Repair: sort rows by time.")] = False,
    revise: Annotated[
        bool, typer.Option("--revise", help="Replace stored bars that differ.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Import files of bars into the catalog.

    Their format is guessed, shown with the evidence, and confirmed by you or by options.
    """
    given = given_from(
        calendar=calendar, hours=hours, timezone=timezone, stamp=stamp, bar=bar, columns=columns,
        symbol=symbol, symbol_column=symbol_column, dayfirst=dayfirst, time_format=time_format,
        separator=separator, decimal=decimal, thousands=thousands, encoding=encoding,
    )  # fmt: skip
    from barstack.bars import Catalog  # noqa: PLC0415
    from barstack.bars.importing import Repairs, plan_import  # noqa: PLC0415

    repairs = Repairs(drop_bad_rows=drop_bad_rows, keep=keep, sort=sort)
    plans = plan_import(path, into, given)
    plans = [_with_name(plan, alone=plan.path == path) for plan in plans]
    if not as_json:
        _show(plans)
    plans, left_out = _confirmed(plans, given, yes)
    outcomes_of = {}
    for plan in plans:
        outcomes_of[plan.into] = _run(plan, Catalog(catalog), repairs, revise, as_json)
    if as_json:
        print_json({"collections": [_plain(plan, outcomes_of[plan.into]) for plan in plans]})
    faults = [each for outcomes in outcomes_of.values() for each in outcomes if each.error]
    if faults or left_out:
        taken = sum(len(outcomes) for outcomes in outcomes_of.values()) - len(faults)
        errors = [str(each.error) for each in faults]
        count = len(errors) + len(left_out)
        listed = "\n".join([*errors, *left_out])
        raise DataError(f"{count} not imported, {taken} imported.\n{listed}")


def _with_name(plan: Plan, *, alone: bool) -> Plan:
    """The plan if its name can be a collection's; `ConfigError` with one that can, or, of a folder
    among many, a plan with that error."""
    # Cut, and once more stripped of what may only stand between letters.
    legal = re.sub(r"[^a-z0-9._-]+", "_", plan.into.lower()).strip("._-")[:80].strip("._-")
    if legal == plan.into:
        return plan
    way = f"--into {legal or 'bars'}"
    if not alone:
        path = shlex.quote(plan.path)
        way = f"{way}, importing it by itself: barstack import {path} {way}. Or rename the folder"
    why = (
        f"{plan.into!r} cannot be the name of a collection, which has up to 80 small letters, "
        f"digits, and . _ - between them. Name it with {way}."
    )
    if alone:
        raise ConfigError(why)
    return replace(plan, error=why)


def _show(plans: list[Plan]) -> None:
    from ._show_import import plan_table, plans_table, preview_table  # noqa: PLC0415

    console = stdout()
    if len(plans) > 1:
        console.print(plans_table(plans))
        return
    console.print(plan_table(plans[0]))
    if (first := preview_table(plans[0])) is not None:
        console.print(first)


def _confirmed(plans: list[Plan], given: dict[str, Any], yes: bool) -> tuple[list[Plan], list[str]]:
    """The plans to carry out, and a sentence on each that is left out.

    `ConfigError` where nobody can answer. An answer about one folder holds for no other.
    """
    from barstack.bars.importing import sentence  # noqa: PLC0415

    if sys.stdin.isatty() and not yes:
        plans = [_answered(plan, given, alone=len(plans) == 1) for plan in plans]
    ready = [plan for plan in plans if not plan.error and not plan.guess.open]
    left_out = []
    for plan in plans:
        if plan.error:
            left_out.append(f"{plan.into}: {plan.error}")
        elif plan.guess.open:
            options = [word for each in plan.guess.open for word in option_of(each)]
            by_itself = ["import", plan.path, "--into", plan.into, *options, "--yes"]
            words = _called_with(*options) if len(plans) == 1 else by_itself
            left_out.append(
                f"{plan.into}: this must be given: {sentence(plan.guess.open)}\n"
                f"With the words in capitals filled in: barstack {shlex.join(words)}"
            )
    if not ready:
        raise ConfigError("Not imported. " + "\n".join(left_out))
    if sys.stdin.isatty() and not yes:
        names = ", ".join(plan.into for plan in ready)
        files = sum(plan.n_files for plan in ready)
        if not typer.confirm(f"Import {files} file(s) so into {names}?", err=True):
            raise typer.Exit(1)
    elif not yes:
        rest = "".join(f"\nIt leaves out {each}" for each in left_out)
        raise ConfigError(
            "Not imported: nobody is here to confirm the guess. If it is right, run: "
            f"barstack {shlex.join(_called_with())}{rest}"
        )
    return ready, left_out


def _called_with(*options: str) -> list[str]:
    """The words of this call with more options, so that they can be copied."""
    return [*(word for word in sys.argv[1:] if word != "--yes"), *options, "--yes"]


def _answered(plan: Plan, given: dict[str, Any], *, alone: bool) -> Plan:
    """A plan once its questions are answered at the terminal."""
    from barstack.bars.importing import plan_import  # noqa: PLC0415

    while plan.guess.open:
        if not alone:
            stderr().print(f"{plan.path}:")
        given = prompted(given, plan.guess.open)
        (plan,) = plan_import(plan.path, plan.into, given)
        _show([plan])
    return plan


def _run(
    plan: Plan, catalog: Any, repairs: Any, revise: bool, as_json: bool
) -> list[ImportOutcome]:
    from barstack.bars.importing import Import, run_import  # noqa: PLC0415

    from ._progress import ShownProgress  # noqa: PLC0415
    from ._show_import import outcome_lines  # noqa: PLC0415

    clock = ("calendar", "timezone", "stamp", "hours")
    guessed = any(each.setting in clock and each.certainty != "given" for each in plan.guess.clues)
    job = Import(plan.into, plan.files, plan.guess.reading, plan.path, repairs, revise, guessed)
    outcomes = run_import(job, catalog, ShownProgress(stderr()))
    if not as_json:
        for line in outcome_lines(plan.into, outcomes, catalog):
            stdout().print(line, soft_wrap=True)
    return outcomes


def _plain(plan: Plan, outcomes: list[ImportOutcome]) -> dict[str, Any]:
    return {
        "collection": plan.into,
        "guess": [clue.to_json() for clue in plan.guess.clues],
        "files": [outcome.to_json() for outcome in outcomes],
    }
