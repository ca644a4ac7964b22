"""`barstack import`: files into the catalog, after showing how they look to be read."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barstack.core.errors import ConfigError, DataError

from ._root import app
from ._terminal import Json, print_json, stderr, stdout

if TYPE_CHECKING:
    from barstack.bars.importing import Outcome, Plan

Text = str | None


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
        bool, typer.Option("--yes", help="Take what is sure or likely without asking.")
    ] = False,
    calendar: Annotated[Text, typer.Option(help="Such as XNYS, CMES, FX or 24/7.")] = None,
    hours: Annotated[Text, typer.Option(help="regular or extended.")] = None,
    timezone: Annotated[Text, typer.Option(help="Of times that carry none.")] = None,
    stamp: Annotated[
        Text, typer.Option(help="open or close: which end of a bar times name.")
    ] = None,
    bar: Annotated[Text, typer.Option(help="Length of a bar, such as 5min.")] = None,
    columns: Annotated[
        list[str] | None, typer.Option(help="Such as time=Date,close=Last or volume=zeros.")
    ] = None,
    symbol: Annotated[
        Text, typer.Option(help="Of all the bars, whatever files are called.")
    ] = None,
    symbol_column: Annotated[Text, typer.Option(help="Column that names symbols.")] = None,
    dayfirst: Annotated[
        bool | None, typer.Option("--dayfirst/--monthfirst", help="Whether 05/01 is in January.")
    ] = None,
    time_format: Annotated[
        Text, typer.Option(help="Such as '%d.%m.%Y %H:%M' or 'epoch ms'.")
    ] = None,
    separator: Annotated[Text, typer.Option(help="Between columns; tab is a tab.")] = None,
    decimal: Annotated[Text, typer.Option(help="Mark before fractions: . or ,")] = None,
    thousands: Annotated[Text, typer.Option(help="Mark between thousands.")] = None,
    encoding: Annotated[Text, typer.Option(help="Such as utf-8 or cp1252.")] = None,
    drop_bad_rows: Annotated[
        bool, typer.Option("--drop-bad-rows", help="Repair: leave out rows that are no bars.")
    ] = False,
    keep: Annotated[
        Text, typer.Option(help="Repair: of rows of one time keep the first or last.")
    ] = None,
    sort: Annotated[
        bool, typer.Option("--sort", help="Repair: put rows in order of time.")
    ] = False,
    revise: Annotated[
        bool, typer.Option("--revise", help="Replace stored bars that differ.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring files of bars into the catalog.

    How they are to be read is guessed, shown with the evidence, and asked for; options answer.
    """
    said: dict[str, Any] = {
        "calendar": calendar, "hours": hours, "timezone": timezone, "stamp": stamp, "bar": bar,
        "symbol": symbol, "symbol_column": symbol_column, "dayfirst": dayfirst,
        "time_format": time_format, "separator": "\t" if separator == "tab" else separator,
        "decimal": decimal, "thousands": thousands, "encoding": encoding,
        "columns": _columns(columns or []),
    }  # fmt: skip
    said = {name: value for name, value in said.items() if value not in (None, {})}
    from barstack.bars import Catalog  # noqa: PLC0415
    from barstack.bars.importing import Repairs, plan_import  # noqa: PLC0415

    repairs = Repairs(drop_bad_rows=drop_bad_rows, keep=keep, sort=sort)
    plans = plan_import(path, into, said)
    for plan in plans:
        _check_name(plan, alone=plan.path == path)
    if not as_json:
        _show(plans)
    plans = _confirmed(plans, path, into, said, yes)
    brought = {}
    for plan in plans:
        brought[plan.into] = _run(plan, Catalog(catalog), repairs, revise, as_json)
    if as_json:
        print_json({"collections": [_plain(plan, brought[plan.into]) for plan in plans]})
    faults = [each for outcomes in brought.values() for each in outcomes if each.error]
    if faults:
        taken = sum(len(outcomes) for outcomes in brought.values()) - len(faults)
        listed = "\n".join(str(each.error) for each in faults)
        raise DataError(f"{len(faults)} not imported, {taken} imported.\n{listed}")


def _columns(given: list[str]) -> dict[str, str]:
    columns = {}
    for part in (part for each in given for part in each.split(",")):
        role, equals, name = part.partition("=")
        if not equals:
            raise ConfigError(f"Cannot use --columns {part}. Write time=Date,close=Last.")
        columns[role.strip()] = name.strip()
    return columns


