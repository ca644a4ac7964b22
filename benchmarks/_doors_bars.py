"""Files of bars as they arrive: damaged, mislabelled, hostile, or of another program's habits."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
from _doors_studies import Case, bars_table

_VALUES = [float("inf"), float("-inf"), float("nan"), None, 0.0, -1.0, 1e308, 1e-308]
_STUDY = """\
bars: {{provider: files, path: {path}}}
features: [body]
label: {{label: return, horizons: [2]}}
split: {{split: walk_forward, folds: 2}}
members: [ridge]
ensembles: [average]
"""


def cases(number: int, draw: Random, folder: Path) -> Case:
    """Case `number`: a file in `folder`, and a call that reads it."""
    ways = [_table, _table, _bytes, _text, _shape]
    name, what = ways[number % len(ways)](draw, folder)
    (folder / "study.yaml").write_text(_STUDY.format(path=name))
    commands = [
        *(["import", name, "--yes", "--into", "mine"], ["import", name], ["data", name]),
        *(["data", name, "--calendar", "24/7", "--json"], ["run", "study.yaml"]),
        *(["import", name, "--yes", "--timezone", "UTC", "--calendar", "24/7", "--stamp", "open"],),
        *(["data", name, "--html", "page.html"], ["features", "plot", "body", "--bars", name]),
    ]
    environment = {"BARSTACK_CATALOG": str(folder / "catalog")}
    return {
        "arguments": draw.choice(commands),
        "codes": (0, 1, 2),
        "what": f"bars {what}",
        "environment": environment,
    }


def _saved(table: pl.DataFrame, draw: Random, folder: Path, kinds: str = "csv parquet ipc") -> str:
    kind = draw.choice(kinds.split())
    name = f"T.{'feather' if kind == 'ipc' else kind}"
    if kind == "csv":
        table.write_csv(folder / name)
    elif kind == "parquet":
        table.write_parquet(folder / name)
    else:
        table.write_ipc(folder / name)
    return name


def _table(draw: Random, folder: Path) -> tuple[str, str]:
    """Values, rows and columns that no bars have."""
    table = bars_table(400, seed=draw.randrange(5))
    some = draw.randrange(5, 390)
    column = draw.choice(("open", "high", "low", "close", "volume"))
    at = pl.int_range(pl.len()) == some
    stamp = pl.col("timestamp")
    ways: dict[str, Callable[[], pl.DataFrame]] = {
        "one odd value": lambda: table.with_columns(
            pl.when(at).then(pl.lit(draw.choice(_VALUES))).otherwise(pl.col(column)).alias(column)
        ),
        "text among numbers": lambda: table.with_columns(
            pl.when(at).then(pl.lit("n/a")).otherwise(pl.col(column).cast(pl.String)).alias(column)
        ),
        "seconds, then milliseconds": lambda: table.with_columns(
            pl.when(pl.int_range(pl.len()) < some)
            .then(stamp.dt.epoch("s"))
            .otherwise(stamp.dt.epoch("ms"))
            .alias("timestamp")
        ),
        "year 56971": lambda: table.with_columns(timestamp=stamp.dt.epoch("s") * 1000),
        "nanoseconds as seconds": lambda: table.with_columns(timestamp=stamp.dt.epoch("ns")),
        "years before 1900": lambda: table.with_columns(timestamp=stamp.dt.offset_by("-200y")),
        "a null time": lambda: table.with_columns(
            timestamp=pl.when(at).then(None).otherwise(stamp)
        ),
        "repeated rows": lambda: pl.concat([table, table.head(some)]),
        "backwards": table.reverse,
        "shuffled": lambda: table.sample(fraction=1.0, shuffle=True, seed=some),
        "one row": lambda: table.head(1),
        "no row": lambda: table.head(0),
        "no column": pl.DataFrame,
        "a column gone": lambda: table.drop(column),
        "a column twice": lambda: table.with_columns(pl.col(column).alias(column.upper())),
        "many columns": lambda: table.with_columns(
            [pl.lit(1.0).alias(f"c{n}") for n in range(4_000)]
        ),
        "constant": lambda: table.with_columns(
            **{each: pl.lit(5.0) for each in ("open", "high", "low", "close")}
        ),
        "off the grid": lambda: table.with_columns(
            timestamp=pl.when(at).then(stamp.dt.offset_by("17m3s")).otherwise(stamp)
        ),
        "symbols with controls": lambda: table.with_columns(symbol=pl.lit("A\x1b[2J")),
        "symbols as paths": lambda: table.with_columns(symbol=pl.lit("../../up")),
        "many symbols": lambda: table.with_columns(
            symbol=pl.format("S{}", pl.int_range(pl.len()) % 150)
        ),
        "daily dates": lambda: table.with_columns(timestamp=stamp.dt.date()).unique("timestamp"),
        "decimal commas": lambda: table.with_columns(
            pl.col(column).cast(pl.String).str.replace(".", ",", literal=True)
        ),
        "french numbers": lambda: table.with_columns(
            (pl.lit("12\u202f") + pl.col(column).cast(pl.String)).alias(column)
        ),
        "two-digit years": lambda: table.with_columns(
            timestamp=stamp.dt.strftime("%d/%m/%y %H:%M")
        ),
        "twelve-hour clock": lambda: table.with_columns(
            timestamp=stamp.dt.strftime("%d.%m.%Y %I:%M %p")
        ),
    }
    name = draw.choice([*ways])
    made = ways[name]()
    return _saved(made, draw, folder), name


def _shape(draw: Random, folder: Path) -> tuple[str, str]:
    """Columns of a type that no number has."""
    table = bars_table(200)
    close = pl.col("close")
    ways: dict[str, Any] = {
        "a list column": pl.concat_list(close, close),
        "a struct column": pl.struct("open", "high"),
        "bytes": close.cast(pl.String).cast(pl.Binary),
        "booleans": close > 100,
        "categories": close.cast(pl.String).cast(pl.Categorical),
        "decimals": close.cast(pl.Decimal(20, 4)),
        "durations": (close * 1000).cast(pl.Int64).cast(pl.Duration("us")),
        "all null": pl.lit(None, pl.Float64),
        "unsigned": close.cast(pl.UInt64),
    }
    name = draw.choice([*ways, "times of day"])
    if name == "times of day":
        made = table.with_columns(pl.col("timestamp").dt.time())
    else:
        made = table.with_columns(close=ways[name])
    return _saved(made, draw, folder, "parquet ipc"), name


def _bytes(draw: Random, folder: Path) -> tuple[str, str]:
    """Files cut, spliced, packed, or not files at all."""
    kind = draw.choice(("parquet", "csv", "feather"))
    stream = io.BytesIO()
    table = bars_table(400)
    if kind == "csv":
        table.write_csv(stream)
    else:
        (table.write_parquet if kind == "parquet" else table.write_ipc)(stream)
    content = stream.getvalue()
    at = draw.randrange(len(content))
    file = folder / f"T.{kind}"
    ways: dict[str, Callable[[], Path]] = {
        "cut": lambda: _put(file, content[:at]),
        "flipped": lambda: _put(file, _flipped(content, draw)),
        "flipped too": lambda: _put(file, _flipped(content, draw)),
        "spliced": lambda: _put(file, content[:at] + draw.randbytes(64) + content[at:]),
        "random": lambda: _put(file, draw.randbytes(draw.randrange(1, 20_000))),
        "empty": lambda: _put(file, b""),
        "a footer that says it is huge": lambda: _put(
            file, content[:-8] + struct.pack("<I", 2**31 - 1) + content[-4:]
        ),
        "wrong ending": lambda: _put(
            folder / draw.choice(("T.parquet", "T.csv", "T.feather", "T.txt", "T.xlsx", "T")),
            content,
        ),
        "gzip": lambda: _put(folder / f"T.{kind}.gz", gzip.compress(content)),
        "gzip bomb": lambda: _put(folder / "T.csv.gz", _bomb()),
        "zip": lambda: _zipped(folder / "T.zip", content),
        "directory": lambda: _made(file, Path.mkdir),
        "fifo": lambda: _made(file, os.mkfifo),
        "link to a device": lambda: _made(file, lambda path: path.symlink_to("/dev/zero")),
        "loop of links": lambda: _made(file, lambda path: path.symlink_to(path.name)),
    }
    way = draw.choice([*ways])
    return ways[way]().name, f"{way} {kind}"


def _put(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


def _made(file: Path, make: Callable[[Path], object]) -> Path:
    make(file)
    return file


def _flipped(content: bytes, draw: Random) -> bytes:
    spoilt = bytearray(content)
    for _ in range(draw.choice((1, 4, 40))):
        spoilt[draw.randrange(len(spoilt))] ^= 1 << draw.randrange(8)
    return bytes(spoilt)


def _zipped(file: Path, content: bytes) -> Path:
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("../up.csv", content)
    return file


@cache
def _bomb() -> bytes:
    """Half a megabyte that unpacks to half a gigabyte."""
    return gzip.compress(b"0" * 2**29)


def _text(draw: Random, folder: Path) -> tuple[str, str]:
    """Text that is nearly a table."""
    lines = bars_table(300).write_csv().splitlines()
    head, rows = lines[0], lines[1:]
    some = draw.randrange(1, 290)
    ways: dict[str, Any] = {
        "no header": "\n".join(rows),
        "header twice": "\n".join([head, *rows[:some], head, *rows[some:]]),
        "title lines": "\n".join(["Prices of T", "", head, *rows]),
        "a total at the end": "\n".join([*lines, "total,,,,,"]),
        "ragged": "\n".join([*lines[:some], "1,2", *lines[some:]]),
        "too many fields": "\n".join([*lines[:some], rows[0] + ",9,9", *lines[some:]]),
        "an open quote": "\n".join([*lines[:some], '"2026-01-01', *lines[some:]]),
        "nul bytes": "\n".join(lines).replace("00", "\0", 3),
        "only commas": ",,,,,\n" * 300,
        "one long line": "1," * 300_000,
        "cr line ends": "\r".join(lines),
        "semicolons": "\n".join(lines).replace(",", ";"),
        "tabs": "\n".join(lines).replace(",", "\t"),
        "pipes": "\n".join(lines).replace(",", " | "),
        "utf-16": "\n".join(lines).encode("utf-16"),
        "latin-1 symbol": ("\n".join(lines) + "\n# Zürich").encode("latin-1"),
        "controls in the header": "\n".join([head.replace("close", "cl\x1b[2Jose"), *rows]),
        "two levels": "\n".join(["Price,Open,High", "Ticker,T,T", "Date,,", *rows]),
        "html": "<html><table><tr><td>1</td></tr></table></html>",
        "json lines": '{"timestamp": 1, "open": 2}\n' * 50,
        "a list in json": "[" + ",".join(["[1,2,3,4,5,6]"] * 100) + "]",
        "header alone": head,
        "quoted numbers": "\n".join([head, *('"' + row.replace(",", '","') + '"' for row in rows)]),
        "excel's empty columns": "\n".join(f",,{line},," for line in lines),
    }
    name = draw.choice([*ways])
    text = ways[name]
    file = folder / draw.choice(("T.csv", "T.csv", "T.txt", "T[1].csv", "T *.csv", "-T.csv"))
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return (f"./{file.name}" if file.name.startswith("-") else file.name), f"text {name}"
