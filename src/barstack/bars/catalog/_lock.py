"""One writer at a time. The kernel lets go of the lock however its holder ends, kill -9 too."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from barstack.core.errors import StorageError

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