def _check_name(plan: Plan, *, alone: bool) -> None:
    """`ConfigError` with a name that can be, for a folder whose own cannot."""
    # Cut, and once more stripped of what may only stand between letters.
    legal = re.sub(r"[^a-z0-9._-]+", "_", plan.into.lower()).strip("._-")[:80].strip("._-")
    if legal == plan.into:
        return
    way = f"--into {legal or 'bars'}"
    if not alone:
        path = shlex.quote(plan.path)
        way = f"{way}, importing it by itself: barstack import {path} {way}. Or rename the folder"
    raise ConfigError(
        f"{plan.into!r} cannot be the name of a collection, which has up to 80 small letters, "
        f"digits, and . _ - between them. Name it with {way}."
    )


def _show(plans: list[Plan]) -> None:
    from ._show_import import plan_table, plans_table, preview_table  # noqa: PLC0415

    console = stdout()
    if len(plans) > 1:
        console.print(plans_table(plans))
        return
    console.print(plan_table(plans[0]))
    if (first := preview_table(plans[0])) is not None:
        console.print(first)


def _confirmed(
    plans: list[Plan], path: str, into: str | None, said: dict[str, Any], yes: bool
) -> list[Plan]:
    """The plans, all questions answered; `ConfigError` where nobody can answer."""
    from barstack.bars.importing import plan_import  # noqa: PLC0415
    from barstack.bars.reading import sentence  # noqa: PLC0415

    unanswered = {each.setting: each for plan in plans for each in plan.guess.open}
    terminal = sys.stdin.isatty()
    if terminal and not yes:
        while unanswered:
            said = _asked(said, unanswered)
            plans = plan_import(path, into, said)
            _show(plans)
            unanswered = {each.setting: each for plan in plans for each in plan.guess.open}
        names = ", ".join(plan.into for plan in plans)
        files = sum(plan.n_files for plan in plans)
        if not typer.confirm(f"Import {files} file(s) so into {names}?", err=True):
            raise typer.Exit(1)
        return plans
    if unanswered or not yes:
        options = [word for each in unanswered.values() for word in _option(each)]
        # As it was called, so that it can be copied; values after the new options are examples.
        words = [word for word in sys.argv[1:] if word != "--yes"]
        command = f"barstack {shlex.join([*words, *options, '--yes'])}"
        if unanswered:
            raise ConfigError(
                f"Not imported, as this must be said: {sentence(list(unanswered.values()))}\n"
                f"Such as: {command}"
            )
        raise ConfigError(
            f"Not imported: nobody is here to confirm the guess. If it is right, run: {command}"
        )
    return plans


def _asked(said: dict[str, Any], unanswered: dict[str, Any]) -> dict[str, Any]:
    said = dict(said)
    for setting, clue in unanswered.items():
        choices = f" ({', '.join(clue.choices)})" if clue.choices else ""
        answer = typer.prompt(f"{clue.because} {setting}{choices}", err=True).strip()
        if setting == "dayfirst":
            said[setting] = not answer.lstrip("-").lower().startswith("m")
        elif setting.startswith("columns."):
            role = setting.removeprefix("columns.")
            said["columns"] = {**said.get("columns", {}), role: answer}
        else:
            said[setting] = answer
    return said


def _option(clue: Any) -> list[str]:
    value = clue.choices[0] if clue.choices else "VALUE"
    if clue.setting == "dayfirst":
        return [value]
    if clue.setting.startswith("columns."):
        return ["--columns", f"{clue.setting.removeprefix('columns.')}={value}"]
    return [clue.option, value]


def _run(plan: Plan, catalog: Any, repairs: Any, revise: bool, as_json: bool) -> list[Outcome]:
    from barstack.bars.importing import Import, run_import  # noqa: PLC0415

    from ._progress import ShownProgress  # noqa: PLC0415
    from ._show_import import outcome_lines  # noqa: PLC0415

    clock = ("calendar", "timezone", "stamp", "hours")
    guessed = any(each.setting in clock and each.certainty != "given" for each in plan.guess.clues)
    job = Import(plan.into, plan.files, plan.guess.reading, plan.path, repairs, revise, guessed)
    outcomes = run_import(job, catalog, ShownProgress(stderr()))
    if not as_json:
        for line in outcome_lines(plan.into, outcomes, catalog):
            stdout().print(line, highlight=False, soft_wrap=True)
    return outcomes


def _plain(plan: Plan, outcomes: list[Outcome]) -> dict[str, Any]:
    return {
        "collection": plan.into,
        "guess": [clue.to_json() for clue in plan.guess.clues],
        "files": [outcome.to_json() for outcome in outcomes],
    }
