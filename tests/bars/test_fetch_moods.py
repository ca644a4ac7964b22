"""Whatever a source does, a collection ends up with exactly what the source holds."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from tests.bars.conftest import PointAt
from tests.bars.sources import SOURCES, Source, impatient
from tests.bars.vendor import HARMLESS, MOODS, Vendor

from barstack.bars.catalog import Catalog, Collection
from barstack.bars.sources import PagedProvider, alpaca, fetch

pytestmark = pytest.mark.usefixtures("yahoo_forgets")
each_source = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog")


def truth(vendor: Vendor, remote: PagedProvider, symbol: str) -> list[tuple[float, ...]]:
    return [tuple(row) for row in vendor.between(symbol, *remote.wanted(2**62))]


def stored(collection: Collection, symbol: str) -> list[tuple[float, ...]]:
    table = collection.table(symbol)
    return table.with_columns(pl.col("timestamp").to_physical()).rows()


@pytest.mark.parametrize("mood", [*MOODS, "mix"])
@each_source
def test_ends_up_with_what_the_source_holds(
    source: Source,
    mood: str,
    catalog: Catalog,
    point_at: PointAt,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alpaca, "_ROWS", 800)  # several pages, each in parts with a page_token
    moods = MOODS if mood == "mix" else [mood]
    remote = source.remote(1500)
    with Vendor(
        source.market(1800), moods=moods, share=1.0, seed=3, slow_s=0.5, page_rows=500
    ) as vendor:
        point_at(vendor)
        collection = remote.collection_in(catalog)
        fetched = fetch(remote, collection, policy=impatient())
        assert fetched.errors == {}
        for symbol in source.symbols:
            assert stored(collection, symbol) == truth(vendor, remote, symbol)
            assert collection.covered(symbol) == [remote.wanted(2**62)]
        met = {asked.mood for asked in vendor.asked} - {"well"}
        assert met <= set(moods)
        assert met
        # Whoever is turned away tells us, and does not ask again behind our back; but curl opens a
        # connection anew that was cut while it lay idle.
        harmless = ("well", "cut", *HARMLESS)
        bad = [asked for asked in vendor.asked if asked.mood not in harmless]
        assert sum(each.counts.retries for each in fetched.symbols.values()) >= len(bad)
