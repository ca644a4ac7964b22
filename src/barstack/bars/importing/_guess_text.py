"""How text is written: encoding, separator, header, and marks in numbers."""

from __future__ import annotations

import codecs
import csv
import re
import zlib
from collections import Counter
from pathlib import Path

import polars as pl

from barstack.core.errors import DataError

from ._files import blocks, opened
from ._guess_times import how_written
from ._layout import Clue, Given, Layout, as_given
from ._tables import NOTHING

_SEPARATORS = (",", ";", "\t", "|")
_SHOWN = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
_LINES = 60
_NUMBER = re.compile(r"^[\s$€£¥]*[+-]?(\d[\d.,' \u00a0\u202f]*|\.\d+)([eE][+-]?\d+)?[\s$€£¥]*$")
_HEAD_BYTES = 1 << 16


def guess_text(file: Path, given: Given) -> tuple[Layout, list[Clue]]:
    """Encoding, separator and header of a file; number formats are guessed from its columns."""
    encoding = _encoding(file, given)
    lines = _head(file, encoding.value)
    separator, width, skip = _separator(lines, file, given)
    rows = list(csv.reader(lines[skip:], delimiter=separator.value))
    header = _header_lines(rows, width, given)
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


def _encoding(file: Path, given: Given) -> Clue:
    if "encoding" in given:
        return as_given("encoding", given["encoding"])
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


def _split(lines: list[str], mark: str) -> list[list[str]]:
    """Fields of each line; none where one field is longer than any field of a table."""
    try:
        return list(csv.reader(lines, delimiter=mark))
    except csv.Error:
        return []


def _separator(lines: list[str], file: Path, given: Given) -> tuple[Clue, int, int]:
    """The separator under which most columns hold numbers or times; fields a row; lines above."""
    best: list[tuple[int, str, int, int]] = []
    for mark in (given["separator"],) if "separator" in given else _SEPARATORS:
        rows = _split(lines, mark)
        counts = Counter(len(row) for row in rows if row)
        width = counts.most_common(1)[0][0] if counts else 0
        # Titles may precede the header: shorter lines, or padded ones as sheets write them.
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
    if clean < 4 and "separator" not in given:
        raise DataError(
            f"{file} is no table of bars: no separator gives four columns of numbers; its first "
            f"line is {lines[0][:60] if lines else ''!r}. Name the separator, or another file."
        )
    if "separator" in given:
        return as_given("separator", mark), width, skip
    if len(best) > 1 and best[1][0] == clean:
        marks = tuple(each[1] for each in best if each[0] == clean)
        return Clue("separator", mark, "Several fit.", "unsure", marks), width, skip
    because = f"With {_SHOWN[mark]}, {clean} of {width} columns hold numbers or times."
    return Clue("separator", mark, because, "sure"), width, skip


def _is_clean(column: tuple[str, ...]) -> bool:
    """Whether all values, missing ones aside, are numbers or times."""
    values = [value.strip() for value in column if value.strip().lower() not in NOTHING]
    if not values:
        return False
    return all(map(_NUMBER.match, values)) or how_written(pl.Series(values)) is not None


def _header_lines(rows: list[list[str]], width: int, given: Given) -> Clue:
    if "header_lines" in given:
        return as_given("header_lines", given["header_lines"])
    first = [cell.strip() for cell in rows[0]]
    if any(_NUMBER.match(cell) or how_written(pl.Series([cell])) for cell in first if cell):
        return Clue("header_lines", 0, "The first line holds values, not names.", "sure")
    for place, row in enumerate(rows[1:4], start=1):
        cells = [cell.strip() for cell in row]
        if len(cells) == width and any(map(_NUMBER.match, cells[1:])):
            because = "" if place == 1 else f"{place} lines stand above the first values."
            return Clue("header_lines", place, because, "sure")
    return Clue("header_lines", 1, "", "sure")


_NUMERIC = "^[+-]?(\\d[\\d.,' \u00a0\u202f]*|[.,]\\d+)([eE][+-]?\\d+)?$"
_OTHER = {".": ",", ",": "."}


def guess_numbers(raw: pl.DataFrame, given: Given) -> list[Clue]:
    """Decimal mark and thousands, from all numbers written as text; none for plain 1234.5."""
    if "decimal" in given and "thousands" in given:
        return [as_given(key, given[key]) for key in ("decimal", "thousands")]
    texts = [each for each in raw.get_columns() if _holds_numbers(each)]
    columns = [each.filter(each.str.contains(_NUMERIC)) for each in map(_stripped, texts)]
    values = pl.concat([each.rename("value") for each in columns] or [pl.Series(dtype=pl.String)])
    if "decimal" in given:
        return [as_given("decimal", given["decimal"]), *_thousands(values, given["decimal"])]
    if "thousands" in given:
        mark = as_given("thousands", given["thousands"])
        if mark.value in _OTHER:
            return [as_given("decimal", _OTHER[mark.value]), mark]
        return [*(each for each in _both_marks(values, columns) if each.setting == "decimal"), mark]
    return _both_marks(values, columns)


