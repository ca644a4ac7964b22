"""Sessions of exchange calendars, kept from one process to the next.

Building a calendar takes half a second, after a second for importing pandas and the calendars; the
arrays that come of it are read in a millisecond.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from barstack.core.arrays import Ints
from barstack.core.errors import ArtifactError, StorageError
from barstack.core.files import new_file
from barstack.core.installation import cache_folder
from barstack.core.times import DAY_US
from barstack.core.untrusted import parse_json, read_bytes

Arrays = tuple[Ints, str]  # day, open and close, (3, n_sessions), and the market's time zone

_FORMAT = 1
_PACKAGES = ("exchange_calendars", "pandas", "tzdata")
_CALENDARS = "exchange_calendars"
_LARGEST = 4 * 2**20  # bytes
_KEPT_S = 30 * 86_400  # calendars reach a year ahead of the day on which they are built
_LONGEST_US = 2 * DAY_US


def kept(calendar: str, early: bool, build: Callable[[], Arrays]) -> Arrays:
    """What `build` returns for a calendar, read from the user's cache folder where it lies there.

    A file counts for a month, for the versions of the packages it was built with, and where its
    digest and its times are right; otherwise the calendar is built again. In a process that has
    imported the calendars nothing is read or kept, as it may have registered others under the same
    names. Nor is anything kept where the folder cannot be written.
    """
    if _CALENDARS in sys.modules:
        return build()
    file = _file(calendar, early)
    if (found := _read(file)) is not None:
        return found
    arrays = build()
    with suppress(OSError, StorageError):
        _write(file, arrays)
    return arrays


def _file(calendar: str, early: bool) -> Path:
    """In `BARSTACK_CACHE` or the user's cache folder."""
    key = json.dumps([_FORMAT, calendar, early, *map(_version, _PACKAGES)])
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return cache_folder() / "sessions" / digest


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _write(file: Path, arrays: Arrays) -> None:
    times, zone = arrays
    content = times.astype("<i8").tobytes()
    about = {"zone": zone, "built": int(time.time()), "sha256": _digest(zone, content)}
    with new_file(file) as scratch:
        scratch.write_bytes(json.dumps(about).encode() + b"\n" + content)


def _read(file: Path) -> Arrays | None:
    """What a file holds; None where there is none, or it cannot be used."""
    try:
        if not file.exists():
            return None
        head, _, content = read_bytes(file, _LARGEST).partition(b"\n")
        about = parse_json(head, file)
        ZoneInfo(str(about["zone"]))  # raises where there is none
        zone, age = str(about["zone"]), time.time() - int(about["built"])
        if about["sha256"] != _digest(zone, content) or not 0 <= age < _KEPT_S:
            return None
        times = np.frombuffer(content, "<i8").astype(np.int64).reshape(3, -1)
    except (OSError, ArtifactError, ValueError, KeyError, TypeError):
        return None
    return (times, zone) if _plausible(times) else None


def _digest(zone: str, content: bytes) -> str:
    return hashlib.sha256(f"{zone}\0".encode() + content).hexdigest()


def _plausible(times: Ints) -> bool:
    """Whether sessions follow one another, each near the day that it belongs to."""
    day, begins, ends = times
    return bool(
        day.size
        and (np.diff(day) > 0).all()
        and (begins < ends).all()
        and (begins[1:] >= ends[:-1]).all()
        and (np.abs(begins - day * DAY_US) < _LONGEST_US).all()
        and (np.abs(ends - day * DAY_US) < _LONGEST_US).all()
    )
