"""Learned arrays in numpy's own format, checked before they are used."""

from __future__ import annotations

import math
import os
import struct
import tokenize
import zipfile
import zlib
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from barstack.core.arrays import Array, Floats
from barstack.core.errors import ArtifactError, StorageError
from barstack.core.files import check_seal, seal
from barstack.core.forecast import Target
from barstack.core.untrusted import opened, read_json

# Beyond any weight, threshold or feature that training gives; sums of products stay finite.
_LARGEST = 1e100
_LONGEST_HEADER = 4_096
_LARGEST_FILE = 2**30
_AT_ONCE = 2**20  # bytes
_MOST_ARRAYS = 10_000
_END = struct.Struct("<4s4H2LH")  # the end of a zip archive, without a comment
_LOCATOR = 20  # bytes before it, of archives beyond 4 GB
_ROUNDING = 1e-6  # of probabilities
_LONGEST_LIST = 65_536  # bytes of a short list of numbers
_UNREADABLE = (
    *(OSError, ValueError, KeyError, EOFError, RuntimeError, SyntaxError, TypeError),
    *(MemoryError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)


def write_arrays(file: Path, **arrays: npt.ArrayLike) -> None:
    """Write arrays of numbers, for `read_arrays`."""
    np.savez(file, allow_pickle=False, **{name: np.asarray(each) for name, each in arrays.items()})


def read_arrays(file: Path, **kinds: str) -> dict[str, Array]:
    """The arrays of a file, once their types, shapes and values are checked.

    Shapes are compared with the file's size before memory is allocated, numbers must be finite, and
    nothing but numbers is read.

    Parameters
    ----------
    kinds : str
        Type and, after a space, dimensions of each array: a name stands for one length throughout,
        a number for itself.

    Raises
    ------
    ArtifactError
        Where the file holds anything else.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_arrays(Path(folder) / "one.npz", weights=np.zeros((3, 2)), intercept=np.ones(2))
    ...     kinds = {"weights": "float64 features,outputs", "intercept": "float64 outputs"}
    ...     read_arrays(Path(folder) / "one.npz", **kinds)["intercept"]
    array([1., 1.])
    """
    try:
        with opened(file, _LARGEST_FILE) as stream, _archive(stream) as archive:
            if sorted(archive.namelist()) != sorted(f"{name}.npy" for name in kinds):
                raise damaged(file, f"it holds {', '.join(archive.namelist())}"[:200])
            arrays = {name: _array(archive, f"{name}.npy") for name in kinds}
    except _UNREADABLE as error:
        raise damaged(file, repr(error)[:200]) from None
    lengths: dict[str, int] = {}
    for name, kind in kinds.items():
        _check(file, name, arrays[name], kind, lengths)
    return arrays


def damaged(file: Path, why: str) -> ArtifactError:
    """What to raise for a file that does not hold what it should."""
    return ArtifactError(
        f"{file} does not hold what a model learned: {why}. Restore it from a copy, or run the "
        "study again."
    )


def require(file: Path, fine: bool | np.bool_, why: str) -> None:
    """`ArtifactError` unless all is fine."""
    if not fine:
        raise damaged(file, why)


def read_numbers(file: Path, count: int) -> tuple[float, ...]:
    """A short JSON list of so many finite numbers."""
    numbers = read_json(file, _LONGEST_LIST)
    fine = isinstance(numbers, list) and all(type(each) in (int, float) for each in numbers)
    require(file, fine, "it is not a list of numbers")
    read = tuple(float(each) for each in numbers)
    require(file, len(read) == count, f"it has {len(read)} numbers, not {count}")
    require(file, all(abs(each) < _LARGEST for each in read), "a number is too large")
    return read


def require_forecasts(file: Path, values: Array, target: Target) -> None:
    """`ArtifactError` unless numbers are valid for the target: probabilities, or quantiles.

    values  (..., n_outputs)
    """
    if target.levels:
        require(file, (np.diff(values, axis=-1) >= 0.0).all(), "its quantiles decrease")
    if target.n_classes:
        inside = ((values >= -_ROUNDING) & (values <= 1.0 + _ROUNDING)).all()
        require(file, inside, "a probability is not within 0 and 1")
    if target.n_classes and len(target.outputs) > 1:
        whole = (np.abs(values.sum(axis=-1) - 1.0) <= _ROUNDING).all()
        require(file, whole, "probabilities do not add up to 1")


def check_width(n_features: int, X: Floats) -> None:
    """`ArtifactError` where features are not as many as the model was trained on."""
    if X.shape[1] != n_features:
        raise ArtifactError(
            f"A model that was trained on {n_features} features is given {X.shape[1]}: its "
            "files are not of one training. Restore them from a copy, or run the study again."
        )


def seal_files(folder: Path) -> None:
    """Write down the hash of every file in a folder, for `check_files`."""
    seal(folder)


def check_files(folder: Path) -> None:
    """`ArtifactError` unless every file is as it was sealed: for what other libraries parse."""
    try:
        check_seal(folder)
    except StorageError as error:
        raise damaged(folder, str(error)) from None


def _archive(stream: BinaryIO) -> zipfile.ZipFile:
    """An archive whose table of contents is short and whose parts do not overlap."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(size - _LOCATOR - _END.size, 0))
    tail = stream.read()
    mark, _, _, _, entries, length, _, comment = _END.unpack(tail[-_END.size :])
    if mark != b"PK\5\6" or comment or tail.startswith(b"PK\6\7"):
        raise ValueError("it is no archive of arrays")
    if entries > _MOST_ARRAYS or length > _MOST_ARRAYS * _LONGEST_HEADER:
        raise ValueError(f"it lists {entries} arrays in {length} bytes")
    stream.seek(0)
    archive = zipfile.ZipFile(stream)
    if any(each.compress_type != zipfile.ZIP_STORED for each in archive.infolist()):
        raise ValueError("it is compressed")
    if sum(each.file_size for each in archive.infolist()) > size:
        raise ValueError("its parts are larger than all of it")
    return archive


def _array(archive: zipfile.ZipFile, name: str) -> Array:
    """One array; `ValueError` when its header asks for more, or for less, than there is."""
    info = archive.getinfo(name)
    if info.file_size != info.compress_size:
        raise ValueError(f"{name} is compressed")
    with archive.open(info) as stream:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError(f"{name} is of another format")
        shape, by_column, dtype = np.lib.format.read_array_header_1_0(
            cast(BufferedReader, stream), _LONGEST_HEADER
        )
        if dtype.kind not in "fi" or not dtype.isnative:
            raise ValueError(f"{name} is of type {dtype}")
        if any(length < 0 for length in shape):
            raise ValueError(f"{name} has shape {shape}")
        size = math.prod(shape) * dtype.itemsize
        left = info.file_size - stream.tell()
        if size != left:
            raise ValueError(f"{name} has shape {shape} and {left} bytes")
        values = np.empty(shape, dtype, order="F" if by_column else "C")
        filled = values.reshape(-1, order="A").view(np.uint8) if size else np.empty(0, np.uint8)
        for at in range(0, size, _AT_ONCE):
            part = stream.read(min(_AT_ONCE, size - at))
            filled[at : at + len(part)] = np.frombuffer(part, np.uint8)
        stream.read(1)  # reaches the end, where the checksum is compared
    return np.ascontiguousarray(values)


def _check(file: Path, name: str, array: Array, kind: str, lengths: dict[str, int]) -> None:
    dtype, _, dimensions = kind.partition(" ")
    expected = dimensions.split(",")
    fits = array.dtype == dtype and array.ndim == len(expected)
    for length, dimension in zip(array.shape, expected, strict=False):
        wanted = int(dimension) if dimension.isdigit() else lengths.setdefault(dimension, length)
        fits = fits and length == wanted
    what = f"{name} is {array.dtype} {array.shape}, not {dtype} ({dimensions})"
    require(file, fits, what)
    if array.dtype.kind == "f" and array.size:
        # A comparison with NaN is false.
        require(file, bool((np.abs(array) < _LARGEST).all()), f"{name} holds what is not finite")
