"""`barstack data`: the catalog listed, bars checked where they are, answers as exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.bars.filled import filled_table
from tests.conftest import Barstack

from barstack.bars import Catalog, Facts
from barstack.bars.checks import Finding

MINUTE = 60_000_000
Answer = Callable[..., dict[str, Any]]


@pytest.fixture
def data(barstack: Barstack) -> Barstack:
    """Call `barstack data`."""
    return lambda *arguments: barstack("data", *arguments)


@pytest.fixture
def answer(data: Barstack) -> Answer:
    """Its JSON object, and its exit code in it."""

    def call(*arguments: object) -> dict[str, Any]:
        called = data(*arguments, "--json")
        return {"code": called.code, **called.json}

    return call


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two symbols in one collection; ten bars of one are missing."""
    monkeypatch.setenv("BARSTACK_CATALOG", str(tmp_path / "catalog"))
    facts = Facts(bar="30min", calendar="XNYS", source="made up")
    collection = Catalog().create("shares", facts)
    table = filled_table(days=30)
    collection.add("WHOLE", table)
    collection.add("HOLED", pl.concat([table[:100], table[110:]]))
    return tmp_path / "catalog"


def splits(table: pl.DataFrame) -> pl.DataFrame:
    """The table with a 2:1 split in its middle that nobody adjusted."""
    half = pl.when(pl.Series(np.arange(len(table)) < 195)).then(2.0).otherwise(1.0)
    prices = [(pl.col(name) * half).alias(name) for name in ("open", "high", "low", "close")]
    return table.with_columns(*prices, (pl.col("volume") / half).alias("volume"))


def test_the_catalog_is_listed(data: Barstack, answer: Answer, catalog: Path) -> None:
    ran = data()
    assert ran.code == 0
    assert all(len(line) <= 80 for line in ran.out.splitlines())
    for word in ("shares", "30min", "XNYS", "2025-05-01", "made up"):
        assert word in ran.out
    (row,) = answer()["collections"]
    collection = Catalog().collection("shares")
    assert row["symbols"] == 2
    assert row["rows"] == sum(collection.summary(each).rows for each in ("WHOLE", "HOLED"))
    assert row["fingerprint"] == collection.fingerprint


def test_one_damage_does_not_hide_the_rest(data: Barstack, answer: Answer, catalog: Path) -> None:
    collection = Catalog().create("other", Facts(bar="30min", calendar="XNYS"))
    collection.add("A", filled_table(days=3))
    (catalog / "other" / "about.json").write_text('{"bar": "30min"}')
    (catalog / "shares" / "HOLED" / "manifest.json").write_text("{")
    ran = data()
    assert ran.code == 1
    assert all(len(line) <= 80 for line in ran.out.splitlines())
    assert "390" in ran.out  # bars of the symbol that is whole
    assert ran.out.count("damaged") == 2
    assert "about.json is damaged: it names no calendar" in ran.err
    assert "manifest.json is damaged" in ran.err
    found = answer()
    assert found["code"] == 1
    other, shares = found["collections"]
    assert (other["bar"], other["rows"], len(other["damages"])) == (None, None, 1)
    assert (shares["symbols"], shares["rows"], len(shares["damages"])) == (2, 390, 1)


def test_a_long_name_stands_on_a_line_of_its_own(data: Barstack, catalog: Path) -> None:
    name = "a" * 70
    Catalog().create(name, Facts(bar="30min", source="b" * 60)).add("A", filled_table(days=3))
    lines = data().out.splitlines()
    heading, figures, source = (lines[lines.index(name) + place] for place in (-1, 1, 2))
    assert figures.split()[:2] == ["30min", "24/7"]
    assert figures.index("30min") == heading.index("bar")
    assert source.endswith("b" * 60)


def test_an_empty_catalog_says_how_to_fill_it(data: Barstack, tmp_path: Path) -> None:
    ran = data("--catalog", tmp_path / "none")
    assert ran.code == 0
    assert "barstack import" in ran.out


