"""Worlds in the catalog."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from barstack.bars import bars_from_table
from barstack.bars.catalog import Catalog, Facts
from barstack.core.errors import ConfigError, StorageError
from barstack.core.progress import Progress
from barstack.worlds import WORLDS, World, store, stored, table_of

WORLD: World = WORLDS.parse(
    {"world": "linear", "symbols": 2, "bars": 800, "r2": 0.02, "horizons": [1, "1h"]}
)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog")


def test_bars_and_truth_come_back_as_they_were_made(catalog: Catalog) -> None:
    store(WORLD, catalog, "toy")
    made, collection = WORLD.make(), catalog.collection("toy")
    assert collection.symbols() == list(WORLD.names)
    for symbol, bars in made.panel.items():
        np.testing.assert_array_equal(collection.bars(symbol).records, bars.records)
    world, content = stored(catalog, "toy")
    assert world == WORLD
    assert [each["horizon"] for each in content["figures"]] == ["1bars", "1h"]
    assert content["figures"][0]["r2"]["value"] == made.truth.figures[0].r2.value
    forecasts = pl.read_parquet(collection.folder / "truth.parquet")
    assert forecasts.columns == ["decided_at", "symbol", "return_1bars", "return_1h"]
    np.testing.assert_array_equal(forecasts["return_1h"].to_numpy(), made.truth.forecast[:, 1])


def test_the_same_world_again_changes_nothing(catalog: Catalog) -> None:
    store(WORLD, catalog, "toy")
    folder = catalog.folder / "toy"
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    store(WORLD, catalog, "toy")
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_an_interrupted_world_is_completed(catalog: Catalog) -> None:
    class Interrupted(Progress):
        @contextmanager
        def step(self, name: str, total: int) -> Iterator[Progress]:
            yield self

        def advance(self, units: int = 1) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store(WORLD, catalog, "toy", Interrupted())
    assert catalog.collection("toy").symbols() == ["W0001"]
    assert stored(catalog, "toy")[0] == WORLD  # the world is still known
    store(WORLD, catalog, "toy")
    assert catalog.collection("toy").symbols() == ["W0001", "W0002"]


def test_another_world_or_other_bars_are_not_mixed_in(catalog: Catalog) -> None:
    store(WORLD, catalog, "toy")
    with pytest.raises(ConfigError, match="contains world"):
        store(WORLD.model_copy(update={"seed": 1}), catalog, "toy")
    real = catalog.create("real", Facts(bar="5min", calendar="XNYS"))
    real.add("SPY", table_of(WORLD.bars_of("W0001")))
    with pytest.raises(ConfigError, match="bars that no world made"):
        store(WORLD, catalog, "real")
    with pytest.raises(ConfigError, match="is not of a world"):
        stored(catalog, "real")


def test_a_damaged_truth_is_noticed(catalog: Catalog) -> None:
    store(WORLD, catalog, "toy")
    file = catalog.folder / "toy" / "truth.json"
    file.write_text(json.dumps({"figures": []}))
    with pytest.raises(StorageError, match="is damaged"):
        stored(catalog, "toy")


def test_daily_bars_keep_their_sessions(catalog: Catalog) -> None:
    world = WORLDS.parse({"world": "martingale", "bar": "1d", "bars": 300, "horizons": ["1w"]})
    bars = world.bars_of("W0001")
    again = bars_from_table(table_of(bars), "W0001", length_us=bars.length_us, calendar="XNYS")
    np.testing.assert_array_equal(again.records, bars.records)
    store(world, catalog, "days")
    np.testing.assert_array_equal(catalog.collection("days").bars("W0001").records, bars.records)
