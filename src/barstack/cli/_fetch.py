"""Fetch bars from a source into the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barstack.core.errors import ConfigError, SourceError

from ._complete import sources
from ._root import Catalogs, Json, app, settings_of
from ._terminal import print_json, report, stderr, stdout

if TYPE_CHECKING:
    from barstack.bars.catalog import Collection
    from barstack.bars.sources import Fetched, PagedProvider

Source = Annotated[
    str,
    typer.Argument(help="alpaca, ccxt, sql, yfinance; or a study file.", autocompletion=sources),
]
Symbols = Annotated[list[str] | None, typer.Argument(help="Such as SPY AAPL, or BTC/USDT.")]
Bar = Annotated[str | None, typer.Option(help="Length of a bar, such as 5min or 1d.")]
Start = Annotated[str | None, typer.Option(help="UTC, such as 2024-01-01.")]
End = Annotated[str | None, typer.Option(help="UTC; by default the last closed bar.")]
Into = Annotated[str | None, typer.Option(help="Collection; by default SOURCE_BAR.")]
Setting = Annotated[
    list[str] | None, typer.Option("--option", help="Of the source, feed=sip; repeat it.")
]
Workers = Annotated[int, typer.Option(min=1, max=64, help="Symbols requested at the same time.")]
Attempts = Annotated[int, typer.Option(min=1, help="Requests for a page before a symbol fails.")]
Timeout = Annotated[float, typer.Option(min=0.1, help="Seconds a source may be silent.")]
Again = Annotated[
    bool, typer.Option("--again", help="Request everything, and revise what differs.")
]


@app.command(epilog="Example: barstack fetch alpaca SPY AAPL --bar 5min --start 2024-01-01")
def fetch(
    source: Source,
    symbols: Symbols = None,
    bar: Bar = None,
    start: Start = None,
    end: End = None,
    into: Into = None,
    catalog: Catalogs = None,
    option: Setting = None,
    workers: Workers = 4,
    again: Again = False,
    attempts: Attempts = 8,
    timeout: Timeout = 30.0,
    as_json: Json = False,
) -> None:
    """Fetch bars into the catalog: only what is missing there, each page stored as it arrives.

    Exit code 3 when the source failed for a symbol; what arrived is stored, and the same command
    continues.
    """
    from barstack.bars.catalog import Catalog  # noqa: PLC0415 (numpy is slow to import)
    from barstack.bars.sources import RetryPolicy  # noqa: PLC0415
    from barstack.bars.sources import fetch as fetch_missing  # noqa: PLC0415

    from ._progress import ShownProgress  # noqa: PLC0415

    given = {
        "symbols": symbols or None,
        "bar": bar,
        "start": start,
        "end": end,
        "collection": into,
    } | settings_of(option or [], "--option", "feed=sip")
    remote = _remote(source, {name: value for name, value in given.items() if value is not None})
    collection = remote.collection_in(Catalog(catalog))
    fetched = fetch_missing(
        remote,
        collection,
        ShownProgress(stderr()),
        again=again,
        workers=workers,
        policy=RetryPolicy(attempts=attempts, timeout_s=timeout),
    )
    if as_json:
        print_json(fetched.to_json() | {"folder": str(collection.folder)})
    else:
        _show(fetched, collection)
    if fetched.errors:
        raise typer.Exit(SourceError.exit_code)


def _remote(source: str, given: dict[str, Any]) -> PagedProvider:
    from barstack.bars import PROVIDERS  # noqa: PLC0415
    from barstack.bars.sources import PagedProvider  # noqa: PLC0415

    if source.endswith((".yaml", ".yml")):
        from barstack.experiments import Study  # noqa: PLC0415

        bars = Study.from_yaml(Path(source)).bars
        if isinstance(bars, PagedProvider):
            return bars.model_copy(update=given)
    elif issubclass(PROVIDERS.get(source), PagedProvider):
        found = PROVIDERS.parse({"provider": source} | given)
        assert isinstance(found, PagedProvider)
        return found
    known = [name for name in PROVIDERS.names() if issubclass(PROVIDERS.get(name), PagedProvider)]
    raise ConfigError(
        f"The bars of {source} are not fetched from anywhere. Sources to fetch from: "
        f"{', '.join(known)}."
    )


def _show(fetched: Fetched, collection: Collection) -> None:

    from barstack.core.times import iso  # noqa: PLC0415

    from ._tables import right, table  # noqa: PLC0415

    console = stdout()
    shown = table("symbol", *map(right, ("new bars", "pages", "retries")), "from", "to")
    known = set(collection.symbols())
    for symbol, each in fetched.symbols.items():
        ends = ["–", "–"]
        if symbol in known and (summary := collection.summary(symbol)).rows:
            ends = [iso(t)[:16] for t in (summary.first_us, summary.last_us)]
        counts = (f"{count:,}" for count in (each.new, each.pages, each.counts.retries))
        shown.add_row(symbol, *counts, *ends, style="red" if each.error else "")
    console.print(shown)
    for symbol, each in fetched.symbols.items():
        for sentence in _sentences(symbol, each):
            console.print(f"  {sentence}", style="yellow")
    for sentence in fetched.errors.values():
        report("failed", sentence)
    console.print(f"  in {collection.folder}", soft_wrap=True)


def _sentences(symbol: str, each: Any) -> list[str]:
    found = []
    if not each.missing:
        found.append(f"{symbol}: nothing was missing")
    if each.revised:
        found.append(f"{symbol}: {each.revised:,} bars had other values and were replaced")
    if each.disordered:
        found.append(f"{symbol}: {each.disordered} pages were out of order and were sorted")
    if each.repeats:
        found.append(f"{symbol}: {each.repeats:,} rows were duplicates, of which one is stored")
    return found
