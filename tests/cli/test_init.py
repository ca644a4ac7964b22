"""`barstack init`: the file that it writes loads, says why, and runs as it stands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.cli.test_import import GUESSED, Terminal
from tests.conftest import Barstack, table_of

from barstack import Study, run
from barstack.experiments import first_study
from barstack.testing import walk

DAY_US = 86_400_000_000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def one_file(symbol: str = "AAA", n_bars: int = 500, folder: str = "bars") -> Path:
    """Bars of half an hour in sessions of New York."""
    Path(folder).mkdir(exist_ok=True)
    file = Path(folder) / f"{symbol}.parquet"
    table_of(walk(n_bars, symbol=symbol)).write_parquet(file)
    return file


def around_the_clock(file: Path, *, ends: bool = False, length: str = "1h") -> np.ndarray:
    """Writes bars without a session, stamped with their ends or starts; when they are known."""
    bars = walk(24 * 60)
    step = np.timedelta64(3_600_000_000, "us")
    opened = np.datetime64("2026-01-05T00:00", "us") + step * np.arange(len(bars))
    table = table_of(bars).with_columns(
        pl.Series("timestamp", opened + step * ends).dt.replace_time_zone("UTC")
    )
    table.rename({"timestamp": "when"}).write_csv(file)
    return opened + step


def test_it_runs_as_it_stands_and_names_the_next_command(barstack: Barstack, folder: Path) -> None:
    one_file("AAA")
    one_file("BBB")
    called = barstack("init", "bars", "--calendar", "24/7", code=0)
    assert called.out.splitlines()[-1] == "Next: barstack run study.yaml"
    study = Study.from_yaml("study.yaml")
    assert study.label.horizon_names == ("1h", "4h")
    assert study.preset == "standard"
    done = barstack("run", "study.yaml", "--json", code=0)
    assert done.json["verdict"]["edge"] in ("none", "unproven")  # bars of a random walk


@pytest.mark.parametrize("name", GUESSED)
def test_real_bars(shared_data: Path, tmp_path: Path, name: str) -> None:
    written = first_study(str(shared_data / name), tmp_path / "study.yaml")
    provider = written.study.bars
    calendar, hours = GUESSED[name]
    assert (provider.calendar, provider.hours) == (calendar, hours)
    assert sorted(written.panel) == sorted(
        file.stem for file in (shared_data / name).glob("*.parquet")
    )
    assert not written.refused
    assert not written.left_open
    length_us = next(iter(written.panel.values())).length_us
    for horizon in written.study.label.horizons:
        horizon.check_bar_length(length_us, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["futures_5m_micro", "us_equities_1h_2020", "crypto_15m"])
def test_real_bars_run_to_the_end(shared_data: Path, tmp_path: Path, name: str) -> None:
    file = tmp_path / "study.yaml"
    first_study(str(shared_data / name), file)
    text = file.read_text()
    assert "preset: standard" in text
    file.write_text(text.replace("preset: standard", "preset: quick"))  # a tenth of the time
    assert run(file, runs=tmp_path / "runs").verdict.edge in ("none", "unproven", "supported")


def test_paths_start_at_the_studys_folder(barstack: Barstack, folder: Path) -> None:
    one_file()
    barstack("init", "bars/*.parquet", "--calendar", "24/7", "--to", "studies/a.yaml", code=0)
    assert Study.from_yaml("studies/a.yaml").content()["bars"]["path"] == "../bars/*.parquet"
    assert list(Study.from_yaml("studies/a.yaml").bars.load("studies")) == ["AAA"]
    whole = folder / "bars"
    barstack("init", whole, "--calendar", "24/7", "--to", "b.yaml", code=0)
    assert Study.from_yaml("b.yaml").content()["bars"]["path"] == str(whole)


def test_a_file_that_is_there_stays(barstack: Barstack, folder: Path) -> None:
    one_file()
    Path("study.yaml").write_text("mine")
    called = barstack("init", "bars", "--calendar", "24/7", code=2)
    assert "--force" in called.err
    assert Path("study.yaml").read_text() == "mine"
    barstack("init", "bars", "--calendar", "24/7", "--force", code=0)
    Study.from_yaml("study.yaml")


def test_what_bars_do_not_show_is_a_commented_line_and_known_no_earlier(
    barstack: Barstack, folder: Path
) -> None:
    known = around_the_clock(Path("BTC.csv"), ends=True)
    called = barstack("init", "BTC.csv", "--json", code=0)
    assert [each["setting"] for each in called.json["left_open"]] == ["stamp"]
    text = Path("study.yaml").read_text()
    assert "# Choose stamp, which the bars do not show" in text
    assert "\n  # stamp: close   # or open\n" in text
    bars = Study.from_yaml("study.yaml").bars.load()["BTC"]
    assert (bars.closed_at >= known[: len(bars)]).all()
    assert (bars.closed_at == known[: len(bars)] + np.timedelta64(3_600_000_000, "us")).all()
    # The commented line, used, is right.
    Path("study.yaml").write_text(text.replace("  # stamp: close   # or open", "  stamp: close"))
    assert (Study.from_yaml("study.yaml").bars.load()["BTC"].closed_at == known).all()


def test_what_nothing_safe_stands_for_must_be_given(barstack: Barstack, folder: Path) -> None:
    around_the_clock(Path("BTC.csv"))
    table = pl.read_csv("BTC.csv", try_parse_dates=True)
    table.with_columns(pl.col("when").dt.replace_time_zone(None)).write_csv("BTC.csv")
    called = barstack("init", "BTC.csv", code=2)
    assert "Say it with --timezone (UTC, America/New_York)." in " ".join(called.err.split())
    assert not Path("study.yaml").exists()
    barstack("init", "BTC.csv", "--timezone", "UTC", code=0)
    assert Study.from_yaml("study.yaml").bars.timezone == "UTC"


def test_questions_on_a_terminal(folder: Path) -> None:
    around_the_clock(Path("BTC.csv"), ends=True)
    terminal = Terminal("init", "BTC.csv", cwd=folder)
    terminal.expect(r"stamp \(open, close\)")
    terminal.answer("close")
    terminal.expect("Next: barstack run study.yaml")
    assert terminal.end() == 0
    assert Study.from_yaml("study.yaml").bars.stamp == "close"


def test_a_foreign_table_is_written_down_as_it_was_read(barstack: Barstack, folder: Path) -> None:
    table = table_of(walk(600))
    berlin = table["timestamp"].dt.convert_time_zone("Europe/Berlin").dt.strftime("%d.%m.%Y %H:%M")
    pl.DataFrame(
        {"Datum": berlin, "Symbol": ["ON"] * 600, "Erster": table["open"], "Hoch": table["high"],
         "Tief": table["low"], "Schluss": table["close"], "Stücke": table["volume"]}
    ).write_csv("Kurse: alle #1.csv", separator=";")  # fmt: skip
    roles = "time=Datum,open=Erster,high=Hoch,low=Tief,close=Schluss,volume=Stücke"
    how = ("--columns", roles, "--calendar", "24/7", "--timezone", "Europe/Berlin")
    barstack("init", "Kurse: alle #1.csv", *how, "--stamp", "open", code=0)
    bars = Study.from_yaml("study.yaml").bars.load()
    assert list(bars) == ["ON"]  # which YAML elsewhere takes for true
    assert (bars["ON"].opened_at == table["timestamp"].dt.replace_time_zone(None).to_numpy()).all()


def test_a_collection(barstack: Barstack, folder: Path, tmp_path: Path) -> None:
    one_file()
    barstack("import", "bars", "--into", "mine", "--calendar", "24/7", "--yes", code=0)
    barstack("init", "mine", code=0)
    assert Study.from_yaml("study.yaml").content()["bars"]["collection"] == "mine"
    called = barstack("init", "mine", "--stamp", "close", "--force", code=2)
    assert "stamp" in called.err
    called = barstack("init", "mien", "--force", code=2)
    assert "Did you mean 'mine'?" in called.err
    barstack("init", "mine", "--catalog", tmp_path / "catalog", "--to", "far/s.yaml", code=0)
    assert list(Study.from_yaml("far/s.yaml").bars.load("far")) == ["AAA"]


def test_bars_that_checks_refuse_are_written_and_the_answer_is_no(
    barstack: Barstack, folder: Path
) -> None:
    bars = walk(600)
    table = table_of(bars)
    halved = pl.when(pl.int_range(pl.len()) >= 300).then(0.1).otherwise(1.0)
    prices = [pl.col(name) * halved for name in ("open", "high", "low", "close")]
    table.with_columns(prices).write_parquet("SPLIT.parquet")
    called = barstack("init", "SPLIT.parquet", "--calendar", "24/7", code=None)
    refused = barstack("run", "study.yaml", code=None).code != 0
    assert (called.code == 1) == refused


@pytest.mark.parametrize(
    ("length", "horizons"),
    [(1, ["5min", "15min", "1h"]), (5, ["15min", "1h", "4h"]), (60, ["4h", "1d"]),
     (7, ["1bars", "5bars", "20bars"])],
)  # fmt: skip
def test_horizons_suit_the_bars(folder: Path, length: int, horizons: list[str]) -> None:
    # Fewer hours, so that they do not reach into the future.
    table_of(walk(1500 if length == 60 else 4000, length_us=length * 60_000_000)).write_parquet(
        "A.parquet"
    )
    given = {"calendar": "24/7", "stamp": "open", "bar": f"{length}min"}
    assert list(first_study("A.parquet", given=given).study.label.horizon_names) == horizons


def test_few_bars_get_short_horizons(folder: Path) -> None:
    table_of(walk(90)).write_parquet("A.parquet")
    given = {"calendar": "24/7", "stamp": "open"}
    assert first_study("A.parquet", given=given).study.label.horizon_names == ("1h",)


def test_a_folder_of_folders_is_refused_with_their_names(barstack: Barstack, folder: Path) -> None:
    one_file()
    called = barstack("init", ".", code=2)
    assert "bars" in called.err
    barstack("init", "nowhere", code=2)
