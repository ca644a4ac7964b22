"""Which mark stands before fractions, and which between thousands."""

from __future__ import annotations

import polars as pl

from ._finding import Finding, Given, given
from ._guess_times import how_written

_NUMBER = "^[+-]?(\\d[\\d.,' \u00a0\u202f]*|[.,]\\d+)([eE][+-]?\\d+)?$"


def guess_numbers(raw: pl.DataFrame, said: Given) -> list[Finding]:
    """Decimal mark and thousands, from all numbers written as text; nothing where it is 1234.5."""
    if "decimal" in said:
        return [given(key, said[key]) for key in ("decimal", "thousands") if key in said]
    texts = [each.rename("value") for each in raw.get_columns() if _holds_numbers(each)]
    if not texts:
        return []
    values = pl.concat(texts).drop_nulls().str.strip_chars("$€£¥ ")
    values = values.filter(values.str.contains(_NUMBER))
    both = values.filter(values.str.contains(r"\..*,|,.*\."))
    if len(both):
        comma = both[0].rfind(",") > both[0].rfind(".")
        return _marks(",", ".", both[0]) if comma else _marks(".", ",", both[0])
    return _one_mark(values)


def _one_mark(values: pl.Series) -> list[Finding]:
    """As `guess_numbers`, where no number has both a dot and a comma."""
    with_dot = values.filter(values.str.contains(".", literal=True))
    with_comma = values.filter(values.str.contains(",", literal=True))
    extra, shown = _spaced(values)
    if not len(with_comma):
        if _grouped(with_dot, ".", twice=True):
            return _marks(",", ".", with_dot[0])
        return _marks(".", extra, shown)
    if not _grouped(with_comma, ","):  # so a comma stands before fractions
        odd = with_comma.filter(~with_comma.str.contains(_groups(",")))
        if not len(with_dot) or _grouped(with_dot, "."):
            return _marks(",", "." if len(with_dot) else extra, odd[0])
    elif _grouped(with_comma, ",", twice=True) or (len(with_dot) and not _grouped(with_dot, ".")):
        return _marks(".", ",", with_comma[0])
    because = f"In {with_comma[0]} the comma may stand before a fraction or between thousands."
    return [Finding("decimal", None, because, "unsure", (",", "."))]


def _spaced(values: pl.Series) -> tuple[str, str]:
    """The mark between thousands that is neither dot nor comma, and a number with it."""
    for mark, form in (("'", "'"), (" ", "[ \u00a0\u202f]")):
        found = values.filter(values.str.contains(rf"\d{form}\d"))
        if len(found):
            return mark, str(found[0])
    return "", ""


def _holds_numbers(column: pl.Series) -> bool:
    if column.dtype != pl.String:
        return False
    head = column.drop_nulls().head(20)
    return bool(head.str.contains(r"\d").any()) and how_written(head) is None


def _marks(decimal: str, thousands: str, example: str) -> list[Finding]:
    because = f"Numbers are written as in {example}."
    found = [] if decimal == "." else [Finding("decimal", decimal, because, "sure")]
    return found + ([Finding("thousands", thousands, because, "sure")] if thousands else [])


def _groups(mark: str) -> str:
    return rf"^[+-]?\d{{1,3}}(\{mark}\d{{3}})+$"


def _grouped(values: pl.Series, mark: str, *, twice: bool = False) -> bool:
    """Whether the mark always stands before three digits, and somewhere twice."""
    if not len(values) or not values.str.contains(_groups(mark)).all():
        return False
    return not twice or bool(values.str.contains(rf"\{mark}.*\{mark}").any())
