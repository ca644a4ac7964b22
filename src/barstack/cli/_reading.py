"""Options that say how files are read, and questions about what files do not show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barstack.core.errors import ConfigError

if TYPE_CHECKING:
    from barstack.bars.importing import Clue

Text = str | None
Calendar = Annotated[Text, typer.Option(help="Such as XNYS, CMES, FX or 24/7.")]
Hours = Annotated[Text, typer.Option(help="regular or extended.")]
Timezone = Annotated[Text, typer.Option(help="Of times without a zone.")]
Stamp = Annotated[Text, typer.Option(help="open or close: which end of a bar its time is.")]
Bar = Annotated[Text, typer.Option(help="Length of a bar, such as 5min.")]
Columns = Annotated[
    list[str] | None, typer.Option(help="Such as time=Date,close=Last or volume=zeros.")
]
SymbolColumn = Annotated[Text, typer.Option(help="Column that names symbols.")]
DayFirst = Annotated[
    bool | None, typer.Option("--dayfirst/--monthfirst", help="Whether 05/01 is in January.")
]
TimeFormat = Annotated[Text, typer.Option(help="Such as '%d.%m.%Y %H:%M' or 'epoch ms'.")]
Separator = Annotated[Text, typer.Option(help="Between columns; tab is a tab.")]
Decimal = Annotated[Text, typer.Option(help="Mark before fractions: . or ,")]
Thousands = Annotated[Text, typer.Option(help="Mark between thousands.")]
Encoding = Annotated[Text, typer.Option(help="Such as utf-8 or cp1252.")]


def given_from(
    *, columns: list[str] | None, separator: str | None, **options: Any
) -> dict[str, Any]:
    """The settings that options give, as `barstack.bars.importing.guess` takes them."""
    given = options | {
        "columns": _columns(columns or []),
        "separator": "\t" if separator == "tab" else separator,
    }
    return {name: value for name, value in given.items() if value not in (None, {})}


def _columns(options: list[str]) -> dict[str, str]:
    columns = {}
    for part in (part for each in options for part in each.split(",")):
        role, equals, name = part.partition("=")
        if not equals:
            raise ConfigError(f"Cannot use --columns {part}. Write time=Date,close=Last.")
        columns[role.strip()] = name.strip()
    return columns


def prompted(given: dict[str, Any], unanswered: Iterable[Clue]) -> dict[str, Any]:
    """The settings with answers from the terminal."""
    given = dict(given)
    for clue in unanswered:
        setting = clue.setting
        choices = f" ({', '.join(clue.choices)})" if clue.choices else ""
        answer = typer.prompt(f"{clue.because} {setting}{choices}", err=True).strip()
        if setting == "dayfirst":
            given[setting] = not answer.lstrip("-").lower().startswith("m")
        elif setting.startswith("columns."):
            role = setting.removeprefix("columns.")
            given["columns"] = {**given.get("columns", {}), role: answer}
        else:
            given[setting] = answer
    return given


def option_of(clue: Clue) -> list[str]:
    """The option with a blank to fill in, as an unsure guess must not be copied."""
    if clue.setting == "dayfirst":
        return ["--dayfirst/--monthfirst"]
    if clue.setting.startswith("columns."):
        return ["--columns", f"{clue.setting.removeprefix('columns.')}=COLUMN"]
    return [clue.option, clue.setting.upper()]
