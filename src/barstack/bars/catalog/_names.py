"""Names of folders: any symbol as a name that every file system keeps apart and allows."""

from __future__ import annotations

import re
from urllib.parse import unquote

from barstack.core.errors import ConfigError

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
# Windows opens devices under these names, whatever ending follows.
_DEVICE = re.compile(r"(CON|PRN|AUX|NUL|COM\d|LPT\d)(\.|$)", re.IGNORECASE)
_COLLECTION = re.compile(r"[a-z0-9]([a-z0-9._-]{0,78}[a-z0-9])?")
_LONGEST = 200  # bytes; file systems allow 255


def folder_of(symbol: str) -> str:
    """The folder of a symbol: capitals, digits, - _ and inner dots stay, all else is %XX.

    Small letters are escaped too, as some file systems cannot tell `brk` from `BRK`.

    >>> folder_of("BTC/USDT"), folder_of("RDS.B"), folder_of("..")
    ('BTC%2FUSDT', 'RDS.B', '%2E%2E')
    """
    if not isinstance(symbol, str) or not symbol or symbol != symbol.strip():
        raise ConfigError(
            f"{symbol!r} cannot be a symbol. Give a text that neither begins nor ends with a space."
        )
    letters = symbol.encode("utf-8", "surrogatepass")
    last = len(letters) - 1
    device = _DEVICE.match(symbol) is not None
    name = "".join(
        chr(letter)
        if letter in _PLAIN and not (letter == ord(".") and at in (0, last)) and (at or not device)
        else f"%{letter:02X}"
        for at, letter in enumerate(letters)
    )
    if len(name) > _LONGEST:
        raise ConfigError(f"Symbol {symbol[:40]!r}... is too long for a folder. Shorten it.")
    return name


def symbol_of(folder: str) -> str:
    """The symbol of a folder: inverse of `folder_of`.

    >>> symbol_of("BTC%2FUSDT")
    'BTC/USDT'
    """
    return unquote(folder, errors="surrogatepass")


def check_collection_name(name: str) -> None:
    """`ConfigError` unless `name` can be a folder everywhere as it stands."""
    if not _COLLECTION.fullmatch(name) or _DEVICE.match(name):
        raise ConfigError(
            f"{name!r} cannot be the name of a collection. Use up to 80 small letters, digits, "
            "and . _ - between them, such as us_equities_5m."
        )
