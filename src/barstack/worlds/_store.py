"""Worlds in the catalog: their bars as a collection, and the truth beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from barstack.bars import Bars
from barstack.bars.catalog import Catalog, Collection, Facts
from barstack.core.errors import ConfigError, StorageError
from barstack.core.files import new_file
from barstack.core.progress import Progress

from ._truth import Truth
from ._world import WORLDS, World

TRUTH, FORECASTS = "truth.json", "truth.parquet"


def store(world: World, catalog: Catalog, name: str, progress: Progress | None = None) -> Truth:
    """Write the bars of a world as collection `name`, and the truth beside them.

    `truth.json` holds the world and its figures, `truth.parquet` the forecasts: decided_at,
    symbol, and a column such as return_1h for each horizon. The same world again completes what
    an interruption left. Raises `ConfigError` if the collection contains anything else.

    >>> import tempfile
    >>> from barstack.worlds import WORLDS
    >>> world = WORLDS.parse({"world": "martingale", "bars": 50, "horizons": [1]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     truth = store(world, Catalog(folder), "noise")
    >>> truth.horizons
    ('1bars',)
    """
    progress = progress or Progress()
    folder = catalog.folder / name
    if name in catalog.names():
        _check_same(world, catalog.collection(name))
    facts = Facts(bar=world.bar, calendar=world.calendar, source=f"world {world.id}")
    collection = catalog.create(name, facts)
    symbols = sorted(world.names)
    truth = world.truth_of(*symbols)
    # The world's description first, so that no bars are without it.
    _write_json(folder / TRUTH, truth.to_json())
    with progress.step("symbols", len(symbols)) as step:
        for symbol in symbols:
            collection.add(symbol, table_of(world.bars_of(symbol)))
            step.advance()
    with new_file(folder / FORECASTS) as scratch:
        truth.table().write_parquet(scratch)
    return truth


def stored(catalog: Catalog, name: str) -> tuple[World, dict[str, Any]]:
    """(world, content of its truth.json) of a collection that `store` wrote.

    >>> import tempfile
    >>> from barstack.worlds import WORLDS, store
    >>> world = WORLDS.parse({"world": "martingale", "bars": 50, "horizons": [1]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = store(world, Catalog(folder), "noise")
    ...     again, _ = stored(Catalog(folder), "noise")
    >>> again == world
    True
    """
    file = catalog.collection(name).folder / TRUTH
    try:
        content = json.loads(file.read_text())
        return WORLDS.parse(content["world"]), content
    except FileNotFoundError:
        raise ConfigError(f"Collection {name!r} is not of a world: it has no {TRUTH}.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{file} is damaged: {error}. Make the world again.") from None


def table_of(bars: Bars) -> pl.DataFrame:
    """Bars as a table in the form of the catalog.

    >>> from barstack.testing import walk
    >>> table_of(walk(bars=3)).columns
    ['timestamp', 'open', 'high', 'low', 'close', 'volume']
    """
    columns: dict[str, Any] = {"timestamp": bars.opened_at}
    columns |= {name: bars.records[name] for name in ("open", "high", "low", "close", "volume")}
    return pl.DataFrame(columns).with_columns(pl.col("timestamp").dt.replace_time_zone("UTC"))


def _check_same(world: World, collection: Collection) -> None:
    file = collection.folder / TRUTH
    if not file.is_file() and not collection.symbols():
        return
    there = json.loads(file.read_text()).get("id") if file.is_file() else None
    if there != world.id:
        what = f"world {there}" if there else "bars that no world made"
        raise ConfigError(
            f"Collection {collection.name!r} contains {what}, not world {world.id}. Choose another "
            "name for this one."
        )


def _write_json(file: Path, content: dict[str, Any]) -> None:
    with new_file(file) as scratch:
        scratch.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
