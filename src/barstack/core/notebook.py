"""Small pieces of HTML that notebooks show: escaped, without scripts or files of their own.

Colours are those of the notebook, made fainter where a line or a remark is, so that light and dark
themes are readable alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import zip_longest
from math import isfinite
from typing import Any

from .text import printable

_BOX = (
    "border:1px solid rgba(128,128,128,.4);border-radius:6px;padding:.6em .9em;"
    "max-width:56em;overflow-x:auto;color:inherit"
)
_WHOLE = 20  # characters that stay on one line, so that dates and numbers do
_CELL = "padding:.15em .7em;border-bottom:1px solid rgba(128,128,128,.25);color:inherit"


def text(value: Any, digits: int = 4) -> str:
    """A value as escaped text: numbers with so many digits, nothing for None and NaN.

    >>> [text(each) for each in ("<b>", 0.123456, 3478, None, float("nan"), ("1h", "1d"))]
    ['&lt;b&gt;', '0.1235', '3,478', '', '', '1h, 1d']
    """
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(text(each, digits) for each in value)
    if not _is_number(value):
        return escape(printable(str(value)))
    if isinstance(value, int) or abs(value) >= 10**digits:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], digits: int = 4) -> str:
    """A table; columns of numbers are aligned to the right, with their heads.

    digits  of numbers

    >>> table(["name", "ic"], [["ridge", 0.01]]).count("text-align:right")
    2
    """
    columns = list(zip_longest(head, *rows))  # a row may be shorter than others
    sides = ["right" if any(map(_is_number, each[1:])) else "left" for each in columns]
    heads, *body = (
        "".join(
            _cell("td" if place else "th", each, side, digits)
            for each, side in zip(row, sides, strict=True)
        )
        for place, row in enumerate(zip(*columns, strict=True))
    )
    body = [f"<tr>{row}</tr>" for row in body]
    return (
        '<table style="border-collapse:collapse;margin:.5em 0;background:none">'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(kind: str, value: Any, side: str, digits: int) -> str:
    shown = text(value, digits)
    keep = ";white-space:nowrap" if len(shown) <= _WHOLE else ""
    return f'<{kind} style="{_CELL};text-align:{side}{keep}">{shown}</{kind}>'


def remark(*sentences: Any) -> str:
    """A faint line below."""
    return f'<div style="opacity:.75;font-size:.9em">{" ".join(map(text, sentences))}</div>'


def card(title: str, *parts: str, note: str = "") -> str:
    """A box with a title, a word beside it, and parts that are HTML already.

    >>> card("Run", remark("1 < 2")).count("1 &lt; 2")
    1
    """
    beside = f' <span style="opacity:.75">{text(note)}</span>' if note else ""
    return f'<div style="{_BOX}"><strong>{text(title)}</strong>{beside}{"".join(parts)}</div>'


def paragraph(sentence: str) -> str:
    """A sentence of its own."""
    return f'<div style="margin:.4em 0">{text(sentence)}</div>'
