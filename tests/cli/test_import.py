"""`barstack import`: shows its guess, asks, repairs only what options request, and goes on."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.bars.test_shared_data import FOLDERS
from tests.conftest import Barstack, table_of

from barstack.bars import Catalog
from barstack.bars.importing import LOG, Import, Reading, Repairs, run_import
from barstack.testing import walk

GUESSED = FOLDERS | {
    # All of the day is in these files; by default a study gets what is stored.
    "us_etf_15m_spy_2021": ("XNYS", "extended"),
    "fx_15m": ("FX", "regular"),
    "fx_1h_long": ("FX", "regular"),
    "fx_1m": ("FX", "regular"),
}


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """A folder of two files in barstack's own form."""
    folder = tmp_path / "bars"
    folder.mkdir()
    for seed, symbol in enumerate(("AAA", "BBB")):
        table_of(walk(400, seed=seed, symbol=symbol)).write_parquet(folder / f"{symbol}.parquet")
    return folder


def stored(tmp_path: Path, name: str) -> Any:
    return Catalog(tmp_path / "catalog").collection(name)


def test_the_guess_is_shown_and_nobody_says_yes(
    barstack: Barstack, bars: Path, tmp_path: Path
) -> None:
    called = barstack("import", bars, "--calendar", "24/7")
    assert called.code == 2
    for word in ("setting", "because", "timestamp", "30min", "The first bars of AAA", "known at"):
        assert word in called.out
    assert max(map(len, called.out.splitlines())) <= 80
    assert "nobody is here to confirm" in called.err
    assert f"barstack import {bars} --calendar 24/7 --yes" in called.err
    assert not (tmp_path / "catalog").exists()


def test_yes_takes_what_is_likely(barstack: Barstack, bars: Path, tmp_path: Path) -> None:
    called = barstack("import", bars, "--calendar", "24/7", "--yes")
    assert called.code == 0, called.err
    assert "400 new" in called.out
    assert "barstack data bars" in called.out
    collection = stored(tmp_path, "bars")
    assert collection.symbols() == ["AAA", "BBB"]
    assert collection.table("AAA").equals(pl.read_parquet(bars / "AAA.parquet"))
    again = barstack("import", bars, "--calendar", "24/7", "--yes")
    assert "0 new, 400 already there" in again.out


def test_one_json_object(barstack: Barstack, bars: Path, tmp_path: Path) -> None:
    called = barstack("import", bars, "--calendar", "24/7", "--yes", "--json")
    (collection,) = called.json["collections"]
    assert collection["collection"] == "bars"
    assert {each["setting"] for each in collection["guess"]} >= {"calendar", "stamp", "bar"}
    assert [each["new"] for each in collection["files"]] == [400, 400]
    lines = (tmp_path / "catalog" / "bars" / LOG).read_text().splitlines()
    log = [json.loads(line) for line in lines]
    assert [each["symbol"] for each in log] == ["AAA", "BBB"]
    assert all(re.fullmatch(r"[0-9a-f]{64}", each["sha256"]) for each in log)
    assert log[0]["reading"]["columns"]["time"] == "timestamp"


def naive(bars: Path) -> Path:
    """Bars whose zone nothing tells."""
    table = pl.read_parquet(bars / "AAA.parquet")[:60]
    file = bars.parent / "naive.csv"
    table.with_columns(pl.col("timestamp").dt.replace_time_zone(None)).write_csv(file)
    return file


def test_what_is_unsure_must_be_given(barstack: Barstack, bars: Path, tmp_path: Path) -> None:
    file = naive(bars)
    called = barstack("import", file, "--into", "aaa", "--calendar", "24/7", "--yes")
    assert called.code == 2
    message = " ".join(called.err.split())
    assert "Say it with --timezone (UTC, America/New_York)." in message
    assert "Say it with --stamp (open, close)." in message
    command = message.partition("With the words in capitals filled in: ")[2]
    assert command.endswith("--timezone TIMEZONE --stamp STAMP --yes")
    assert barstack(*command.split()[1:]).code == 2  # a blank is no answer
    filled = command.replace("TIMEZONE", "UTC").replace("STAMP", "open")
    assert barstack(*filled.split()[1:]).code == 0
    assert len(stored(tmp_path, "aaa").table("naive")) == 60


