"""What is learned, as plain arrays: written in numpy's own format, checked before it is used."""

from __future__ import annotations

import json
import math
import struct
import tokenize
import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from barstack.core.errors import ArtifactError, StorageError
from barstack.core.files import check_seal, seal

Array = npt.NDArray[Any]

# Beyond any weight, threshold or feature that training gives; sums of products stay finite.
_LARGEST = 1e100
_LONGEST_HEADER = 4_096
_UNREADABLE = (
    *(OSError, ValueError, KeyError, EOFError, RuntimeError, SyntaxError, TypeError),
    *(MemoryError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)


def write_arrays(file: Path, **arrays: npt.ArrayLike) -> None:
    """Write arrays of numbers, for `read_arrays`."""
    np.savez(file, allow_pickle=False, **{name: np.asarray(each) for name, each in arrays.items()})


def read_arrays(file: Path, **kinds: str) -> dict[str, Array]:
    """The arrays of a file, once their types, sizes and values are what `kinds` says.

    kinds  the type and, after a space, the dimensions of each: a name stands for one length
           throughout, a number for itself

    Sizes are compared with the bytes that are there before memory is taken for them, numbers must
    be finite, and nothing but numbers is read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_arrays(Path(folder) / "one.npz", weights=np.zeros((3, 2)), intercept=np.ones(2))
    ...     kinds = {"weights": "float64 features,outputs", "intercept": "float64 outputs"}
    ...     read_arrays(Path(folder) / "one.npz", **kinds)["intercept"]
    array([1., 1.])
    """
    try:
        with zipfile.ZipFile(file) as archive:
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
    try:
        numbers = json.loads(file.read_bytes()[:_LONGEST_HEADER])
        read = tuple(float(each) for each in numbers)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise damaged(file, repr(error)[:200]) from None
    require(file, len(read) == count, f"it has {len(read)} numbers, not {count}")
    require(file, all(abs(each) < _LARGEST for each in read), "a number is not finite")
    return read


def seal_files(folder: Path) -> None:
    """Write down the hash of every file in a folder, for `check_files`."""
    seal(folder)


def check_files(folder: Path) -> None:
    """`ArtifactError` unless every file is as it was sealed: for what other libraries parse."""
    try:
        check_seal(folder)
    except (StorageError, AttributeError, TypeError, RecursionError) as error:
        raise damaged(folder, str(error)) from None


def _array(archive: zipfile.ZipFile, name: str) -> Array:
    """One array; `ValueError` when its header asks for more, or for less, than there is."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise ValueError(f"{name} is compressed")
    stream = BytesIO(archive.read(info))
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} is of another format")
    shape, by_column, dtype = np.lib.format.read_array_header_1_0(stream, _LONGEST_HEADER)
    if dtype.kind not in "fi" or not dtype.isnative:
        raise ValueError(f"{name} is of type {dtype}")
    if any(length < 0 for length in shape):
        raise ValueError(f"{name} has shape {shape}")
    data = stream.read()
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{name} has shape {shape} and {len(data)} bytes")
    values = np.frombuffer(data, dtype)
    return values.reshape(shape, order="F" if by_column else "C").copy(order="C")


def _check(file: Path, name: str, array: Array, kind: str, lengths: dict[str, int]) -> None:
    dtype, _, dimensions = kind.partition(" ")
    asked = dimensions.split(",")
    fits = array.dtype == dtype and array.ndim == len(asked)
    for length, dimension in zip(array.shape, asked, strict=False):
        wanted = int(dimension) if dimension.isdigit() else lengths.setdefault(dimension, length)
        fits = fits and length == wanted
    what = f"{name} is {array.dtype} {array.shape}, not {dtype} ({dimensions})"
    require(file, fits, what)
    if array.dtype.kind == "f" and array.size:
        # A comparison with NaN is false.
        require(file, bool((np.abs(array) < _LARGEST).all()), f"{name} holds what is not finite")
