"""Readers of the catalog while files come and go, and the provider that studies read with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from tests.bars.catalog_tables import (
    collection_in,
    made,
    parquet_files,
    scaled,
    session_table,
)

import barstack as bs
from barstack.bars import PROVIDERS, Collection
from barstack.bars.catalog import _folders, _parts, _writing
from barstack.core.errors import ConfigError, DataError, StorageError

WHOLE = made(240)


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return collection_in(tmp_path)


def test_a_scan_planned_before_many_top_ups(collection: Collection) -> None:
    collection.add("A", WHOLE[:100])
    planned = collection.scan()
    for start in range(100, 240, 5):
        collection.add("A", WHOLE[start : start + 5])
    assert_frame_equal(planned.collect().select(WHOLE.columns), WHOLE[:100])


def test_what_was_replaced_goes_in_the_end(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for start in range(0, 240, 10):
        collection.add("A", WHOLE[start : start + 10])
    assert len(parquet_files(collection, "A")) > collection.summary("A").parts
    monkeypatch.setattr(_writing, "RETIRED_KEPT_S", 0)
    collection.add("A", WHOLE)
    assert len(parquet_files(collection, "A")) == collection.summary("A").parts
    assert_frame_equal(collection.table("A"), WHOLE)


def test_leftovers_of_killed_writers_are_neither_seen_nor_kept(collection: Collection) -> None:
    collection.add("A", WHOLE[:100])
    folder = collection.folder / "A"
    (real,) = list(folder.glob("2025-*.parquet"))
    left = [folder / "2025-0000000000000000.parquet", folder / ".manifest.json.0f.part"]
    for file in left:
        shutil.copy(real, file)
    (folder / "notes.txt").write_text("somebody's own")
    assert_frame_equal(collection.table("A"), WHOLE[:100])
    assert len(collection.files()) == collection.summary("A").parts
    collection.add("A", WHOLE)
    assert not any(file.exists() for file in left)
    assert (folder / "notes.txt").exists()


def test_a_slow_reader_begins_again(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are replaced and removed while it reads; it never sees a mixture."""
    monkeypatch.setattr(_writing, "RETIRED_KEPT_S", 0)
    collection.add("A", WHOLE[:50])
    read_rows = _parts.read_rows
    reads: list[int] = []

    def slow(folder: Path, parts: Any, *arguments: Any) -> pl.DataFrame:
        if not reads:
            for start in (50, 60, 70):
                collection.add("A", scaled(WHOLE[: start + 10], 1 + start), revise=True)
        reads.append(len(parts))
        return read_rows(folder, parts, *arguments)

    monkeypatch.setattr("barstack.bars.catalog._collection.read_rows", slow)
    assert_frame_equal(collection.table("A"), scaled(WHOLE[:80], 71))
    assert len(reads) == 2