def test_one_unsure_folder_of_many(barstack: Barstack, bars: Path, tmp_path: Path) -> None:
    """It is named, stops no other, and gets the answers of none."""
    many = tmp_path / "many"
    for name in ("good", "unsure", "no_table", "No Name"):
        (many / name).mkdir(parents=True)
    shutil.copy(bars / "AAA.parquet", many / "good")
    shutil.copy(bars / "AAA.parquet", many / "No Name")
    naive(bars).rename(many / "unsure" / "AAA.csv")
    (many / "no_table" / "AAA.csv").write_text("to,buy\nmilk,2\n")
    for options in ([], ["--json"]):
        called = barstack("import", many, "--calendar", "24/7", "--yes", *options, code=2)
        message = " ".join(called.err.split())
        assert "3 not imported, 1 imported." in message
        assert "unsure: this must be given: timezone:" in message
        assert f"import {many}/unsure --into unsure --timezone TIMEZONE" in message
        assert re.search(r"no_table: .* is no table of bars", message)
        assert "'No Name' cannot be the name of a collection" in message
    assert [each.name for each in (tmp_path / "catalog").iterdir()] == ["good"]


def test_the_preview_shows_every_digit(barstack: Barstack, tmp_path: Path) -> None:
    at = datetime(2026, 1, 5, tzinfo=UTC)
    rows = [(at + timedelta(hours=n), 0.7237123, 0.7238456, 0.7236789, 0.7237654) for n in range(9)]
    table = pl.DataFrame(rows, ["timestamp", "open", "high", "low", "close"], orient="row")
    table.with_columns(volume=pl.lit(123456789.5)).write_parquet(tmp_path / "AUD.parquet")
    message = barstack("import", tmp_path / "AUD.parquet", "--into", "x", "--calendar", "24/7").out
    for digits in ("0.7237123", "0.7238456", "0.7236789", "0.7237654", "123,456,789.5"):
        assert digits in message
    assert "…" not in message.partition("The first bars")[2]


def test_bars_that_a_study_refuses_are_told_when_they_come_in(
    barstack: Barstack, bars: Path, tmp_path: Path
) -> None:
    table = pl.read_parquet(bars / "AAA.parquet")
    half = pl.when(pl.int_range(pl.len()) < 200).then(2.0).otherwise(1.0)
    split = table.with_columns(pl.col("open", "high", "low", "close") * half)
    split.write_parquet(tmp_path / "S.parquet")
    called = barstack(
        "import", tmp_path / "S.parquet", "--into", "s", "--calendar", "24/7", "--yes"
    )
    refuses = barstack("data", "s").code == 1
    assert refuses == ("checks refuse, and so will a study" in called.out)
    assert refuses


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import", "nowhere", "--into", "x"], "neither a file nor a folder"),
        (["import", "{file}"], "Name the collection .* --into NAME"),
        (["import", "{file}", "--into", "No Name", "--calendar", "24/7", "--timezone", "UTC",
          "--stamp", "open", "--yes"], "cannot be the name of a collection"),
        (["import", "{bars}", "--columns", "close"], "Write time=Date,close=Last"),
        (["import", "{bars}", "--columns", "clos=Last"], "Unknown column 'clos'. Did you mean"),
        (["import", "{bars}", "--columns", "close=Last"], "no column 'Last'"),
        (["import", "{bars}", "--keep", "both", "--yes"], "repairs.keep"),
        (["import", "{bars}", "--bar", "soon"], "'soon' is not a duration"),
        (["import", "{file}", "--into", "x", "--timezone", "Europe/Berln"],
         "Unknown timezone 'Europe/Berln'. Did you mean 'Europe/Berlin'"),
        (["import", "{file}", "--into", "x", "--time-format", "%Q"], "as a time written %Q"),
        (["import", "{file}", "--into", "x", "--calendar", "XNYSE"], "Did you mean 'XNYS'"),
    ],
)  # fmt: skip
def test_wrong_use(barstack: Barstack, bars: Path, arguments: list[str], message: str) -> None:
    places = {"bars": bars, "file": naive(bars)}
    called = barstack(*(argument.format(**places) for argument in arguments))
    assert called.code == 2, called.err
    assert "Traceback" not in called.err
    assert re.search(message, " ".join(called.err.split())), called.err


