"""How a file of text is written: encoding, separator, header."""

from __future__ import annotations

import codecs
import csv
import re
import zlib
from collections import Counter
from pathlib import Path

import polars as pl

from barstack.core.errors import DataError

from ._clue import Clue, Given, given
from ._files import blocks, opened
from ._layout import Layout
from ._named import NOTHING
from ._time_forms import how_written

_SEPARATORS = (",", ";", "\t", "|")
_SHOWN = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
_LINES = 60
_NUMBER = re.compile(r"^[\s$€£¥]*[+-]?(\d[\d.,' \u00a0\u202f]*|\.\d+)([eE][+-]?\d+)?[\s$€£¥]*$")
_HEAD_BYTES = 1 << 16


def guess_text(file: Path, said: Given) -> tuple[Layout, list[Clue]]:
    """Encoding, separator and header of a file; decimal marks need its columns first."""
    encoding = _encoding(file, said)
    lines = _head(file, encoding.value)
    separator, width, skip = _separator(lines, file, said)
    rows = list(csv.reader(lines[skip:], delimiter=separator.value))
    header = _header_lines(rows, width, said)
    layout = Layout(
        encoding=encoding.value,
        separator=separator.value,
        header_lines=header.value,
        skip_lines=skip,
    )
    found = [encoding, separator, header]
    if skip:
        because = f"The table begins below {lines[0][:40]!r}."
        found.append(Clue("skip_lines", skip, because, "sure"))
    return layout, [each for each in found if each.because]


def _encoding(file: Path, said: Given) -> Clue:
    if "encoding" in said:
        return given("encoding", said["encoding"])
    try:
        with opened(file) as stream:
            head = stream.read(_HEAD_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file} cannot be read: {error}. Check that it is complete.") from None
    for mark, name in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"),
                       (codecs.BOM_UTF16_BE, "utf-16")):  # fmt: skip
        if head.startswith(mark):
            return Clue("encoding", name, "The file begins with its mark.", "sure")
    if head.count(b"\0") > len(head) // 4:
        name = "utf-16-le" if head[1:2] == b"\0" else "utf-16-be"
        return Clue("encoding", name, "Every other byte is zero.", "sure")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return Clue("encoding", "cp1252", "It is not UTF-8; prices read the same.", "likely")
    return Clue("encoding", "utf-8", "", "sure")


def _head(file: Path, encoding: str) -> list[str]:
    try:
        first = next(blocks(file, encoding, _HEAD_BYTES), b"")
    except (OSError, EOFError, UnicodeError, zlib.error) as error:
        raise DataError(f"{file} cannot be read as {encoding} text: {error}.") from None
    return first.decode().split("\n")[: _LINES + 20]


def _separator(lines: list[str], file: Path, said: Given) -> tuple[Clue, int, int]:
    """The separator under which most columns hold numbers or times; fields a row; lines above."""
    best: list[tuple[int, str, int, int]] = []
    for mark in (said["separator"],) if "separator" in said else _SEPARATORS:
        rows = list(csv.reader(lines, delimiter=mark))
        counts = Counter(len(row) for row in rows if row)
        width = counts.most_common(1)[0][0] if counts else 0
        # Above the header may stand titles: shorter lines, or as sheets write them, filled up.
        skip = next(
            (
                place
                for place, row in enumerate(rows)
                if len(row) == width and (width < 4 or sum(map(bool, map(str.strip, row))) > 1)
            ),
            0,
        )
        body = [row for row in rows[skip + 1 :] if len(row) == width]
        body = body[2:] if len(body) > 4 else body  # a header may take several lines
        clean = sum(_is_clean(column) for column in zip(*body, strict=True)) if width > 1 else 0
        best.append((clean, mark, width, skip))
    best.sort(key=lambda each: -each[0])
    clean, mark, width, skip = best[0]
    if clean < 4 and "separator" not in said:
        raise DataError(
            f"{file} is no table of bars: no separator gives four columns of numbers; its first "
            f"line is {lines[0][:60] if lines else ''!r}. Name the separator, or another file."
        )
    if "separator" in said:
        return given("separator", mark), width, skip
    if len(best) > 1 and best[1][0] == clean:
        marks = tuple(each[1] for each in best if each[0] == clean)
        return Clue("separator", mark, "Several fit.", "unsure", marks), width, skip
    because = f"With {_SHOWN[mark]}, {clean} of {width} columns hold numbers or times."
    return Clue("separator", mark, because, "sure"), width, skip


def _is_clean(column: tuple[str, ...]) -> bool:
    """Whether all but missing values are numbers or times."""
    values = [value.strip() for value in column if value.strip().lower() not in NOTHING]
    if not values:
        return False
    return all(map(_NUMBER.match, values)) or how_written(pl.Series(values)) is not None


def _header_lines(rows: list[list[str]], width: int, said: Given) -> Clue:
    if "header_lines" in said:
        return given("header_lines", said["header_lines"])
    first = [cell.strip() for cell in rows[0]]
    if any(_NUMBER.match(cell) or how_written(pl.Series([cell])) for cell in first if cell):
        return Clue("header_lines", 0, "The first line holds values, not names.", "sure")
    for place, row in enumerate(rows[1:4], start=1):
        cells = [cell.strip() for cell in row]
        if len(cells) == width and any(map(_NUMBER.match, cells[1:])):
            because = "" if place == 1 else f"{place} lines stand above the first values."
            return Clue("header_lines", place, because, "sure")
    return Clue("header_lines", 1, "", "sure")
