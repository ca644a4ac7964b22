"""Folders of the catalog: their names, their locks, and errors of reading them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from barstack.core.errors import ConfigError, StorageError

WAIT_S = 60.0
_POLL_S = 0.01
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
# Windows opens devices under these names, whatever ending follows.
_DEVICE = re.compile(r"(CON|PRN|AUX|NUL|COM\d|LPT\d)(\.|$)", re.IGNORECASE)
_COLLECTION = re.compile(r"[a-z0-9]([a-z0-9._-]{0,78}[a-z0-9])?")
_LONGEST = 200  # bytes; file systems allow 255


def folder_of(symbol: str) -> str:
    """The folder of a symbol: capitals, digits, - _ and inner dots stay, all else is %XX.

    Small letters are escaped too, as some file systems do not distinguish `brk` from `BRK`.

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
    """`ConfigError` unless `name` is allowed as a folder on every file system."""
    if not _COLLECTION.fullmatch(name) or _DEVICE.match(name):
        raise ConfigError(
            f"{name!r} cannot be the name of a collection. Use up to 80 small letters, digits, "
            "and . _ - between them, such as us_equities_5m."
        )


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the lock on `file`, between processes and threads; `StorageError` after `WAIT_S`.

    The kernel releases it however its holder ends, kill -9 too. The file stays.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 (readers need no lock)

    lock = FileLock(
        file, timeout=WAIT_S, poll_interval=_POLL_S, thread_local=False, fallback_to_soft=False
    )
    try:
        lock.acquire()
    except Timeout:
        raise StorageError(
            f"Another process has been writing in {file.parent} for {WAIT_S:.0f} s. Wait for "
            "it, or end it; whatever it has not finished is not seen."
        ) from None
    except (OSError, NotImplementedError) as error:
        raise StorageError(
            f"Cannot lock {file}: {error}. Check that the folder may be written to and that "
            "its file system keeps locks, as local disks do."
        ) from error
    try:
        yield
    finally:
        lock.release()


def bytes_of(file: Path) -> bytes:
    """A file's content; FileNotFoundError where there is none, else `StorageError`."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise cannot_read(error) from error


def cannot_read(error: OSError) -> StorageError:
    """The error for a file that the system refuses to read."""
    return StorageError(
        f"Cannot read {error.filename}: {error.strerror}. Check that it is a file and may be read."
    )
