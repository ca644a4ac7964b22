"""Files that are opened while something is fitted: what they hold the audit cannot alter."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Code, the system's own files and installed packages hold no bars.
_CODE = (".py", ".pyc", ".pyi", ".so", ".pyd", ".dll", ".dylib", ".nbi", ".nbc")
_SYSTEM = ("/proc", "/sys", "/dev", "/etc", "/usr", "/lib")
_watching: list[_Watch] = []
_hooked: list[bool] = []


class _Watch:
    """What one stretch of work opened."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.written: set[str] = set()

    def note(self, event: str, args: tuple[Any, ...]) -> None:
        if event != "open":
            self.read.append(str(args[0] if event != "socket.connect" else args[1]))
            return
        path, mode, flags = args
        if not isinstance(path, str | bytes | os.PathLike):
            return  # a descriptor that is open already
        name = os.path.abspath(os.fsdecode(path))
        writes = any(letter in mode for letter in "wax") if isinstance(mode, str) else False
        if writes or (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_CREAT)):
            self.written.add(name)
        elif name not in self.written and not _innocent(name) and name not in self.read:
            self.read.append(name)


@contextmanager
def files_read() -> Iterator[list[str]]:
    """The paths of data files that are opened within, and addresses that are connected to.

    Files that were written within, code and what is installed do not count; nor does what a
    library opens beside Python, as some readers of Parquet do.
    """
    if not _hooked:
        sys.addaudithook(_hook)  # which cannot be taken back, and costs nothing while unused
        _hooked.append(True)
    watch = _Watch()
    _watching.append(watch)
    try:
        yield watch.read
    finally:
        _watching.remove(watch)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _watching and event in ("open", "sqlite3.connect", "socket.connect"):
        for watch in _watching:
            watch.note(event, args)


def _innocent(name: str) -> bool:
    if name.endswith(_CODE) or Path(name).is_dir():
        return True
    roots = (sys.prefix, sys.base_prefix, str(Path(__file__).parents[3]))
    installed = ("site-packages", "dist-packages")
    within = any(_inside(name, root) for root in (*_SYSTEM, *roots))
    return within or any(each in Path(name).parts for each in installed)


def _inside(name: str, root: str) -> bool:
    return name == root or name.startswith(root.rstrip(os.sep) + os.sep)
