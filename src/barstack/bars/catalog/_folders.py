"""Folders of the catalog: their names, their locks, and errors of reading them."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from barstack.core.errors import ConfigError, StorageError

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


WAIT_S = 60.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.001, 0.02


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the lock that `file` stands for; `StorageError` after `WAIT_S` of waiting in vain.

    It holds between processes and between threads. The file stays: were it removed, two
    processes could each hold a lock on a file of that name.
    """
    opened = -1
    try:
        try:
            opened = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
            _wait(opened, file)
        except OSError as error:
            raise StorageError(
                f"Cannot lock {file}: {error}. Check that the folder may be written to and that "
                "its file system keeps locks, as local disks do."
            ) from error
        yield
    finally:
        if opened >= 0:
            os.close(opened)  # this unlocks it


def _wait(opened: int, file: Path) -> None:
    give_up_at = time.monotonic() + WAIT_S
    pause_s = _FIRST_PAUSE_S
    while not _taken(opened):
        if time.monotonic() > give_up_at:
            raise StorageError(
                f"Another process has been writing in {file.parent} for {WAIT_S:.0f} s. Wait for "
                "it, or end it; whatever it has not finished is not seen."
            )
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


if sys.platform == "win32":
    import msvcrt

    def _taken(opened: int) -> bool:
        try:
            msvcrt.locking(opened, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _taken(opened: int) -> bool:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def bytes_of(file: Path) -> bytes:
    """A file's content; FileNotFoundError where there is none, else `StorageError`."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise cannot_read(error) from error


def cannot_read(error: OSError) -> StorageError:
    """The sentence: which file, and why."""
    return StorageError(
        f"Cannot read {error.filename}: {error.strerror}. Check that it is a file and may be read."
    )
