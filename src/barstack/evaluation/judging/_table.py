"""Tables that other tools export: CSV, parquet, JSON and zip files, and frames in memory."""

from __future__ import annotations

import codecs
import csv
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from barstack.bars.importing import Layout, batches, is_text, opened, plain
from barstack.core.errors import ConfigError, DataError
from barstack.core.text import listed, printable

MOST_ROWS = 5_000_000
_MOST_BYTES = 512 << 20
_MOST_COLUMNS = 20_000
_SHOWN = 8
_HEAD_BYTES = 1 << 16
_LINES = 60
_SEPARATORS = (",", ";", "\t", "|")


@dataclass(frozen=True, eq=False)
class Exported:
    """A table as it was exported, and what its maker reports beside it.

    Attributes
    ----------
    frame
        Columns of text, numbers or times, by the export's own names.
    where
        What messages call it.
    reported
        Figures that the export states about itself, by the names of `contradictory`.
    tool
        The tool, where the form of the file names it.
    """

    frame: pl.DataFrame
    where: str
    reported: dict[str, float] = field(default_factory=dict)
    tool: str = ""

    def by_plain(self) -> dict[str, str]:
        """Names of the columns by their normalised form."""
        return {plain(name): name for name in reversed(self.frame.columns)}


def read_table(source: Any) -> Exported:
    """The table in a file or a frame.

    Parameters
    ----------
    source
        The path of a CSV, parquet, feather, JSON or zip file, or a pandas or polars table.

    Raises
    ------
    DataError
        Where there is no table, or one too large to be a history.

    >>> read_table(pl.DataFrame({"time": ["2026-01-05"], "position": [1]})).frame.columns
    ['time', 'position']
    """
    if isinstance(source, (str, Path)):
        return _checked(_of_file(Path(source).expanduser()))
    return _checked(Exported(_of_frame(source), "the history"))


def _checked(table: Exported) -> Exported:
    rows, width = table.frame.shape
    if not rows:
        raise DataError(
            f"{table.where} has no rows below its header. Export it again, with what was done."
        )
    if rows > MOST_ROWS or width > _MOST_COLUMNS:
        raise DataError(
            f"{table.where} has {rows:,} rows and {width:,} columns; a history may have "
            f"{MOST_ROWS:,} and {_MOST_COLUMNS:,}. Give one strategy, on bars as long as its "
            "decisions."
        )
    return table


def _of_file(file: Path) -> Exported:
    if not file.is_file():
        what = "is a folder" if file.is_dir() else "is not there"
        raise ConfigError(f"{file} {what}. Name a CSV, parquet, JSON or zip file.")
    size = file.stat().st_size
    if not size:  # nor are files of the system read, some of which never end
        raise DataError(f"{file} is empty. Export it again.")
    if size > _MOST_BYTES:
        raise DataError(
            f"{file} has {size >> 20:,} MiB; a history may have {_MOST_BYTES >> 20}. Give one "
            "strategy, without columns that are not needed."
        )
    ending = file.suffix.lower()
    if ending == ".zip":
        return _of_json(_unzipped(file), str(file))
    if ending == ".json":
        return _of_json(file.read_bytes(), str(file))
    layout = _layout(file) if is_text(file) else Layout()
    return Exported(_joined(batches(file, layout), file), str(file))


def _layout(file: Path) -> Layout:
    """Encoding and separator of a text file: the mark that cuts its first lines most evenly."""
    try:
        with opened(file) as stream:
            head = stream.read(_HEAD_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file} cannot be read: {error}. Check that it is complete.") from None
    encoding = _encoding(head)
    text = head.decode(encoding, errors="replace").lstrip("\ufeff")
    lines = [line for line in text.splitlines()[:_LINES] if line.strip()]
    if not lines:
        raise DataError(f"{file} is empty. Export it again.")
    if len(lines) > 2:  # the last line may be cut off
        lines = lines[:-1]

    def columns(mark: str) -> tuple[bool, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=mark)]
        return len(set(widths)) == 1, widths[0] if widths else 0

    best = max(_SEPARATORS, key=columns)
    if columns(best)[1] < 2:
        raise DataError(
            f"{file} has one column only; its first line is {printable(lines[0][:60])!r}. Write a "
            "column of times and one of what was done or forecast."
        )
    return Layout(encoding=encoding, separator=best)