def test_a_bad_file_does_not_stop_the_others(
    barstack: Barstack, bars: Path, tmp_path: Path
) -> None:
    table = pl.read_parquet(bars / "BBB.parquet")
    broken = table.with_columns(
        high=pl.when(pl.int_range(pl.len()) == 7).then(0.5).otherwise("high"),
        close=pl.when(pl.int_range(pl.len()) == 9).then(None).otherwise("close"),
    )
    pl.concat([broken, broken[20:22]]).write_parquet(bars / "BAD.parquet")
    (bars / "CUT.parquet").write_bytes((bars / "BBB.parquet").read_bytes()[:900])
    called = barstack("import", bars, "--calendar", "24/7", "--yes")
    assert called.code == 2
    assert "2 not imported, 2 imported" in called.err
    for kind in ("time_order", "duplicates", "not_a_number", "price_order"):  # all, not the first
        assert kind in called.err
    assert "Or repair with --drop-bad-rows --keep first --sort" in called.err
    assert "CUT.parquet cannot be read as parquet" in " ".join(called.err.split())
    assert stored(tmp_path, "bars").symbols() == ["AAA", "BBB"]


def test_repairs_are_counted_and_written_down(
    barstack: Barstack, bars: Path, tmp_path: Path
) -> None:
    table = pl.read_parquet(bars / "AAA.parquet")
    twice = table[10:12].with_columns(close=pl.col("low"))
    broken = table.with_columns(
        volume=pl.when(pl.int_range(pl.len()) == 30).then(-1.0).otherwise("volume")
    )
    mixed = pl.concat([broken, twice])[::-1]
    folder = tmp_path / "mixed"
    folder.mkdir()
    mixed.write_parquet(folder / "AAA.parquet")
    options = ["--calendar", "24/7", "--yes", "--drop-bad-rows", "--sort"]
    called = barstack("import", folder, *options, "--keep", "last")
    assert called.code == 0, called.err
    assert "drop_bad_rows 1, sort 400, keep_last 2" in called.out
    log = json.loads((tmp_path / "catalog" / "mixed" / LOG).read_text())
    assert log["repairs"] == {"drop_bad_rows": 1, "sort": 400, "keep_last": 2}
    assert (log["rows"], log["new"]) == (402, 399)
    # Reversed, the later of two equal times is the one that stood first.
    assert stored(tmp_path, "mixed").table("AAA").equals(table.filter(pl.int_range(pl.len()) != 30))


def test_rows_that_cannot_be_read_are_dropped_on_demand_only(
    barstack: Barstack, bars: Path, tmp_path: Path
) -> None:
    table = pl.read_parquet(bars / "AAA.parquet")
    text = table.write_csv().splitlines()
    text[200] = text[200].replace(",", ",n/a,", 1).rpartition(",")[0]
    text.append("Total: 400 rows,,,,,")
    file = tmp_path / "AAA.csv"
    file.write_text("\n".join(text))
    options = ["--into", "a", "--calendar", "24/7", "--columns", "time=timestamp"]
    options += ["--stamp", "open", "--time-format", "%Y-%m-%dT%H:%M:%S%.f%z"]
    refused = barstack("import", file, *options, "--yes")
    assert refused.code == 2
    assert "Total: 400 rows" in refused.err
    called = barstack("import", file, *options, "--yes", "--drop-bad-rows")
    assert called.code == 0, called.err
    assert len(stored(tmp_path, "a").table("AAA")) == 399


