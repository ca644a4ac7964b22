"""Look at bars: what the catalog holds, and what the checks find in it or in files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barstack.core.errors import ConfigError, did_you_mean

from ._root import app
from ._terminal import Json, print_json, stderr, stdout

if TYPE_CHECKING:
    from barstack.bars import Catalog, Collection
    from barstack.bars.checks import Examined
    from barstack.reports import Survey

Options = dict[str, Any]
Symbols = Annotated[list[str] | None, typer.Option(help="Only these; repeat the option.")]
Calendar = Annotated[str | None, typer.Option(help="Of files: XNYS, CMES, FX, 24/7 ...")]
Hours = Annotated[str | None, typer.Option(help="regular or extended.")]
Stamp = Annotated[str, typer.Option(help="Of files: times name the bar's open or close.")]
Timezone = Annotated[str | None, typer.Option(help="Of files whose times carry none.")]
Bar = Annotated[str | None, typer.Option(help="Of files: length of a bar, such as 5min.")]
Html = Annotated[Path | None, typer.Option(help="Write a page with pictures here.")]
Verify = Annotated[bool, typer.Option("--verify", help="Also read every stored byte.")]
Folder = Annotated[Path | None, typer.Option(help="The catalog, if not $BARSTACK_CATALOG.")]


@app.command(epilog="Example: barstack data us_equities_5m --html bars.html")
def data(
    what: Annotated[
        str | None, typer.Argument(help="A collection, a file or a folder; else all are listed.")
    ] = None,
    symbol: Symbols = None,
    calendar: Calendar = None,
    hours: Hours = None,
    stamp: Stamp = "open",
    timezone: Timezone = None,
    bar: Bar = None,
    html: Html = None,
    verify: Verify = False,
    catalog: Folder = None,
    as_json: Json = False,
) -> None:
    """List the catalog, or check bars: gaps, splits, bad prints, stale prices, volume.

    Nothing is changed. Exit code 1 when a check refuses.
    """
    from barstack.bars import Catalog  # noqa: PLC0415 (numpy is slow to import)

    kept = Catalog(catalog)
    if what is None:
        _list(kept, as_json)
        return
    files: Options = {
        "calendar": calendar or "24/7",
        "hours": hours or "regular",
        "stamp": stamp,
        "timezone": timezone,
        "bar": bar,
    }
    if what in kept.names():
        survey = _of_collection(kept.collection(what), symbol, hours, verify)
    elif Path(what).exists():
        survey = _of_files(Path(what), symbol, files)
    else:
        raise ConfigError(
            f"{what!r} is no file, no folder and no collection of {kept.folder}. "
            f"{did_you_mean(what, kept.names())}"
        )
    if html is not None:
        from barstack.reports import render_survey  # noqa: PLC0415

        html.write_text(render_survey(survey), encoding="utf-8")
    if as_json:
        print_json(survey.to_json())
    else:
        from ._show_data import show_survey  # noqa: PLC0415

        show_survey(survey, stdout(), html)
    if survey.refused:
        raise typer.Exit(1)


def _list(catalog: Catalog, as_json: bool) -> None:
    from ._show_data import collections_table  # noqa: PLC0415

    rows = [_summary(catalog.collection(name)) for name in catalog.names()]
    if as_json:
        print_json({"catalog": str(catalog.folder), "collections": rows})
    elif rows:
        stdout().print(collections_table(rows, str(catalog.folder)))
    else:
        stdout().print(
            f"The catalog at {catalog.folder} is empty. Bring bars in with barstack import or "
            "barstack fetch, or check files: barstack data PATH",
            highlight=False,
        )


def _summary(collection: Collection) -> Options:
    parts = [collection.summary(symbol) for symbol in collection.symbols()]
    starts = [part.first_us for part in parts if part.first_us is not None]
    ends = [part.last_us for part in parts if part.last_us is not None]
    return {
        "collection": collection.name,
        **collection.facts.content(),
        "symbols": len(parts),
        "rows": sum(part.rows for part in parts),
        "first_us": min(starts, default=None),
        "last_us": max(ends, default=None),
        "bytes": sum(part.bytes for part in parts),
        "fingerprint": collection.fingerprint,
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
    # The provider checks the settings, and says of a mistyped one what there is.
    tables = PROVIDERS.parse(source | reading).read(Path())
    length_us = parse_duration(reading["bar"]) if reading["bar"] else None
    options = {name: reading[name] for name in ("calendar", "hours", "stamp", "timezone")}
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
