"""Compiled functions as bare machine code, kept in a folder from one process to the next.

numba's own cache takes a second to get its compiler ready, and 7 ms a function, where nothing is
to be compiled: the code alone is there in a tenth of a millisecond.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite  # type: ignore[import-untyped]
import llvmlite.binding as llvm  # type: ignore[import-untyped]
import numba
import platformdirs
from numba.core import types
from numba.core.registry import cpu_target
from numba.core.runtime.nrt import rtsys
from numba.core.serialize import _numba_unpickle

from barstack.core.errors import ConfigError

from ._formula import hash_of

# What code needs of the process beside mathematics. Memory numba can hand to any code; Python
# only to the code it has compiled itself.
_MEMORY = "NRT_"
_PYTHON = ("Py", "_Py")
# Nobody calls these functions from Python in numba's way.
UNWRAPPED: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

_LOCK = threading.Lock()
_DIGEST = hashlib.sha256().digest_size


class Native:
    """A compiled function of arrays and whole numbers, called without numba's help."""

    def __init__(self, address: int, kinds: tuple[Any, ...]) -> None:
        self.address = address
        self._kinds = [_kind(each) if isinstance(each, types.Array) else None for each in kinds]
        words = sum(5 + 2 * kind.ndim if isinstance(kind, types.Array) else 1 for kind in kinds)
        # numba's way to call: where to write the result, where to write an error, then arguments.
        self._call = ctypes.CFUNCTYPE(
            ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * words
        )(address)

    def __call__(self, *arguments: Any) -> int:
        """The whole number it returns. Arrays must be of the kinds it was compiled for."""
        words: list[int] = []
        for each, kind in zip(arguments, self._kinds, strict=True):
            words += kind.words(each) if kind else (each,)
        result, error = ctypes.c_int64(), ctypes.c_void_p()
        if self._call(ctypes.addressof(result), ctypes.addressof(error), *words):
            raise error_at(error.value or 0)
        return result.value


def native(
    name: str, make: Callable[[], Any], kinds: tuple[Any, ...], content: Sequence[str]
) -> Native:
    """The machine code of a function for arguments of these kinds, such as `numba.float64[::1]`.

    make     gives the function, decorated with `numba.njit(**UNWRAPPED)`, where it is not known
    content  all that its code follows from: the same content is the same code
    """
    key = hash_of([*content, repr(kinds), *_machine()])
    entry = f"{name}_{key}"
    path = _folder() / f"{entry}.o"
    code = _read(path)
    if code:
        return Native(_load(entry, code), kinds)
    function = make()
    function.compile(kinds)
    compiled = function.overloads[kinds]
    module = llvm.parse_assembly(function.inspect_llvm(kinds))
    symbol = compiled.fndesc.llvm_func_name
    used = [each.name for each in module.functions if each.is_declaration]
    if any(each.startswith(_PYTHON) for each in used):
        return Native(compiled.library.get_pointer_to_function(symbol), kinds)
    # What else it holds is its own: two pieces of code may use one name for different things.
    for each in (*module.functions, *module.global_variables):
        if not each.is_declaration and each.name != symbol:
            each.linkage = "internal"
    module.get_function(symbol).name = entry
    code = _target_machine().emit_object(module)
    _write(path, code)
    return Native(_load(entry, code), kinds)


class _Raised(ctypes.Structure):
    """What numba leaves where compiled code raises: class and arguments, in its own writing."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("size", ctypes.c_int32),
        ("digest", ctypes.c_void_p),
        ("unwrap", ctypes.c_void_p),
        ("arguments", ctypes.c_int32),
    )


def error_at(address: int) -> Exception:
    """The error that compiled code raised and numba has put there."""
    raised = _Raised.from_address(address)
    if raised.unwrap:  # its arguments were worked out in compiled code
        return RuntimeError("an error with arguments that are worked out")
    data = ctypes.string_at(raised.data, raised.size)
    digest = ctypes.string_at(raised.digest, 20)
    kind, arguments, _ = _numba_unpickle(raised.data, data, digest)  # type: ignore[no-untyped-call]
    error: Exception = kind(*(arguments or ()))
    return error


class _ArrayKind:
    """What code expects of an array: it would take any other for that without a word."""

    def __init__(self, kind: Any) -> None:
        self._dtype = numba.np.numpy_support.as_dtype(kind.dtype)
        self._ndim, self._in_one_piece = kind.ndim, kind.layout == "C"

    def words(self, array: Any) -> tuple[int, ...]:
        """As numba hands it on: two owners, size, size of an item, place, shape, strides."""
        dtype, flags = array.dtype, array.flags
        fits = dtype == self._dtype and array.ndim == self._ndim and flags.aligned
        if not fits or (self._in_one_piece and not flags.c_contiguous):
            raise TypeError(f"An array of {self._ndim} axes of {self._dtype} is needed here.")
        return (0, 0, array.size, array.itemsize, array.ctypes.data, *array.shape, *array.strides)


_kind = cache(_ArrayKind)


def _load(entry: str, code: bytes) -> int:
    with _LOCK:
        if _MEMORY.encode() in code:
            rtsys.initialize(cpu_target.target_context)
        engine = _engine()
        address = engine.get_function_address(entry)
        if not address:
            engine.add_object_file(llvm.ObjectFileRef.from_data(code))
            engine.finalize_object()
            address = engine.get_function_address(entry)
        return int(address)


@cache
def _target_machine() -> Any:
    # As numba sets it up: code for this very processor, at a fixed place in memory.
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="static" if target.name.startswith("x86") else "default",
        codemodel="jitdefault",
        jit=True,
    )


@cache
def _engine() -> Any:
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())


@cache
def _machine() -> tuple[str, ...]:
    """What code depends on beside its source."""
    return (
        numba.__version__,
        llvmlite.__version__,
        platform.python_version(),
        llvm.get_process_triple(),
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
    )


def _folder() -> Path:
    """Where code is kept: in the user's cache folder or `BARSTACK_CACHE`."""
    return Path(os.environ.get("BARSTACK_CACHE") or _users_folder()) / "kernels"


@cache
def _users_folder() -> Path:
    return platformdirs.user_cache_path("barstack")


def _read(path: Path) -> bytes:
    """Code as it was written; nothing where there is none, or it was cut short."""
    if not path.exists():
        return b""
    digest, code = path.read_bytes()[:_DIGEST], path.read_bytes()[_DIGEST:]
    return code if hashlib.sha256(code).digest() == digest else b""


def _write(path: Path, code: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
            file.write(hashlib.sha256(code).digest() + code)
        Path(file.name).replace(path)  # whole or not at all, also with two processes at once
    except OSError as error:
        raise ConfigError(
            f"Cannot write compiled features to {path.parent}: {error}. "
            "Set BARSTACK_CACHE to a folder that can be written."
        ) from None
