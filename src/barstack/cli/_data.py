"""`barstack data`: what the catalog holds, and what checks find in it or in files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barstack.core.errors import ConfigError, StorageError, did_you_mean

from ._complete import collections
from ._root import Catalogs, Json, app
from ._terminal import print_json, report, stderr, stdout

if TYPE_CHECKING:
    from barstack.bars import Catalog, Collection
    from barstack.bars.catalog import Summary
    from barstack.bars.checks import Examined
    from barstack.reports import Survey

Options = dict[str, Any]
_FACTS = (
    *("bar", "calendar", "hours", "source"),
    *("symbols", "rows", "first_us", "last_us", "bytes", "fingerprint"),
)
Symbols = Annotated[list[str] | None, typer.Option(help="Only these; repeat the option.")]
Calendar = Annotated[str | None, typer.Option(help="Of files: XNYS, CMES, FX, 24/7 ...")]
Hours = Annotated[str | None, typer.Option(help="regular or extended.")]
Stamp = Annotated[str | None, typer.Option(help="Of files: times name the bar's open or close.")]
Timezone = Annotated[str | None, typer.Option(help="Of files whose times carry none.")]
Bar = Annotated[str | None, typer.Option(help="Of files: length of a bar, such as 5min.")]
Html = Annotated[Path | None, typer.Option(help="Write a page with pictures here.")]
Verify = Annotated[bool, typer.Option("--verify", help="Also read every stored byte.")]


@app.command(epilog="Example: barstack data us_equities_5m --html bars.html")
def data(
    what: Annotated[
        str | None,
        typer.Argument(
            autocompletion=collections,
            help="A collection, a file or a folder; else all are listed.",
        ),
    ] = None,
    symbol: Symbols = None,
    calendar: Calendar = None,
    hours: Hours = None,
    stamp: Stamp = None,
    timezone: Timezone = None,
    bar: Bar = None,
    html: Html = None,
    verify: Verify = False,
    catalog: Catalogs = None,
    as_json: Json = False,
) -> None:
    """List the catalog, or check bars: gaps, splits, bad prints, stale prices, volume.

    Nothing is changed. Exit code 1 when a check refuses.
    """
    from barstack.bars import Catalog  # noqa: PLC0415 (numpy is slow to import)

    kept = Catalog(catalog)
    files: Options = {"calendar": calendar, "stamp": stamp, "timezone": timezone, "bar": bar}
    if what is None:
        others = {"symbol": symbol, "hours": hours, "html": html, "verify": verify or None}
        _refuse_options(
            files | others,
            "says how to check, and nothing to check is named. Write a collection, "
            "a file or a folder after barstack data.",
        )
        _list(kept, as_json)
        return
    if what in kept.names():
        _refuse_options(
            files,
            f"says how to read files; for collection {what} that was settled when its bars came "
            "in. Leave it out.",
        )
        survey = _of_collection(kept.collection(what), symbol, hours, verify)
    elif Path(what).exists():
        usual = {"calendar": "24/7", "hours": hours or "regular", "stamp": "open"}
        given = {name: value for name, value in files.items() if value is not None}
        survey = _of_files(Path(what), symbol, usual | given)
    else:
        raise ConfigError(
            f"{what!r} is no file, no folder and no collection of {kept.folder}. "
            f"{did_you_mean(what, kept.names())}"
        )
    if html is not None:
        from barstack.reports import render_survey, write_page  # noqa: PLC0415

        write_page(render_survey(survey), html)
    if as_json:
        print_json(survey.to_json())
    else:
        from ._show_data import show_survey  # noqa: PLC0415

        show_survey(survey, stdout(), html)
    if survey.refused:
        raise typer.Exit(1)


def _refuse_options(given: Options, why: str) -> None:
    """`ConfigError` where an option is given that would change nothing."""
    names = [f"--{name}" for name, value in given.items() if value is not None]
    if names:
        raise ConfigError(f"{', '.join(names)} {why}")


def _list(catalog: Catalog, as_json: bool) -> None:
    from ._show_data import collections_lines  # noqa: PLC0415

    rows = [_row(catalog, name) for name in catalog.names()]
    damages = [sentence for row in rows for sentence in row["damages"]]
    if as_json:
        print_json({"catalog": str(catalog.folder), "collections": rows})
    elif rows:
        console = stdout()
        for line in collections_lines(rows, str(catalog.folder), console.width):
            console.print(line)
        for sentence in damages:
            report("damaged", sentence)
    else:
        stdout().print(
            f"The catalog at {catalog.folder} is empty. Bring bars in with barstack import or "
            "barstack fetch, or check files: barstack data PATH",
        )
    if damages:
        raise typer.Exit(1)


def _row(catalog: Catalog, name: str) -> Options:
    """Facts on a collection, as far as it can be read; what cannot be is listed in `damages`."""
    row: Options = {"collection": name, **dict.fromkeys(_FACTS), "damages": []}
    parts: list[Summary] = []
    try:
        collection = catalog.collection(name)
        row |= collection.facts.content()
        symbols = collection.symbols()
    except StorageError as error:
        row["damages"].append(str(error))
        return row
    for symbol in symbols:
        try:
            parts.append(collection.summary(symbol))
        except StorageError as error:
            row["damages"].append(str(error))
    return row | {
        "symbols": len(symbols),
        "rows": sum(part.rows for part in parts),
        "first_us": min((p.first_us for p in parts if p.first_us is not None), default=None),
        "last_us": max((p.last_us for p in parts if p.last_us is not None), default=None),
        "bytes": sum(part.bytes for part in parts),
        "fingerprint": None if row["damages"] else collection.fingerprint,
    }


def _of_collection(
    collection: Collection, wanted: list[str] | None, hours: str | None, verify: bool
) -> Survey:
    from barstack.bars.checks import examine  # noqa: PLC0415
    from barstack.reports import Survey  # noqa: PLC0415

    facts = collection.facts
    hours = hours or facts.hours
    survey = Survey(collection.name, facts.calendar, hours, facts.length_us)
    symbols = _chosen(wanted, collection.symbols(), collection.name)

    def one(symbol: str) -> Examined:
        if verify:
            collection.verify(symbol)
        return examine(
            collection.table(symbol),
            symbol,
            calendar=facts.calendar,
            hours=hours,
            length_us=facts.length_us,
        )

    _gather(survey, (one(symbol) for symbol in symbols), len(symbols))
    return survey


def _of_files(path: Path, wanted: list[str] | None, reading: Options) -> Survey:
    from barstack.bars import PROVIDERS  # noqa: PLC0415
    from barstack.bars.checks import examine  # noqa: PLC0415
    from barstack.core.times import parse_duration  # noqa: PLC0415
    from barstack.reports import Survey  # noqa: PLC0415

    source = {"provider": "files", "path": str(path.resolve()), "symbols": wanted}
    # The provider validates the settings, with suggestions for mistyped ones.
    tables = PROVIDERS.parse(source | reading).read(Path())
    length_us = parse_duration(reading["bar"]) if "bar" in reading else None
    options = {name: value for name, value in reading.items() if name != "bar"}
    survey = Survey(path.name, reading["calendar"], reading["hours"])
    found = (
        examine(tables[symbol], symbol, length_us=length_us, **options) for symbol in sorted(tables)
    )
    _gather(survey, found, len(tables))
    return survey


def _chosen(wanted: list[str] | None, there: list[str], where: str) -> list[str]:
    for symbol in wanted or ():
        if symbol not in there:
            raise ConfigError(f"{where} has no {symbol!r}. {did_you_mean(symbol, there)}")
    return wanted or there


def _gather(survey: Survey, examined: Iterator[Examined], total: int) -> None:
    from ._progress import ShownProgress  # noqa: PLC0415

    with ShownProgress(stderr()).step("checking", total) as progress:
        for each in examined:
            survey.add(each.symbol, each.rows, each.bars, each.findings)
            progress.advance()