def test_stored_bars_are_replaced_on_demand_only(
    barstack: Barstack, bars: Path, tmp_path: Path
) -> None:
    options = ["--calendar", "24/7", "--yes"]
    barstack("import", bars, *options)
    changed = pl.read_parquet(bars / "AAA.parquet").with_columns(pl.col("volume") + 1.0)
    changed.write_parquet(bars / "AAA.parquet")
    refused = barstack("import", bars, *options)
    assert refused.code == 2
    assert "1 not imported, 1 imported" in refused.err
    called = barstack("import", bars, *options, "--revise")
    assert "0 new, 400 revised" in called.out
    assert stored(tmp_path, "bars").table("AAA").equals(changed)


def test_patterns_and_one_symbol_for_all(barstack: Barstack, bars: Path, tmp_path: Path) -> None:
    for file in list(bars.iterdir()):
        file.rename(bars / f"{file.stem}_30min.parquet")
    options = ["--into", "x", "--calendar", "24/7", "--yes"]
    assert barstack("import", f"{bars}/*_30min.parquet", *options).code == 0
    assert stored(tmp_path, "x").symbols() == ["AAA", "BBB"]
    years = tmp_path / "years"
    years.mkdir()
    table = pl.read_parquet(bars / "AAA_30min.parquet")
    for year, part in ((2025, table[:210]), (2026, table[200:])):
        part.write_csv(years / f"{year}.csv")
    options[1] = "y"
    assert (
        barstack("import", f"{years}/*.csv", *options, "--symbol", "AAA", "--stamp", "open").code
        == 0
    )
    assert stored(tmp_path, "y").table("AAA").equals(table)


def test_a_file_of_more_rows_than_fit_in_memory(bars: Path, tmp_path: Path) -> None:
    """Many symbols line by line, in pieces far smaller than the file: the same comes out."""
    tables = {file.stem: pl.read_parquet(file) for file in sorted(bars.iterdir())}
    rows = [table.with_columns(pl.lit(name).alias("sym")) for name, table in tables.items()]
    file = tmp_path / "all.csv"
    pl.concat(rows).sort("timestamp").write_csv(file)
    reading = Reading(symbol_column="sym", bar="30min")
    job = Import("x", {"all": [file]}, reading, most_rows=90)
    assert [each.error for each in run_import(job, Catalog(tmp_path / "catalog"))] == [None, None]
    for name, table in tables.items():
        assert stored(tmp_path, "x").table(name).equals(table)
    backwards = tmp_path / "backwards.csv"
    pl.concat(rows).sort("timestamp", descending=True).write_csv(backwards)
    job = Import("z", {"all": [backwards]}, reading, most_rows=90)
    assert all(
        "--sort" in str(each.error) for each in run_import(job, Catalog(tmp_path / "catalog"))
    )
    job = Import("z", {"all": [backwards]}, reading, repairs=Repairs(sort=True), most_rows=90)
    assert [each.error for each in run_import(job, Catalog(tmp_path / "catalog"))] == [None, None]
    assert stored(tmp_path, "z").table("AAA").equals(tables["AAA"])
    assert not list((tmp_path / "catalog" / "z").glob(".import-*"))


def test_later_rows_must_bear_out_the_guess(shared_data: Path, tmp_path: Path) -> None:
    """A file whose times change from New York's to UTC half way is not taken as either."""
    table = pl.read_parquet(shared_data / "us_equities_5m" / "SPY.parquet")
    local = table.with_columns(
        pl.col("timestamp").dt.convert_time_zone("America/New_York").dt.replace_time_zone(None)
    )
    mixed = pl.concat(
        [local[:6000], table[6000:].with_columns(pl.col("timestamp").dt.replace_time_zone(None))]
    )
    mixed.write_csv(tmp_path / "SPY.csv")
    reading = Reading(calendar="XNYS", timezone="America/New_York", bar="5min")
    job = Import("x", {"SPY": [tmp_path / "SPY.csv"]}, reading)
    (outcome,) = run_import(job, Catalog(tmp_path / "catalog"))
    assert "unlike those from which calendar, timezone and stamps were guessed" in str(
        outcome.error
    )


