"""Which mark stands before fractions, and which between thousands."""

from __future__ import annotations

import polars as pl

from ._clue import Clue, Given, given
from ._time_forms import how_written

_NUMBER = "^[+-]?(\\d[\\d.,' \u00a0\u202f]*|[.,]\\d+)([eE][+-]?\\d+)?$"
_OTHER = {".": ",", ",": "."}


def guess_numbers(raw: pl.DataFrame, said: Given) -> list[Clue]:
    """Decimal mark and thousands, from all numbers written as text; nothing where it is 1234.5."""
    if "decimal" in said and "thousands" in said:
        return [given(key, said[key]) for key in ("decimal", "thousands")]
    texts = [each for each in raw.get_columns() if _holds_numbers(each)]
    columns = [each.filter(each.str.contains(_NUMBER)) for each in map(_stripped, texts)]
    values = pl.concat([each.rename("value") for each in columns] or [pl.Series(dtype=pl.String)])
    if "decimal" in said:
        return [given("decimal", said["decimal"]), *_thousands(values, said["decimal"])]
    if "thousands" in said:
        mark = given("thousands", said["thousands"])
        if mark.value in _OTHER:
            return [given("decimal", _OTHER[mark.value]), mark]
        return [*(each for each in _both_marks(values, columns) if each.setting == "decimal"), mark]
    return _both_marks(values, columns)


def _both_marks(values: pl.Series, columns: list[pl.Series]) -> list[Clue]:
    both = values.filter(values.str.contains(r"\..*,|,.*\."))
    if len(both):
        comma = both[0].rfind(",") > both[0].rfind(".")
        return _marks(",", ".", both[0]) if comma else _marks(".", ",", both[0])
    return _one_mark(values, columns)


def _thousands(values: pl.Series, decimal: str) -> list[Clue]:
    """The mark between thousands where that before fractions is known."""
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