def test_a_collection_is_checked_on_its_own_calendar(
    data: Barstack, answer: Answer, catalog: Path
) -> None:
    ran = data("shares", "--verify")
    assert ran.code == 0
    assert all(len(line) <= 80 for line in ran.out.splitlines())
    assert "HOLED" in ran.out
    assert "10 of 390 (2.6 %) bars are missing" in " ".join(ran.out.split())
    found = answer("shares")
    (finding,) = found["findings"]
    assert (finding["check"], finding["symbol"], finding["count"]) == ("missing_bars", "HOLED", 10)
    assert Finding.from_json(finding).sentence.startswith("HOLED: 10 of 390")
    assert answer("shares", "--symbol", "WHOLE")["findings"] == []


def test_a_damaged_collection_is_found(data: Barstack, catalog: Path) -> None:
    file = max(catalog.rglob("*.parquet"), key=lambda each: each.stat().st_size)
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    file.write_bytes(damaged)
    assert data("shares", "--verify").code != 0


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_files_are_checked_where_they_lie(
    data: Barstack, answer: Answer, tmp_path: Path, ending: str
) -> None:
    table = filled_table(days=30)
    file = tmp_path / f"WALK.{ending}"
    wrong = pl.concat([splits(table), table[20:23]])
    if ending == "csv":
        wrong.with_columns(pl.col("timestamp").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).write_csv(file)
    else:
        wrong.write_parquet(file)
    before = file.read_bytes()
    for path in (file, tmp_path):
        found = answer(path, "--calendar", "XNYS")
        assert found["code"] == 1
        assert found["refused"]
        assert {each["check"] for each in found["findings"]} >= {
            "time_order", "contradictions", "unadjusted_split",
        }  # fmt: skip
    ran = data(file, "--calendar", "XNYS")
    assert ran.code == 1
    assert "For 2:1: divide all prices before it by 2" in " ".join(ran.out.split())
    assert file.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [file.name]


def test_times_without_a_zone_and_stamps_of_the_close(answer: Answer, tmp_path: Path) -> None:
    table = filled_table(days=30)
    local = pl.col("timestamp").dt.offset_by("30m").dt.convert_time_zone("America/New_York")
    file = tmp_path / "WALK.csv"
    table.with_columns(local.dt.strftime("%Y-%m-%d %H:%M:%S")).write_csv(file)
    options = ("--calendar", "XNYS", "--stamp", "close", "--timezone", "America/New_York")
    assert answer(file, *options)["findings"] == []


def test_a_table_on_the_wrong_calendar_is_refused(answer: Answer, tmp_path: Path) -> None:
    filled_table("24/7", days=10).write_parquet(tmp_path / "COIN.parquet")
    found = answer(tmp_path, "--calendar", "XNYS")
    assert found["code"] == 1
    (finding,) = found["findings"]
    assert finding["check"] == "unreadable"
    assert "Name the calendar" in finding["advice"]


def test_a_page_is_written(data: Barstack, catalog: Path, tmp_path: Path) -> None:
    page = tmp_path / "bars.html"
    assert data("shares", "--html", page).code == 0
    assert "HOLED" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("shars",), "Did you mean 'shares'"),
        (("shares", "--symbol", "WHOL"), "Did you mean 'WHOLE'"),
        (("shares", "--calendar", "CMES"), "--calendar says how to read files; for collection"),
        (("shares", "--stamp", "open", "--bar", "1h"), "--stamp, --bar says how to read files"),
        (("shares", "--timezone", "UTC"), "--timezone says how to read files"),
        (("--html", "x.html"), "--html says how to check, and nothing to check is named"),
        (("shares", "--html", "."), ". is a folder. Name the page to write in it"),
        (("shares", "--html", "/dev/null/x.html"), "Cannot write /dev/null/x.html"),
    ],
)
def test_what_cannot_be_done(
    data: Barstack, catalog: Path, arguments: tuple[str, ...], message: str
) -> None:
    ran = data(*arguments)
    assert ran.code in (2, 3)
    assert message in ran.err
