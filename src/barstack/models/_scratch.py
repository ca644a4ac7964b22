"""A folder for what travels to worker processes, which outlives nobody for long."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

PREFIX = "barstack-training-"
_LOCK = "lock"
_SURE_S = 60.0  # whoever made a younger folder may be about to lock it


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder of the system's temporary ones that goes when the block ends.

    One whose process was killed meanwhile goes with the next call: the kernel has let go of its
    lock, which says more than a process's number, as containers that share the folder do not share
    those. On Windows it stays.
    """
    _sweep()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        folder = Path(name)
        with (folder / _LOCK).open("w") as lock:
            _taken(lock)
            yield folder


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        # Another process may sweep as well, and another user's folder is none of our business.
        with suppress(OSError):
            file = folder / _LOCK
            if time.time() - file.stat().st_mtime > _SURE_S:
                with file.open("r+") as lock:
                    if _taken(lock):
                        shutil.rmtree(folder, ignore_errors=True)


if sys.platform == "win32":

    def _taken(lock: IO[str]) -> bool:
        return False

else:
    import fcntl

    def _taken(lock: IO[str]) -> bool:
        """Whether the lock is ours now; never where the file system keeps no locks."""
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