def _both_marks(values: pl.Series, columns: list[pl.Series]) -> list[Clue]:
    both = values.filter(values.str.contains(r"\..*,|,.*\."))
    if len(both):
        comma = both[0].rfind(",") > both[0].rfind(".")
        return _marks(",", ".", both[0]) if comma else _marks(".", ",", both[0])
    return _one_mark(values, columns)


def _thousands(values: pl.Series, decimal: str) -> list[Clue]:
    """The mark between thousands where the decimal mark is known."""
    other = values.filter(values.str.contains(_OTHER[decimal], literal=True))
    mark, shown = (_OTHER[decimal], other[0]) if len(other) else _spaced(values)
    return [Clue("thousands", mark, f"Numbers are written as in {shown}.", "sure")] if mark else []


def _one_mark(values: pl.Series, columns: list[pl.Series]) -> list[Clue]:
    """As `guess_numbers`, where no number has both a dot and a comma."""
    with_dot = values.filter(values.str.contains(".", literal=True))
    with_comma = values.filter(values.str.contains(",", literal=True))
    extra, shown = _spaced(values)
    if not len(with_comma):
        if _grouped(with_dot, ".", twice=True):
            return _marks(",", ".", with_dot[0])
        if not extra and _grouped(with_dot, "."):
            return [_three_digits(with_dot[0], columns)]
        return _marks(".", extra, shown)
    if not _grouped(with_comma, ","):  # so a comma stands before fractions
        odd = with_comma.filter(~with_comma.str.contains(_groups(",")))
        if not len(with_dot) or _grouped(with_dot, "."):
            return _marks(",", "." if len(with_dot) else extra, odd[0])
    elif _grouped(with_comma, ",", twice=True) or (len(with_dot) and not _grouped(with_dot, ".")):
        return _marks(".", ",", with_comma[0])
    because = f"In {with_comma[0]} the comma may stand before a fraction or between thousands."
    return [Clue("decimal", None, because, "unsure", (",", "."))]


def _three_digits(example: str, columns: list[pl.Series]) -> Clue:
    """Every dot stands before three digits, as in 110.250 yen and in 15.250 points of the DAX."""
    because = f"In {example} the dot may stand before a fraction or between thousands."
    dots = [each.str.contains(".", literal=True) for each in columns]
    if any(each.any() and not each.all() for each in dots):  # below a thousand none is written
        return Clue("decimal", None, because, "unsure", (".", ","))
    return Clue("decimal", ".", because, "likely")


def _spaced(values: pl.Series) -> tuple[str, str]:
    """The mark between thousands that is neither dot nor comma, and a number with it."""
    for mark, form in (("'", "'"), (" ", "[ \u00a0\u202f]")):
        found = values.filter(values.str.contains(rf"\d{form}\d"))
        if len(found):
            return mark, str(found[0])
    return "", ""


def _stripped(column: pl.Series) -> pl.Series:
    return column.drop_nulls().str.strip_chars("$€£¥ ")


def _holds_numbers(column: pl.Series) -> bool:
    if column.dtype != pl.String:
        return False
    head = column.drop_nulls().head(20)
    return bool(head.str.contains(r"\d").any()) and how_written(head) is None


def _marks(decimal: str, thousands: str, example: str) -> list[Clue]:
    because = f"Numbers are written as in {example}."
    found = [] if decimal == "." else [Clue("decimal", decimal, because, "sure")]
    return found + ([Clue("thousands", thousands, because, "sure")] if thousands else [])


def _groups(mark: str) -> str:
    lakh = r"|[1-9]\d?(,\d{2})+,\d{3}" if mark == "," else ""  # as India writes 70,23,928
    return rf"^[+-]?([1-9]\d{{0,2}}(\{mark}\d{{3}})+{lakh})$"


def _grouped(values: pl.Series, mark: str, *, twice: bool = False) -> bool:
    """Whether the mark always stands before three digits, and somewhere twice."""
    if not len(values) or not values.str.contains(_groups(mark)).all():
        return False
    return not twice or bool(values.str.contains(rf"\{mark}.*\{mark}").any())
