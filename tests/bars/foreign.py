"""Files as other people write them: any names, zone, time format, marks, shape."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from barstack.bars import Bars, bars_from_table

PRICES = ("open", "high", "low", "close", "volume")
EPOCHS = {"epoch s": 1_000_000, "epoch ms": 1_000, "epoch us": 1}
NAMES: dict[str, tuple[str, ...]] = {
    "own": ("timestamp", *PRICES),
    "capital": ("Date", "Open", "High", "Low", "Close", "Volume"),
    "angle": ("<DATETIME>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<VOL>"),
    "numbered": ("time", "1. open", "2. high", "3. low", "4. close", "5. volume"),
    "short": ("t", "o", "h", "l", "c", "v"),
    "middle": ("datetime", "mid_o", "mid_h", "mid_l", "mid_c", "volume"),
    "none": (),
}
TIMES = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%:z", "%Y-%m-%dT%H:%M:%SZ",
    "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d.%m.%y %H:%M", "%Y.%m.%d %H:%M", "%Y%m%d %H%M%S",
    "%Y%m%d%H%M%S", "%d-%b-%Y %H:%M", "%m/%d/%Y %I:%M %p", "%b %d, %Y %H:%M", *EPOCHS, "epoch ns",
)  # fmt: skip


@dataclass(frozen=True)
class Foreign:
    """One way to write bars down.

    zone  in which times without an offset are written
    pair  date and time of day in two columns
    """

    names: str = "capital"
    time: str = "%Y-%m-%d %H:%M:%S"
    zone: str = "UTC"
    stamp: str = "open"
    pair: bool = False
    separator: str = ","
    decimal: str = "."
    thousands: str = ""
    encoding: str = "utf-8"
    ending: str = ".csv"
    volume: bool = True
    long: bool = False
    adjusted: bool = False  # a column of adjusted closes beside the others
    extra: bool = False  # a column that is none of ours

    @property
    def absolute(self) -> bool:
        return self.time.startswith("epoch") or self.time.endswith(("z", "Z"))


def write(tables: dict[str, pl.DataFrame], length_us: int, how: Foreign, folder: Path) -> Path:
    """The tables, written that way; a file for each symbol, or one of all."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {symbol: _texts(table, length_us, how) for symbol, table in tables.items()}
    if how.long:
        rows = [
            table.with_columns(pl.lit(symbol).alias("ticker")) for symbol, table in made.items()
        ]
        made = {"all": pl.concat(rows)}
    for name, table in made.items():
        _write(table, how, folder / f"{name}{how.ending}")
    return folder


def _texts(table: pl.DataFrame, length_us: int, how: Foreign) -> pl.DataFrame:
    moments = table["timestamp"] + pl.duration(
        microseconds=length_us if how.stamp == "close" else 0
    )
    times = table.select(moments.alias("t"))["t"] if isinstance(moments, pl.Expr) else moments
    names = NAMES[how.names] or NAMES["own"]
    roles = [role for role in PRICES if how.volume or role != "volume"]
    own = dict(zip(("time", *PRICES), names, strict=True))
    columns = _times(times, how, own["time"])
    for role in roles:
        columns.append(table[role].alias(own[role]))
    if how.adjusted:
        columns.append((table["close"] * 0.9).alias("Adj Close"))
    if how.extra:
        columns.append(pl.Series("flag", ["x"] * len(table)))
    made = pl.DataFrame(columns)
    if how.ending == ".parquet":
        return made
    return made.with_columns(
        pl.col(name).map_elements(lambda value: _number(value, how), pl.String)
        for name, kind in made.schema.items()
        if kind == pl.Float64
    )


def _times(times: pl.Series, how: Foreign, name: str) -> list[pl.Series]:
    if how.time.startswith("epoch"):
        micros = times.dt.epoch("us")
        counts = micros * 1000 if how.time == "epoch ns" else micros // EPOCHS[how.time]
        return [counts.alias(name)]
    local = times.dt.convert_time_zone(how.zone)
    if not how.absolute:
        local = local.dt.replace_time_zone(None)
    if how.time.endswith("Z"):
        local = times
    if how.ending == ".parquet" and how.time == "%Y-%m-%d %H:%M:%S":
        return [local.alias(name)]
    if how.pair and not how.absolute:
        date, _, clock = how.time.partition(" ") if " " in how.time else how.time.partition("T")
        if clock and " " not in clock and "," not in date:
            return [local.dt.strftime(date).alias("Date"), local.dt.strftime(clock).alias("Time")]
    return [local.dt.strftime(how.time).alias(name)]


def _number(value: float, how: Foreign) -> str:
    text = repr(float(value))
    if how.thousands and "e" not in text:
        whole, point, rest = text.partition(".")
        text = f"{int(whole):,}".replace(",", "\0") + point + rest
    return text.replace(".", how.decimal).replace("\0", how.thousands)


def _write(table: pl.DataFrame, how: Foreign, file: Path) -> None:
    if how.ending == ".parquet":
        table.write_parquet(file)
        return
    text = table.write_csv(separator=how.separator, include_header=how.names != "none")
    content = text.encode(how.encoding)
    file.write_bytes(gzip.compress(content) if how.ending.endswith(".gz") else content)


def truth(
    table: pl.DataFrame, symbol: str, length_us: int, calendar: str, hours: str, volume: bool
) -> Bars:
    """The bars that a file of the table must give."""
    if not volume:
        table = table.with_columns(pl.lit(0.0).alias("volume"))
    return bars_from_table(
        table, symbol, length_us=length_us, calendar=calendar, hours=hours, mostly_inside=False
    )
