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

from .errors import ArtifactError, BarstackError, StorageError
from .untrusted import plain_files, read_json

try:
    import fcntl
except ImportError:  # Windows: what killed writers left stays until somebody deletes it
    fcntl = None  # type: ignore[assignment]

_SEAL = "sealed.json"


@contextmanager
def new_folder(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """A scratch folder that becomes `path` when the block ends well.

    replace  whether what is at `path` by then gives way; otherwise it stays and the scratch
             folder goes, which is right where the name says the content

    On any error or interruption nothing of the scratch folder stays, and what a killed process
    left goes with the next writer of the same path. Of two processes that write the same folder
    at once one wins, whole. Raises `StorageError` when the disk refuses.
    """
    with _writing(path), _scratch_folder(path) as scratch:
        yield scratch
        _move(scratch, path, replace)


@contextmanager
def new_file(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """A scratch file that becomes `path` when the block ends well; errors as in `new_folder`.

    durable  whether to wait until the disk has it, name and all: it then outlasts a power cut
    """
    with _writing(path), _scratch_folder(path) as folder:
        scratch = folder / path.name
        yield scratch
        if durable:
            _sync(scratch)
        scratch.replace(path)
        if durable:
            sync_folder(path.parent)


@contextmanager
def _scratch_folder(path: Path) -> Iterator[Path]:
    """A locked folder beside `path` that is gone afterwards, unless it has been renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep_scratch(path.parent, path.name)
    scratch, lock = _locked_folder(path)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _locked_folder(path: Path) -> tuple[Path, int | None]:
    """A new folder, and the lock on it that ends with this process, however it ends."""
    while True:
        scratch = _beside(path, "part")
        scratch.mkdir()
        if fcntl is None:
            return scratch, None
        with suppress(FileNotFoundError):  # swept by another process before it was locked
            lock = os.open(scratch, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if scratch.exists():
                return scratch, lock
            os.close(lock)


def sweep_scratch(folder: Path, name: str = "") -> None:
    """Remove what killed writers of `name`, or of any name, left in a folder.

    A scratch folder whose writer lives is locked, and stays.
    """
    for left in folder.iterdir():
        if is_scratch(left) and left.name.startswith(f".{name}" + ("." if name else "")):
            _remove_abandoned(left)


def _remove_abandoned(left: Path) -> None:
    if fcntl is None:  # without locks nobody knows whether its writer lives
        return
    with suppress(OSError):  # locked, or just gone
        opened = os.open(left, os.O_RDONLY)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink()
        finally:
            os.close(opened)


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
    except Exception as error:
        # Libraries compiled from Rust raise errors of their own for what the system refuses.
        refused = isinstance(error, OSError) or "(os error " in str(error)
        if isinstance(error, BarstackError) or not refused:
            raise
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