def _encoding(head: bytes) -> str:
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(mark):
            return name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _joined(parts: Iterator[pl.DataFrame], file: Path) -> pl.DataFrame:
    found: list[pl.DataFrame] = []
    rows = 0
    for part in parts:
        rows += len(part)
        found.append(part)
        if rows > MOST_ROWS:
            raise DataError(
                f"{file} has more than {MOST_ROWS:,} rows. Give one strategy, on bars as long as "
                "its decisions."
            )
    return pl.concat(found, how="vertical_relaxed")


def _of_frame(frame: Any) -> pl.DataFrame:
    if isinstance(frame, pl.DataFrame):
        return frame
    if isinstance(frame, pl.Series) or not hasattr(frame, "reset_index"):
        raise DataError(
            f"The history is a {type(frame).__name__}. Give a path, or a pandas or polars table."
        )
    if not hasattr(frame, "columns"):  # a Series: times in the index
        frame = frame.to_frame(frame.name or "value")
    if type(frame.index).__name__ != "RangeIndex":
        frame = frame.rename_axis(frame.index.name or "index").reset_index()
    columns = {}
    for name in frame.columns:
        values = frame[name]
        if str(name) in columns:
            raise DataError(f"The history has two columns called {name!r}. Keep one of them.")
        zone = getattr(values.dtype, "tz", None)
        if zone is not None:
            utc = values.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[us]")
            columns[str(name)] = pl.Series(utc).dt.replace_time_zone("UTC")
        elif values.dtype.kind == "M":
            columns[str(name)] = pl.Series(values.to_numpy("datetime64[us]"))
        elif values.dtype.kind in "iufb":
            columns[str(name)] = pl.Series(values.to_numpy())
        elif values.dtype.kind == "m":  # a duration is no time, no number and no symbol
            continue
        else:
            columns[str(name)] = pl.Series(
                [
                    None if gone else str(each)
                    for each, gone in zip(values, values.isna(), strict=True)
                ],
                dtype=pl.String,
            )
    return pl.DataFrame(columns)


