"""Files that are whole or absent, whatever interrupts the writing."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import ArtifactError, StorageError
from .untrusted import plain_files, read_json

_SEAL = "sealed.json"


@contextmanager
def new_folder(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """A scratch folder that becomes `path` when the block ends well.

    replace  whether what is at `path` by then gives way; otherwise it stays and the scratch
             folder goes, which is right where the name says the content

    On any error or interruption nothing of the scratch folder stays, and of two processes that
    write the same folder at once one wins, whole. Raises `StorageError` when the disk refuses.
    """
    scratch = _beside(path, "part")
    try:
        with _writing(path):
            scratch.mkdir(parents=True)
            yield scratch
            _move(scratch, path, replace)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def new_file(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """A scratch file that becomes `path` when the block ends well; errors as in `new_folder`.

    durable  whether to wait until the disk has it, name and all: it then outlasts a power cut
    """
    scratch = _beside(path, "part")
    try:
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield scratch
            if durable:
                _sync(scratch)
            scratch.replace(path)
            if durable:
                sync_folder(path.parent)
    finally:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, and wait until the disk has their names."""
    with _writing(path):
        missing = [each for each in (path, *path.parents) if not each.exists()]
        path.mkdir(parents=True, exist_ok=True)
        for each in reversed(missing):
            sync_folder(each.parent)


def sync_folder(path: Path) -> None:
    """Wait until the disk has the names that a folder holds."""
    if os.name != "nt":  # Windows does not open folders, and needs no such call
        _sync(path)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def is_scratch(path: Path) -> bool:
    """Whether this is what an interrupted `new_file` or `new_folder` could leave when killed."""
    return path.name.startswith(".") and path.suffix in (".part", ".old")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"Cannot write {path}: {error}. Check that the folder may be written to and that the "
            "disk has room; what was finished before is kept."
        ) from error


def _move(scratch: Path, path: Path, replace: bool) -> None:
    gone: list[Path] = []
    while not _renamed(scratch, path):
        if not replace:
            return
        gone.append(_beside(path, "old"))
        with suppress(FileNotFoundError):  # another process has just moved it away
            path.rename(gone[-1])
    for old in gone:
        shutil.rmtree(old, ignore_errors=True)


def _renamed(scratch: Path, path: Path) -> bool:
    """Whether it could be; not where a folder with files stands already."""
    try:
        scratch.rename(path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    return True


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.{ending}")


def seal(folder: Path) -> None:
    """Write down the SHA-256 of every file in a folder, for `check_seal`."""
    (folder / _SEAL).write_text(json.dumps(_hashes(folder), indent=1))


def check_seal(folder: Path) -> None:
    """`StorageError` unless the folder holds what it held when it was sealed."""
    try:
        sealed, found = read_json(folder / _SEAL), _hashes(folder)
        if not isinstance(sealed, dict):
            raise ArtifactError(f"{folder / _SEAL} lists no files.")
    except ArtifactError as error:
        raise StorageError(str(error)) from None
    for name in sorted(sealed.keys() | found.keys()):
        if sealed.get(name) != found.get(name):
            raise StorageError(f"{folder / name} is missing or not what was saved.")


def _hashes(folder: Path) -> dict[str, str]:
    names = sorted(plain_files(folder))
    return {name: sha256_of(folder / name) for name in names if Path(name).name != _SEAL}


def sha256_of(file: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
