"""What the catalog does not take, and what it says of files that are damaged."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.bars.catalog_tables import (
    MINUTE_US,
    collection_in,
    later,
    made,
    parquet_files,
    scaled,
)

from barstack.bars import Catalog, Collection
from barstack.core.errors import DataError, StorageError
from barstack.core.times import DAY_US

WHOLE = made(240)


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return collection_in(tmp_path)


def test_rows_that_differ(collection: Collection) -> None:
    collection.add("A", WHOLE)
    before = collection.fingerprint
    other = WHOLE[100:103].with_columns(pl.lit(7.0).alias("volume"))
    said = (
        r"some: A at 2026-01-01 02:00 UTC is stored with volume \d+\.0 and given with volume 7\.0; "
    )
    with pytest.raises(DataError, match=said + r"3 of 3 rows .*add with revise to replace"):
        collection.add("A", other)
    assert collection.fingerprint == before
    revised = collection.add("A", other.vstack(WHOLE[103:110]), revise=True)
    assert (revised.new, revised.same, revised.revised) == (0, 7, 3)
    assert_frame_equal(collection.table("A"), pl.concat([WHOLE[:100], other, WHOLE[103:]]))
    collection.add("A", WHOLE, revise=True)
    assert collection.fingerprint == before


@pytest.mark.parametrize("ratio", [0.5, 2.0, 0.995, 20.0])
def test_prices_adjusted_anew(collection: Collection, ratio: float) -> None:
    collection.add("A", WHOLE[:200])
    newer = scaled(WHOLE, ratio)
    again = rf"by one ratio, {ratio:.6g}: the source has re-adjusted its prices\. Remove the symbol"
    for rows in (slice(0, 240), slice(190, 240), slice(199, 240)):
        with pytest.raises(DataError, match=again):
            collection.add("A", newer[rows])
    half = rf"re-adjusted the prices of A \(ratio {ratio:.6g}\).* Half of it would stay as it was"
    for rows in (slice(0, 199), slice(1, 240), slice(199, 240)):
        with pytest.raises(DataError, match=half):
            collection.add("A", newer[rows], revise=True)
    assert_frame_equal(collection.table("A"), WHOLE[:200])
    collection.add("A", newer[50:60], revise=True)  # a stretch that was wrong
    collection.add("A", WHOLE[50:60], revise=True)
    assert collection.add("A", newer, revise=True).revised == 200
    assert_frame_equal(collection.table("A"), newer)


def test_a_symbol_brought_in_anew(collection: Collection) -> None:
    collection.add("A", WHOLE, covered=(0, 10))
    collection.remove("A")
    assert collection.symbols() == []
    assert collection.covered("A") == []
    assert parquet_files(collection, "A") == {}
    with pytest.raises(DataError, match="has no 'A'"):
        collection.remove("A")
    collection.add("A", scaled(WHOLE, 0.5))
    assert_frame_equal(collection.table("A"), scaled(WHOLE, 0.5))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop("volume"), r"not in the form that is stored\. .*table_from_frame"),
        (lambda t: t.with_columns(pl.col("timestamp").cast(pl.Datetime("us"))), "not in the form"),
        (lambda t: t.with_columns(pl.lit(None, pl.Float64).alias("close")), "A has empty cells"),
        (lambda t: t[::-1], r"row 1 of A .* goes back in time"),
        (lambda t: t[[0, 0, 1]], r"row 1 of A .* repeats the time"),
        (lambda t: t.with_columns(pl.col("high") * 0.5), "has a high below its low"),
        (lambda t: t.with_columns(pl.col("close") * float("nan")), "has no finite close"),
        (lambda t: t.with_columns(-pl.col("volume") - 1), "has a negative volume"),
        (lambda t: made(9, length_us=5 * MINUTE_US), "begins before the bar before it ends"),
        (lambda t: made(60, length_us=60 * MINUTE_US), "are 30min apart, most are 1h"),
        (lambda t: made(40, length_us=DAY_US), r"most are 1d.* a collection of their own length"),
    ],
)  # fmt: skip
def test_tables_that_cannot_be(
    collection: Collection, change: Callable[[pl.DataFrame], pl.DataFrame], said: str
) -> None:
    with pytest.raises(DataError, match=f"some: .*{said}"):
        collection.add("A", change(WHOLE[:20]))
    assert collection.symbols() == []
    assert not (collection.folder / "A").exists()


def test_bars_that_share_time_with_stored_ones(collection: Collection) -> None:
    collection.add("A", WHOLE)
    before = collection.fingerprint
    said = "overlap, each being 30min long; one is stored, one given"
    for rows in (WHOLE[5:6], WHOLE[-1:], WHOLE[94:97]):  # the third spans the new year
        with pytest.raises(DataError, match=said):
            collection.add("A", later(rows, minutes=10))
    nights = WHOLE[:95].vstack(WHOLE[97:])
    other = collection_in(collection.folder.parent, "other")
    other.add("A", nights)
    with pytest.raises(DataError, match=said):
        other.add("A", WHOLE[95:96].with_columns(pl.col("timestamp") + pl.duration(minutes=40)))
    assert collection.fingerprint == before


def test_shares_that_trade_once_a_day(tmp_path: Path) -> None:
    collection = collection_in(tmp_path)
    at_three = made(50, length_us=DAY_US).with_columns(pl.col("timestamp") + pl.duration(hours=15))
    assert collection.add("A", at_three).new == 50


def test_minus_nothing_is_nothing(collection: Collection) -> None:
    collection.add("A", WHOLE.with_columns(volume=pl.lit(0.0)))
    assert collection.add("A", WHOLE.with_columns(volume=pl.lit(-0.0))).same == 240
    other = collection_in(collection.folder.parent, "other")
    other.add("A", WHOLE.with_columns(volume=pl.lit(-0.0)))
    assert other.fingerprint == collection.fingerprint


def flip(file: Path, place: int) -> None:
    damaged = bytearray(file.read_bytes())
    damaged[place] ^= 0xFF
    file.write_bytes(damaged)


WAY_OUT = r"Restore .* from a backup, or remove the symbol \(Collection\.remove\)"


def test_every_byte_of_a_part_counts(collection: Collection) -> None:
    collection.add("A", WHOLE[:20])
    (file,) = (collection.folder / "A").glob("*.parquet")
    for place in range(0, file.stat().st_size, 97):
        flip(file, place)
        for read in (collection.bars, collection.table, collection.verify):
            with pytest.raises(StorageError, match=rf"{file.name} is damaged: .*{WAY_OUT}"):
                read("A")
        with pytest.raises(StorageError, match="is damaged"):  # nor is anything built upon it
            collection.add("A", WHOLE)
        flip(file, place)
    assert_frame_equal(collection.table("A"), WHOLE[:20])


def test_a_part_that_was_cut_or_is_gone(collection: Collection) -> None:
    collection.add("A", WHOLE)
    files = sorted((collection.folder / "A").glob("*.parquet"))
    whole = files[-1].read_bytes()
    files[-1].write_bytes(whole[:-1])
    asks: list[Callable[[], Any]] = [
        lambda: collection.bars("A", last=5),
        collection.scan,
        lambda: collection.files(["A"]),
    ]
    for ask in asks:
        with pytest.raises(StorageError, match=rf"bytes and not {len(whole):,}\. {WAY_OUT}"):
            ask()
    files[-1].unlink()
    asks.append(lambda: collection.add("A", WHOLE[:1]))
    asks.append(lambda: collection.add("A", WHOLE))
    for ask in asks[:3] + asks[4:]:
        with pytest.raises(StorageError, match=rf"{files[-1].name} is missing, .*{WAY_OUT}"):
            ask()


def test_last_rows_of_a_damaged_part_never_end_in_a_fault(collection: Collection) -> None:
    """Only the size is looked at there: rows, or a sentence."""
    collection.add("A", WHOLE[:20])
    (file,) = (collection.folder / "A").glob("*.parquet")
    for place in range(0, file.stat().st_size, 41):
        flip(file, place)
        with contextlib.suppress(StorageError):
            assert len(collection.table("A", last=5)) == 5
        flip(file, place)


def test_a_damaged_manifest(collection: Collection) -> None:
    collection.add("A", WHOLE, covered=(0, 7))
    file = collection.folder / "A" / "manifest.json"
    whole = file.read_bytes()
    for place in range(0, len(whole), 13):
        damaged = bytearray(whole)
        damaged[place] ^= 0x01
        for content in (bytes(damaged), whole[:place]):
            file.write_bytes(content)
            for ask in (collection.bars, collection.summary, collection.covered):
                with pytest.raises(StorageError, match=r"manifest\.json (is damaged|has format)"):
                    ask("A")
            with pytest.raises(StorageError):
                collection.add("A", WHOLE)
    file.write_bytes(whole)
    assert_frame_equal(collection.table("A"), WHOLE)


def test_what_cannot_be_read_or_locked(collection: Collection) -> None:
    collection.add("A", WHOLE)
    (part,) = collection.files()[:1]
    part.unlink()
    part.mkdir()
    with pytest.raises(StorageError, match=rf"Cannot read .*{part.name}: Is a directory\. Check"):
        collection.bars("A")
    manifest = collection.folder / "A" / "manifest.json"
    manifest.unlink()
    manifest.mkdir()
    with pytest.raises(StorageError, match=r"Cannot read .*manifest\.json: Is a directory\. Check"):
        collection.summary("A")
    (collection.folder / "B" / ".lock").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"Cannot lock .*B/\.lock: .* keeps locks, as local"):
        collection.add("B", WHOLE)


def test_a_damaged_symbol_can_be_removed(collection: Collection) -> None:
    collection.add("A", WHOLE)
    (collection.folder / "A" / "manifest.json").write_text("{")
    collection.remove("A")
    assert collection.add("A", WHOLE).new == 240


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"bar": "5 sometimes", "calendar": "XNYS"}', "not a duration"),
        ('{"bar": "30min"}', "it names no calendar"),  # 24/7 would be a guess
        ("[]", "it is not an object"),
    ],
)
def test_damaged_facts(collection: Collection, content: str, said: str) -> None:
    collection.folder.mkdir()
    (collection.folder / "about.json").write_text(content)
    with pytest.raises(StorageError, match=rf"about\.json is damaged: .*{said}.* Write it"):
        Catalog(collection.folder.parent).collection("some")
    with pytest.raises(StorageError, match=r"about\.json is damaged"):
        collection.add("A", WHOLE)


def test_a_folder_where_a_manifest_should_be(collection: Collection) -> None:
    collection.add("A", WHOLE)
    manifest = collection.folder / "A" / "manifest.json"
    manifest.unlink()
    manifest.mkdir()
    asks = (collection.bars, collection.summary, collection.covered, collection.verify)
    for ask in (*asks, lambda symbol: collection.add(symbol, WHOLE)):
        with pytest.raises(StorageError, match=r"Cannot read .*manifest\.json: Is a directory"):
            ask("A")
    with pytest.raises(StorageError, match=r"manifest\.json is not a file"):
        collection.remove("A")


def test_a_full_disk_leaves_what_was_there(collection: Collection) -> None:
    """A real limit on the size of files, in a process of its own."""
    collection.add("A", made(3000)[:40])
    before = collection.fingerprint
    code = """
import resource, signal, sys
from barstack.bars import Catalog
from barstack.core.errors import StorageError
from tests.bars.catalog_tables import made

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    Catalog(sys.argv[1]).collection("some").add("A", made(3000))
except StorageError as error:
    print(error)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, str(collection.folder.parent)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Check that the folder may be written to and that the disk has room" in ran.stdout
    assert collection.fingerprint == before
    assert collection.add("A", made(3000)).new == 2960
    assert all(file.suffix != ".part" for file in (collection.folder / "A").iterdir())


def test_a_lost_manifest_is_noticed_and_nothing_is_swept(collection: Collection) -> None:
    collection.add("A", WHOLE[:100])
    manifest = next(collection.folder.glob("*/manifest.json"))
    parts = sorted(manifest.parent.glob("*.parquet"))
    assert parts
    manifest.unlink()
    for attempt in (collection.symbols, lambda: collection.add("A", WHOLE[100:])):
        with pytest.raises(StorageError, match=r"no manifest\.json that lists them: it was lost"):
            attempt()
    assert sorted(manifest.parent.glob("*.parquet")) == parts