def _unzipped(file: Path) -> bytes:
    """The result within what freqtrade writes: the JSON file that holds strategies."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = [
                each
                for each in archive.infolist()
                if each.filename.endswith(".json")
                and "_config" not in each.filename
                and ".meta" not in each.filename
            ]
            if not names:
                raise DataError(
                    f"{file} holds no JSON file with a result. Give the zip that freqtrade wrote, "
                    "or the file within."
                )
            chosen = max(names, key=lambda each: each.file_size)
            if chosen.file_size > _MOST_BYTES:
                raise DataError(f"{file} unpacks to {chosen.file_size >> 20:,} MiB. Give less.")
            return archive.read(chosen)
    except (zipfile.BadZipFile, RuntimeError, OSError, NotImplementedError) as error:
        raise DataError(f"{file} cannot be unpacked: {error}. Export it again.") from None


def _of_json(data: bytes, where: str) -> Exported:
    if data[:4096].count(b"[") + data[:4096].count(b"{") > 2000:
        raise DataError(f"{where} is nested too deep to be a result. Export it again.")
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{where} cannot be read as JSON: {reason}. Export it again.") from None
    for reader in (_freqtrade, _quantconnect, _records):
        found = reader(content, where)
        if found is not None:
            return found
    keys = listed(list(content), _SHOWN) if isinstance(content, Mapping) else "a list"
    raise DataError(
        f"{where} is JSON of a form that is not known: it holds {printable(str(keys))}. Known "
        "are a freqtrade result, a QuantConnect result, and a list of records; or give a CSV."
    )


def _freqtrade(content: Any, where: str) -> Exported | None:
    """{"strategy": {NAME: {"trades": [...], ...}}}."""
    if not isinstance(content, Mapping) or not isinstance(content.get("strategy"), Mapping):
        return None
    strategies = content["strategy"]
    if len(strategies) != 1:
        raise DataError(
            f"{where} holds {len(strategies)} strategies: {listed(list(strategies), _SHOWN)}. "
            "Backtest one alone, and count the others with --trials."
        )
    (own,) = strategies.values()
    if not isinstance(own, Mapping):
        return None
    reported = {
        name: float(own[key])
        for name, key in (("win_rate", "winrate"), ("profit_factor", "profit_factor"))
        if isinstance(own.get(key), (int, float))
    }
    return _table(own.get("trades"), where, reported, "freqtrade")


def _quantconnect(content: Any, where: str) -> Exported | None:
    """A result of LEAN: closed trades, else the series of the equity chart."""
    if not isinstance(content, Mapping):
        return None
    own = {str(key).lower(): value for key, value in content.items()}
    inner = own.get("backtest")
    if isinstance(inner, Mapping) and "totalperformance" not in own:
        own = {str(key).lower(): value for key, value in inner.items()}
    performance = own.get("totalperformance")
    if isinstance(performance, Mapping):
        lower = {str(key).lower(): value for key, value in performance.items()}
        if lower.get("closedtrades"):
            rows = [
                _flat_trade(each) for each in lower["closedtrades"] if isinstance(each, Mapping)
            ]
            return _table(rows, where, {}, "QuantConnect")
    charts = own.get("charts")
    if isinstance(charts, Mapping) and "Strategy Equity" in charts:
        chart = {str(key).lower(): value for key, value in charts["Strategy Equity"].items()}
        series = chart.get("series")
        equity = series.get("Equity", {}) if isinstance(series, Mapping) else {}
        values = {str(key).lower(): value for key, value in equity.items()}.get("values", [])
        rows = [
            {"time": each[0], "equity": each[-1]}
            if isinstance(each, list)
            else {"time": each.get("x"), "equity": each.get("y")}
            for each in values
        ]
        return _table(rows, where, {}, "QuantConnect")
    return None


def _flat_trade(trade: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in trade.items():
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, Mapping):  # a symbol with its identifier
            lower = {str(name).lower(): each for name, each in first.items()}
            first = lower.get("value") or lower.get("permtick")
        found[str(key)] = first
    return found


def _records(content: Any, where: str) -> Exported | None:
    if isinstance(content, list):
        return _table(content, where, {}, "")
    if isinstance(content, Mapping) and isinstance(content.get("trades"), list):
        return _table(content["trades"], where, {}, "")
    return None


def _table(rows: Any, where: str, reported: dict[str, float], tool: str) -> Exported:
    if not isinstance(rows, list) or not all(isinstance(each, Mapping) for each in rows):
        raise DataError(f"{where} lists no trades. Export the result with its trades.")
    if not rows:
        raise DataError(f"{where} has no trades: nothing was done, so nothing can be judged.")
    names = dict.fromkeys(str(name) for row in rows[:1000] for name in row)
    columns = {
        name: pl.Series([_plain_value(row.get(name)) for row in rows], dtype=pl.String)
        for name in names
    }
    frame = pl.DataFrame(columns)
    numbers = [
        name
        for name in frame.columns
        if frame[name].drop_nulls().cast(pl.Float64, strict=False).null_count() == 0
        and frame[name].null_count() < len(frame)
    ]
    return Exported(
        frame.with_columns(pl.col(name).cast(pl.Float64) for name in numbers), where, reported, tool
    )


def _plain_value(value: Any) -> str | None:
    if value is None or isinstance(value, (list, Mapping)):
        return None
    return str(value)