@pytest.mark.slow
def test_all_real_bars(barstack: Barstack, shared_data: Path, tmp_path: Path) -> None:
    """Twenty folders, each a collection of its name on its calendar, to the last bar."""
    called = barstack("import", shared_data, "--yes", "--json")
    assert called.code == 0, called.err
    catalog = Catalog(tmp_path / "catalog")
    assert catalog.names() == sorted(GUESSED)
    for name, expected in GUESSED.items():
        collection = catalog.collection(name)
        assert (collection.facts.calendar, collection.facts.hours) == expected, name
        files = sorted((shared_data / name).glob("*.parquet"))
        assert collection.symbols() == [file.stem for file in files]
        for file in files:
            rows = pl.scan_parquet(file).select(pl.len()).collect().item()
            assert collection.summary(file.stem).rows == rows
    for file in files[:1]:
        assert catalog.collection(name).table(file.stem).equals(pl.read_parquet(file))


def test_times_that_are_not_recognised_are_no_dead_end(barstack: Barstack, tmp_path: Path) -> None:
    """Each sentence leads on: to the column, to the format, to the rows that are none."""
    rows = [f"{day:02}|01|2026,1,2,1,2,9" for day in (5, 6, 7, 8, 9, 12, 13)]
    file = tmp_path / "AAA.csv"
    file.write_text("\n".join(["Date,Open,High,Low,Close,Volume", *rows, "Total,1,2,1,2,9"]))
    options = ["import", file, "--into", "a", "--calendar", "XNYS", "--yes"]
    called = barstack(*options)
    assert "Say it with --columns time=NAME (Date," in " ".join(called.err.split())
    options += ["--columns", "time=Date"]
    for more in ([], ["--drop-bad-rows"]):
        called = barstack(*options, *more)
        assert called.code == 2
        assert "'05|01|2026' in row 0 of 'Date'" in called.err
        assert called.err.count("time=Date") == 1
        assert called.err.rstrip().endswith("--time-format TIME_FORMAT --yes")
    options += ["--time-format", "%d|%m|%Y"]
    called = barstack(*options)
    assert called.code == 2
    assert "cannot read 'Total' in row 7 of 'Date'" in called.err
    assert "--drop-bad-rows" in called.err
    assert barstack(*options, "--drop-bad-rows").code == 0
    assert len(stored(tmp_path, "a").table("AAA")) == 7


@pytest.mark.parametrize(
    ("folder", "proposed"), [("MyBars", "mybars"), ("US Bars (5m)", "us_bars_5m"), ("баr", "r")]
)
def test_a_folder_whose_name_no_collection_can_have(
    barstack: Barstack, bars: Path, tmp_path: Path, folder: str, proposed: str
) -> None:
    bars = bars.rename(tmp_path / folder)
    called = barstack("import", bars, "--calendar", "24/7", "--yes")
    assert called.code == 2
    assert f"Name it with --into {proposed}." in " ".join(called.err.split())
    options = ["--calendar", "24/7", "--yes"]
    assert barstack("import", bars, *options, "--into", proposed).code == 0
    assert stored(tmp_path, proposed).symbols() == ["AAA", "BBB"]


def test_a_folder_among_others_whose_name_no_collection_can_have(
    barstack: Barstack, bars: Path, tmp_path: Path
) -> None:
    many = tmp_path / "many"
    many.mkdir()
    bars = bars.rename(many / "MyBars")
    called = barstack("import", many, "--calendar", "24/7", "--yes")
    assert called.code == 2
    assert f"barstack import {bars} --into mybars" in " ".join(called.err.split())


def test_into_is_no_name_for_many_folders(barstack: Barstack, bars: Path) -> None:
    called = barstack("import", bars.parent, "--into", "x")
    assert called.code == 2
    assert "Leave --into out" in called.err


