"""What to say where the system refuses to read."""

from __future__ import annotations

from pathlib import Path

from barstack.core.errors import StorageError


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
