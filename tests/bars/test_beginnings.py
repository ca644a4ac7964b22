"""What fails before its first rows leaves no collection, and the name stays free."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.bars.catalog_tables import MINUTE_US, made

from barstack.bars import Catalog, Collection
from barstack.bars.importing import Import, Reading, run_import
from barstack.core.times import DAY_US
from barstack.worlds import WORLDS, store


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog")


def test_an_import_that_fails(catalog: Catalog, tmp_path: Path) -> None:
    made(240).write_parquet(tmp_path / "A.parquet")
    made(60, length_us=5 * MINUTE_US).write_parquet(tmp_path / "B.parquet")
    files = {name: [tmp_path / f"{name}.parquet"] for name in "AB"}

    def errors(bar: str, symbol: str) -> list[str | None]:
        reading = Reading(bar=bar, calendar="24/7")
        job = Import("some", {symbol: files[symbol]}, reading)
        return [each.error for each in run_import(job, catalog)]

    (error,) = errors("1d", "A")
    assert error is not None
    assert "A are mostly 30min apart, the first at 2025-12-30 00:00 UTC, which is not 1d" in error
    assert catalog.names() == []
    assert errors("30min", "A") == [None]
    assert catalog.collection("some").facts.length_us == 30 * MINUTE_US
    (error,) = errors("30min", "B")
    assert error is not None
    assert catalog.collection("some").symbols() == ["A"]


def test_a_world_that_is_interrupted(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    fields = {"world": "linear", "bars": 800, "horizons": [1]}
    with monkeypatch.context() as broken:
        broken.setattr(Collection, "add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store(WORLDS.parse(fields), catalog, "toy")
    assert catalog.names() == []
    daily = WORLDS.parse(fields | {"bar": "1d", "horizons": ["1w"]})
    store(daily, catalog, "toy")
    assert catalog.collection("toy").facts.length_us == DAY_US
