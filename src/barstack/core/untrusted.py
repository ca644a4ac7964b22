"""Files that somebody else may have written: no link is followed, no size believed, no code run."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from .errors import ArtifactError

LARGEST_JSON = 32 * 2**20  # bytes
_MOST_ITEMS = 4_000_000  # numbers take 32 bytes each once they are parsed
_MOST_CONTAINERS = 400_000
_DEEPEST = 64
_MOST_DIGITS = 400  # of one number
_MOST_FILES = 100_000
_SPARSE_FROM = 64 * 2**20  # bytes
# Written so that a long text is passed over in one step, and takes no memory.
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
# A link or a pipe in a file's place is refused by the system itself, before anything is waited for.
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_FLAGS |= getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


@contextmanager
def opened(file: Path, most: int) -> Iterator[BinaryIO]:
    """A regular file of at most so many bytes; `ArtifactError` for a link, a device or more."""
    try:
        if file.is_symlink():  # where the system has no O_NOFOLLOW
            raise ArtifactError(_no_file(file))
        descriptor = os.open(file, _FLAGS)
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{file} cannot be read: {error}. Restore it from a copy, or run the study again."
        ) from None
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        os.close(descriptor)
        raise ArtifactError(_no_file(file) if not stat.S_ISDIR(facts.st_mode) else _folder(file))
    with os.fdopen(descriptor, "rb") as stream:
        if facts.st_size > most:
            raise ArtifactError(
                f"{file} has {facts.st_size:,} bytes and may have {most:,}. It is not what was "
                "saved. Restore it from a copy, or run the study again."
            )
        yield stream


def read_bytes(file: Path, most: int) -> bytes:
    """The bytes of a regular file, at most so many."""
    with opened(file, most) as stream:
        return stream.read(most)


def read_json(file: Path, most: int = LARGEST_JSON) -> Any:
    """JSON with finite numbers, names given once and text that can be printed.

    Its nesting and its number of items are counted before any of it is parsed: a few megabytes
    of brackets would otherwise become hundreds of megabytes of objects.
    """
    return parse_json(read_bytes(file, most), file)


def parse_json(data: bytes, file: Path) -> Any:
    """As `read_json`, of the bytes; `file` is where they are from."""
    try:
        _count(data)
        found = json.loads(
            data.decode(),
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_integer,
            object_pairs_hook=_named_once,
        )
        if b"\\ud" in data.lower():
            json.dumps(found, ensure_ascii=False).encode()  # half a character cannot be printed
    except (ValueError, RecursionError, MemoryError) as error:
        raise ArtifactError(
            f"{file} is not the JSON that was saved: {str(error)[:200]}. Restore it from a copy, "
            "or run the study again."
        ) from None
    return found


def plain_files(folder: Path) -> dict[str, int]:
    """Sizes of all files within, by name; `ArtifactError` for what is neither file nor folder.

    Links lead out of the folder, and to open a pipe is to wait for somebody to write to it. A
    large file that is mostly a hole takes memory that its writer never had to pay for.
    """
    found: dict[str, int] = {}
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                path = Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                    continue
                if not entry.is_file(follow_symlinks=False):
                    raise ArtifactError(_no_file(path))
                found[path.relative_to(folder).as_posix()] = entry.stat(
                    follow_symlinks=False
                ).st_size
                if len(found) > _MOST_FILES:
                    raise ArtifactError(
                        f"{folder} holds more than {_MOST_FILES:,} files. It is not an artifact."
                    )
    for name, size in found.items():
        if size >= _SPARSE_FROM:
            _refuse_holes(folder / name, size)
    return found


def _refuse_holes(file: Path, size: int) -> None:
    if not hasattr(os, "SEEK_DATA"):
        return
    with opened(file, size) as stream:
        descriptor, at, held = stream.fileno(), 0, 0
        while at < size:
            try:
                begins = os.lseek(descriptor, at, os.SEEK_DATA)
            except OSError:  # nothing but a hole is left
                break
            at = os.lseek(descriptor, begins, os.SEEK_HOLE)
            held += at - begins
    if 2 * held < size:
        raise ArtifactError(
            f"{file} is said to have {size:,} bytes and holds {held:,}. It is not what was saved. "
            "Restore it from a copy, or run the study again."
        )


def _count(data: bytes) -> None:
    if len(data) < 4096 and data.count(b"[") + data.count(b"{") <= _DEEPEST:
        return
    bare = _TEXT.sub(b'""', data)
    if bare.count(b",") > _MOST_ITEMS:
        raise ValueError(f"it lists more than {_MOST_ITEMS:,} items")
    if bare.count(b"[") + bare.count(b"{") > _MOST_CONTAINERS:
        raise ValueError(f"it has more than {_MOST_CONTAINERS:,} lists")
    depth = deepest = 0
    for bracket in re.finditer(rb"[\[\]{}]", bare):
        depth += 1 if bracket[0] in b"[{" else -1
        deepest = max(deepest, depth)
        if deepest > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} deep")


def _no_constant(name: str) -> Any:
    raise ValueError(f"it has a number {name}")


def _finite(text: str) -> float:
    number = float(text) if len(text) <= _MOST_DIGITS else float("inf")
    if abs(number) == float("inf"):
        raise ValueError(f"it has a number {text[:40]}")
    return number


def _integer(text: str) -> int:
    if len(text) > 19:
        raise ValueError(f"it has a number {text[:40]}")
    return int(text)


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it has a name twice")
    return found


def _folder(path: Path) -> str:
    return (
        f"{path} is a folder and should be a file. Restore it from a copy, or run the study again."
    )


def _no_file(path: Path) -> str:
    return (
        f"{path} is neither a file nor a folder, as all of an artifact is. Copy what it stands "
        "for to its place, or restore the artifact from a copy."
    )