def test_a_lock_that_is_never_let_go(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.add("A", WHOLE[:50])
    monkeypatch.setattr(_folders, "WAIT_S", 0.02)
    with _folders.locked(collection.folder / "A" / ".lock"):
        with pytest.raises(StorageError, match=r"Another process has been writing in .*/A for"):
            collection.add("A", WHOLE)
        assert len(collection.table("A")) == 50, "readers never wait"
        assert collection.add("B", WHOLE).new == 240, "nor does who writes another symbol"
    assert collection.add("A", WHOLE).new == 190


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same bars in a catalog and in a file; for reading only."""
    folder = tmp_path_factory.mktemp("both")
    table = session_table(60)
    kept = np.random.default_rng(0).random(len(table)) > 0.2
    collection = collection_in(folder / "kept", calendar="XNYS")
    collection.add("A", table.filter(kept))
    table.filter(kept).write_parquet(folder / "A.parquet")
    return folder


moments = st.none() | st.integers(0, 60 * 48).map(
    lambda half_hours: str(np.datetime64("2025-11-22T00:00") + np.timedelta64(30 * half_hours, "m"))
)


@settings(max_examples=60, deadline=None)
@given(
    start=moments,
    end=moments,
    resample=st.sampled_from([None, "1h", "2h", "1d", "1w"]),
    hours=st.sampled_from(["regular", "extended"]),
)
def test_a_study_reads_less_and_gets_the_same(
    both: Path, start: str | None, end: str | None, resample: str | None, hours: str
) -> None:
    asked = {"start": start, "end": end, "resample": resample, "hours": hours}
    files = {"provider": "files", "path": "A.parquet", "calendar": "XNYS", "bar": "30min"}
    catalog = {"provider": "catalog", "collection": "some", "path": "kept"}
    expected = outcome(files | asked, both)
    found = outcome(catalog | asked, both)
    assert found == expected or (expected is None and found is None)


def test_a_day_whose_last_bar_is_missing_ends_with_the_next_bar(tmp_path: Path) -> None:
    """It comes only on Monday, after a weekend; without it Friday would be left out."""
    table = session_table(12)
    friday = pl.col("timestamp").dt.date() == pl.date(2025, 12, 5)
    table = table.filter(~(friday & (pl.col("timestamp").dt.hour() >= 20)))
    collection_in(tmp_path / "kept", calendar="XNYS").add("A", table)
    table.write_parquet(tmp_path / "A.parquet")
    asked = {"resample": "1d", "end": "2025-12-06"}
    files = {"provider": "files", "path": "A.parquet", "calendar": "XNYS", "bar": "30min"}
    catalog = {"provider": "catalog", "collection": "some", "path": "kept"}
    found = PROVIDERS.parse(catalog | asked).load(tmp_path)["A"]
    assert str(found.closed_at[-1]) == "2025-12-05T21:00:00.000000"
    assert found.fingerprint == outcome(files | asked, tmp_path)


def test_a_day_whose_first_bar_is_missing_begins_after_the_one_before(tmp_path: Path) -> None:
    """Read from Monday on, it would pass for a day of which nobody saw the beginning."""
    table = session_table(12)
    monday = pl.col("timestamp").dt.date() == pl.date(2025, 12, 8)
    table = table.filter(~(monday & (pl.col("timestamp").dt.hour() < 15)))
    collection_in(tmp_path / "kept", calendar="XNYS").add("A", table)
    table.write_parquet(tmp_path / "A.parquet")
    asked = {"resample": "1d", "start": "2025-12-07"}
    files = {"provider": "files", "path": "A.parquet", "calendar": "XNYS", "bar": "30min"}
    catalog = {"provider": "catalog", "collection": "some", "path": "kept"}
    found = PROVIDERS.parse(catalog | asked).load(tmp_path)["A"]
    assert str(found.opened_at[0]) == "2025-12-08T14:30:00.000000"
    assert found.fingerprint == outcome(files | asked, tmp_path)


def outcome(source: dict[str, Any], folder: Path) -> str | None:
    """Fingerprint of the bars, or None where there are none."""
    try:
        return PROVIDERS.parse(source).load(folder)["A"].fingerprint
    except DataError:
        return None


def test_a_month_of_years_reads_a_month(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.add("A", WHOLE)
    read: list[str] = []
    read_part = _parts.read_part

    def noted(folder: Path, part: Any) -> pl.DataFrame:
        read.append(part.file[:4])
        return read_part(folder, part)

    monkeypatch.setattr(_parts, "read_part", noted)
    source = {"provider": "catalog", "collection": "some", "path": str(collection.folder.parent)}
    PROVIDERS.parse(source | {"start": "2026-01-02T12:00"}).load()
    assert read == ["2026"]
    PROVIDERS.parse(source | {"end": "2025-12-31"}).load()
    assert read == ["2026", "2025"]


def test_a_study_that_contradicts_its_collection(both: Path) -> None:
    source = {"provider": "catalog", "collection": "some", "path": "kept"}
    said = r"study says (calendar: 24/7|bar: 1h), and .*'some' holds (calendar: XNYS|bar: 30min)\."
    for wrong in ({"calendar": "24/7"}, {"bar": "1h"}):
        for ask in ("load", "bar_format"):
            with pytest.raises(ConfigError, match=said):
                getattr(PROVIDERS.parse(source | wrong), ask)(both)
    same = PROVIDERS.parse(source | {"calendar": "XNYS", "bar": "30min", "hours": "extended"})
    assert same.bar_format(both).settings() == {
        "calendar": "XNYS", "hours": "extended", "stamp": "open", "timezone": None, "bar": "30min",
        "resample": None, "day_zone": None,
    }  # fmt: skip
    for wrong in ({"stamp": "close"}, {"timezone": "UTC"}):
        with pytest.raises(ConfigError, match=r"catalog\.(stamp|timezone)"):
            PROVIDERS.parse(source | wrong)


def test_nothing_to_read(tmp_path: Path) -> None:
    collection = collection_in(tmp_path)
    collection.add("A", WHOLE)
    collection.remove("A")
    provider = PROVIDERS.parse({"provider": "catalog", "collection": "some", "path": str(tmp_path)})
    with pytest.raises(DataError, match=r"'some' in .* is empty\. Bring bars in"):
        provider.load()
    collection.add("A", WHOLE.clear(), covered=(0, 1))
    with pytest.raises(DataError, match=r"has no bars of A yet"):
        provider.load()
    with pytest.raises(DataError, match=r"has no 'B'\. Known: A"):
        provider.model_copy(update={"symbols": ("B",)}).load()


def test_a_study_of_the_catalog_is_that_of_files(
    tmp_path: Path, study_file: Callable[..., Path]
) -> None:
    """Same scores, same data, same way to read new tables; and another id when a bar changes."""
    file = study_file(tmp_path)
    plain = bs.run(file, runs=tmp_path / "runs")
    collection = collection_in(tmp_path / "kept")
    table = pl.read_parquet(tmp_path / "bars" / "WALK.parquet")
    collection.add("WALK", table.with_columns(pl.col("timestamp").dt.cast_time_unit("us")))
    source = {"provider": "catalog", "collection": "some", "path": "kept"}
    ours = bs.run(study_file(tmp_path, "ours.yaml", bars=source), runs=tmp_path / "own")
    assert ours.evaluation.to_json()["scores"] == plain.evaluation.to_json()["scores"]
    assert ours.artifact.provenance.data_sha256 == plain.artifact.provenance.data_sha256
    assert ours.artifact.bars == replace(plain.artifact.bars, bar="30min")
    row = table[9:10].with_columns(
        pl.col("volume") + 1, pl.col("timestamp").dt.cast_time_unit("us")
    )
    collection.add("WALK", row, revise=True)
    assert bs.run(tmp_path / "ours.yaml", runs=tmp_path / "own").id != ours.id