class Terminal:
    """A real terminal: a child of its own on a pseudo-terminal."""

    def __init__(self, *arguments: object, cwd: Path) -> None:
        self.master, slave = pty.openpty()
        environment = os.environ | {
            "COLUMNS": "100", "TERM": "dumb", "BARSTACK_CATALOG": str(cwd / "catalog"),
        }  # fmt: skip
        self.child = subprocess.Popen(
            [sys.executable, "-m", "barstack", *map(str, arguments)],
            stdin=slave, stdout=slave, stderr=slave, cwd=cwd, env=environment,
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.shown = ""

    def expect(self, pattern: str) -> str:
        """Read until the pattern is shown; what was shown since the last time."""
        deadline = time.monotonic() + 90
        while not (match := re.search(pattern, self.shown)):
            if time.monotonic() > deadline:
                raise AssertionError(f"{pattern} did not come:\n{self.shown}")
            if select.select([self.master], [], [], 1)[0]:
                try:
                    self.shown += os.read(self.master, 65536).decode()
                except OSError as closed:  # the child has gone
                    raise AssertionError(f"{pattern} did not come:\n{self.shown}") from closed
        shown, self.shown = self.shown[: match.end()], self.shown[match.end() :]
        return shown

    def answer(self, text: str) -> None:
        os.write(self.master, f"{text}\n".encode())

    def end(self) -> int:
        """Its exit code."""
        while True:
            try:
                if not os.read(self.master, 65536):
                    break
            except OSError:
                break
        os.close(self.master)
        return self.child.wait(timeout=60)


def test_on_a_terminal_it_asks(bars: Path, tmp_path: Path) -> None:
    """What cannot be known is asked first, then the whole is confirmed."""
    terminal = Terminal("import", naive(bars), "--into", "aaa", "--calendar", "24/7", cwd=tmp_path)
    terminal.expect(r"timezone \(UTC, America/New_York\).*: ")
    terminal.answer("America/New_York")
    terminal.expect(r"stamp \(open, close\).*: ")
    terminal.answer("close")
    terminal.expect(r"The first bars of naive, read so")
    terminal.expect(r"Import 1 file\(s\) so into aaa\? \[y/N\]")
    terminal.answer("y")
    terminal.expect("60 new")
    assert terminal.end() == 0
    first = stored(tmp_path, "aaa").table("naive")["timestamp"][0]
    assert f"{first:%Y-%m-%d %H:%M}" == "2026-01-05 19:00"  # 14:30 New York, half an hour before


def test_no_on_a_terminal_leaves_nothing(bars: Path, tmp_path: Path) -> None:
    terminal = Terminal("import", bars, "--calendar", "24/7", cwd=tmp_path)
    terminal.expect(r"Import 2 file\(s\) so into bars\? \[y/N\]")
    terminal.answer("n")
    assert terminal.end() == 1
    assert not (tmp_path / "catalog").exists()


@pytest.mark.slow
def test_killed_and_run_again(tmp_path: Path) -> None:
    """Symbols that were stored stay whole; the same command brings the rest."""
    folder = tmp_path / "many"
    folder.mkdir()
    table = table_of(walk(3000))
    for number in range(40):
        table.write_parquet(folder / f"S{number:02}.parquet")
    command = ["import", str(folder), "--calendar", "24/7", "--yes", "--catalog",
               str(tmp_path / "catalog")]  # fmt: skip
    child = subprocess.Popen(
        [sys.executable, "-m", "barstack", *command], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    log = tmp_path / "catalog" / "many" / LOG
    while not (log.is_file() and len(log.read_text().splitlines()) >= 5):
        assert child.poll() is None
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    for symbol in stored(tmp_path, "many").symbols():
        assert stored(tmp_path, "many").table(symbol).equals(table)
    done = subprocess.run(
        [sys.executable, "-m", "barstack", *command], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "already there" in done.stdout
    assert len(stored(tmp_path, "many").symbols()) == 40


def test_a_loop_of_links_is_reported(barstack: Barstack, tmp_path: Path) -> None:
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    for path in (tmp_path / "loop.csv", tmp_path / "loop.csv" / "within"):
        assert "loop.csv" in barstack("import", path, "--yes", code=2).err
