"""`barstack world`: synthetic markets whose best possible forecast is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barstack.core.errors import ConfigError, did_you_mean

from ._complete import collections
from ._root import Catalogs, Json, group, settings_of, summary
from ._terminal import print_json, stderr, stdout

if TYPE_CHECKING:
    from barstack.bars import Bars, Catalog
    from barstack.worlds import World


world = group(
    "world",
    "Synthetic markets whose best possible forecast is known.",
    "barstack world make --kind linear --into toy",
)


@world.command(epilog="Example: barstack world make --kind interaction --r2 0.01 --into toy")
def make(
    kind: Annotated[str, typer.Option(help="See: barstack world list.")],
    into: Annotated[str, typer.Option(help="Name of the collection to write.")],
    r2: Annotated[float | None, typer.Option(help="R² of the best forecast, 1 bar ahead.")] = None,
    symbols: Annotated[int | None, typer.Option(help="Number of symbols.")] = None,
    bars: Annotated[int | None, typer.Option(help="Bars of each symbol.")] = None,
    bar: Annotated[str | None, typer.Option(help="Length of a bar, such as 5min.")] = None,
    calendar: Annotated[str | None, typer.Option(help="XNYS, CMES, 24/7 ...")] = None,
    noise: Annotated[str | None, typer.Option(help="gaussian, garch, market ...")] = None,
    horizon: Annotated[
        list[str] | None,
        typer.Option(metavar="<str>", help="Duration or number of bars; repeat it."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed is another world.")] = None,
    with_: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="<field=value>", help="Any other setting; repeat it."),
    ] = None,
    catalog: Catalogs = None,
    as_json: Json = False,
) -> None:
    """Write a world into the catalog, with the accuracy of its best forecast.

    The same options give the same bytes.
    """
    from barstack.bars import Catalog  # noqa: PLC0415 (numpy is slow to import)
    from barstack.worlds import WORLDS, store  # noqa: PLC0415

    from ._progress import ShownProgress  # noqa: PLC0415

    given: dict[str, Any] = {
        "r2": r2,
        "symbols": symbols,
        "bars": bars,
        "bar": bar,
        "calendar": calendar,
        "noise": noise,
        "horizons": list(horizon or ()) or None,
        "seed": seed,
    }
    fields = {name: value for name, value in given.items() if value is not None}
    more = settings_of(with_ or [], "--with", "memory=0.5")
    made = WORLDS.parse({"world": kind} | fields | more)
    kept = Catalog(catalog)
    store(made, kept, into, ShownProgress(stderr()))
    _show(kept, into, as_json)


@world.command(name="list", epilog="Example: barstack world list")
def list_(as_json: Json = False) -> None:
    """The kinds of worlds, and the noises that each of them can have."""
    from barstack.worlds import NOISES, WORLDS  # noqa: PLC0415

    kinds = {name: WORLDS.get(name) for name in WORLDS.names()}
    if as_json:
        rows = [
            {"name": name, "signal": each.about_signal, "about": summary(each)}
            for name, each in kinds.items()
        ]
        noises = {name: noise.content() for name, noise in NOISES.items()}
        print_json({"worlds": rows, "noises": noises})
        return
    from ._tables import folded, table  # noqa: PLC0415

    shown = table("kind", folded("about"))
    for name, each in kinds.items():
        shown.add_row(name, summary(each))
    stdout().print(shown)
    stdout().print(f"Noises: {', '.join(NOISES)}.")


@world.command(epilog="Example: barstack world show toy --against us_equities_5m --html toy.html")
def show(
    name: Annotated[
        str,
        typer.Argument(
            help="A collection that barstack world make wrote.", autocompletion=collections
        ),
    ],
    against: Annotated[
        str | None, typer.Option(help="Real bars to compare: a collection, file or folder.")
    ] = None,
    symbol: Annotated[
        list[str] | None,
        typer.Option(metavar="<str>", help="Of the real bars, only these; repeat it."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with charts here.")] = None,
    catalog: Catalogs = None,
    as_json: Json = False,
) -> None:
    """Accuracy of the best forecast of a world, and how closely its bars resemble real ones."""
    from barstack.bars import Catalog  # noqa: PLC0415

    kept = Catalog(catalog)
    if against is None and html is None:
        _show(kept, name, as_json)
        return
    from barstack.reports import render_world, write_page  # noqa: PLC0415
    from barstack.worlds import likeness, stored  # noqa: PLC0415

    made, content = stored(kept, name)
    collection = kept.collection(name)
    own = [likeness(collection.bars(each)) for each in collection.symbols()[:1]]
    real = _real(kept, against, symbol, made) if against is not None else []
    facts = [likeness(bars) for bars in real]
    if html is not None:
        write_page(render_world(name, made, content["figures"], own, facts), html)
    if as_json:
        rows = [each.summary() for each in (*own, *facts)]
        print_json(content | {"likeness": rows, "html": str(html) if html else None})
        return
    from ._show_world import likeness_table  # noqa: PLC0415

    _show(kept, name, as_json)
    stdout().print("\nWhat the bars are like, the world first:")
    stdout().print(likeness_table([*own, *facts]))
    if html is not None:
        stdout().print(f"  page  {html}", soft_wrap=True)


def _show(catalog: Catalog, name: str, as_json: bool) -> None:
    from barstack.worlds import stored  # noqa: PLC0415

    made, content = stored(catalog, name)
    if as_json:
        print_json({"collection": name, "folder": str(catalog.folder / name)} | content)
        return
    from ._show_world import figures_table, headline  # noqa: PLC0415

    stdout().print(headline(name, made))
    stdout().print(figures_table(content["figures"]))


def _real(catalog: Catalog, against: str, wanted: list[str] | None, made: World) -> list[Bars]:
    """Bars to compare with; files are read with the calendar of the world."""
    if against in catalog.names():
        collection = catalog.collection(against)
        names = wanted or collection.symbols()
        return [collection.bars(symbol) for symbol in names]
    if not Path(against).exists():
        raise ConfigError(
            f"{against!r} is no file, no folder and no collection of {catalog.folder}. "
            f"{did_you_mean(against, catalog.names())}"
        )
    from barstack.bars import PROVIDERS  # noqa: PLC0415

    source = {"provider": "files", "path": str(Path(against).resolve()), "symbols": wanted}
    return list(PROVIDERS.parse(source | {"calendar": made.calendar}).load().values())
