"""Text from outside: what it may hold, and how it is shown.

Control characters can move a terminal's cursor, hide part of a line or reverse its direction, so
none is accepted in a name, a title or a study, and where text is quoted that was not accepted, as
in an error, they are written out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_ALLOWED = "\n\t"
# Format characters that reorder or hide text: bidirectional controls and zero-width marks. Joiners
# (U+200C, U+200D) stay, as several scripts need them.
_REORDERING = frozenset("\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\ufeff"
                        "\u2066\u2067\u2068\u2069")  # fmt: skip


def forbidden_character(text: str, allowed: str = _ALLOWED) -> str | None:
    """The first character that no text may hold, as `U+001B`; None where there is none.

    allowed  control characters that are fine here; a name allows none

    >>> forbidden_character("SPY\\x1b[2J"), forbidden_character("Zürich")
    ('U+001B', None)
    """
    if text.isascii() and text.isprintable():
        return None
    for character in text:
        if _forbidden(character) and character not in allowed:
            return f"U+{ord(character):04X}"
    return None


def printable(text: str) -> str:
    """The text with every forbidden character written out, as terminals and pages may show it.

    >>> printable("SPY\\x1b[2J")
    'SPY\\\\x1b[2J'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode()
        if _forbidden(character) and character not in _ALLOWED
        else character
        for character in text
    )


def listed(items: Sequence[object], most: int) -> str:
    """The first `most` items, and how many more there are.

    >>> listed(["SPY", "QQQ", "IWM"], 2), listed(["SPY", "QQQ"], 2)
    ('SPY, QQQ and 1 more', 'SPY, QQQ')
    """
    shown = ", ".join(map(str, items[:most]))
    return f"{shown} and {len(items) - most:,} more" if len(items) > most else shown


def _forbidden(character: str) -> bool:
    # Cc controls, Cs lone surrogates, which no encoding can write, Zl and Zp line separators.
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _REORDERING
