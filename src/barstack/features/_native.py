"""Compiled functions kept as machine code from one process to the next.

numba's own cache needs 0.5 s for its compiler and 4 ms for each function before anything runs,
machine code 0.1 ms for each. This uses numba's internals, so it is done for the versions of numba
it is tested with; with any other, `native` compiles in each process, the ordinary way.
"""

from __future__ import annotations

import ctypes
import hashlib
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
from numba.core import types

from barstack.core.errors import ConfigError
from barstack.core.installation import cache_folder

from ._formula import hash_of

TESTED = ("0.68.1",)  # versions of numba
KEPT = numba.__version__ in TESTED
# Options of functions that Python does not call in numba's way.
UNWRAPPED: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True} if KEPT else {}

# What code may need of the process beside mathematics: memory, which numba can give to any code,
# and Python, which only code that numba has compiled in this process can reach.
_MEMORY = "NRT_"
_PYTHON = ("Py", "_Py")
_LOCK = threading.Lock()
_DIGEST_BYTES = hashlib.sha256().digest_size


class Native:
    """Machine code of a function of arrays and integers, called without numba's dispatcher."""

    def __init__(self, address: int, kinds: tuple[Any, ...]) -> None:
        self.address = address
        self._kinds = [_kind(each) if isinstance(each, types.Array) else None for each in kinds]
        words = sum(5 + 2 * kind.ndim if isinstance(kind, types.Array) else 1 for kind in kinds)
        # numba's calling convention: pointers to the result and to an error, then the arguments.
        self._call = ctypes.CFUNCTYPE(
            ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * words
        )(address)

    def __call__(self, *arguments: Any) -> int:
        """The integer it returns. `TypeError` for arrays of other types than it is compiled for."""
        words: list[int] = []
        for each, kind in zip(arguments, self._kinds, strict=True):
            words += kind.words(each) if kind else (each,)
        result, error = ctypes.c_int64(), ctypes.c_void_p()
        if self._call(ctypes.addressof(result), ctypes.addressof(error), *words):
            raise error_at(error.value or 0)
        return result.value


def native(
    name: str, make: Callable[[], Any], kinds: tuple[Any, ...], content: Sequence[str]
) -> Callable[..., Any]:
    """A function compiled for arguments of these kinds, such as `numba.float64[::1]`.

    make     gives the function, decorated with `numba.njit(**UNWRAPPED)`, if it must be compiled
    content  everything its code depends on: the same content is the same code
    """
    if not KEPT:
        function = make()
        function.compile(kinds)
        return function  # type: ignore[no-any-return]
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
    # All other symbols become internal: two pieces of code may use one name for different things.
    for each in (*module.functions, *module.global_variables):
        if not each.is_declaration and each.name != symbol:
            each.linkage = "internal"
    module.get_function(symbol).name = entry
    code = _target_machine().emit_object(module)
    _write(path, code)
    return Native(_load(entry, code), kinds)


class _Raised(ctypes.Structure):
    """What numba leaves where compiled code raises: class and arguments, serialized."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("size", ctypes.c_int32),
        ("digest", ctypes.c_void_p),
        ("unwrap", ctypes.c_void_p),
        ("arguments", ctypes.c_int32),
    )


def error_at(address: int) -> Exception:
    """The error that compiled code raised and numba has put there."""
    from numba.core.serialize import _numba_unpickle  # noqa: PLC0415 (of tested versions only)

    raised = _Raised.from_address(address)
    if raised.unwrap:  # its arguments were computed in compiled code
        return RuntimeError("an error with computed arguments")
    data = ctypes.string_at(raised.data, raised.size)
    digest = ctypes.string_at(raised.digest, 20)
    kind, arguments, _ = _numba_unpickle(raised.data, data, digest)  # type: ignore[no-untyped-call]
    error: Exception = kind(*(arguments or ()))
    return error


class _ArrayKind:
    """The array type that code is compiled for: it would take any other without a check."""

    def __init__(self, kind: Any) -> None:
        self._dtype = numba.np.numpy_support.as_dtype(kind.dtype)
        self._ndim, self._contiguous = kind.ndim, kind.layout == "C"

    def words(self, array: Any) -> tuple[int, ...]:
        """As numba passes it: two owners, size, item size, address, shape, strides."""
        dtype, flags = array.dtype, array.flags
        fits = dtype == self._dtype and array.ndim == self._ndim and flags.aligned
        if not fits or (self._contiguous and not flags.c_contiguous):
            raise TypeError(f"An array of {self._ndim} axes of {self._dtype} is needed here.")
        return (0, 0, array.size, array.itemsize, array.ctypes.data, *array.shape, *array.strides)


_kind = cache(_ArrayKind)


def _load(entry: str, code: bytes) -> int:
    with _LOCK:
        if _MEMORY.encode() in code:
            from numba.core.registry import cpu_target  # noqa: PLC0415 (of tested versions only)
            from numba.core.runtime.nrt import rtsys  # noqa: PLC0415

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
    """Where code is kept: in `BARSTACK_CACHE` or the user's cache folder."""
    return cache_folder() / "kernels"


def _read(path: Path) -> bytes:
    """Code as it was written; nothing where there is none, or it is truncated."""
    if not path.exists():
        return b""
    content = path.read_bytes()
    digest, code = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return code if hashlib.sha256(code).digest() == digest else b""


def _write(path: Path, code: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
            file.write(hashlib.sha256(code).digest() + code)
        Path(file.name).replace(path)  # atomic, also with two processes at once
    except OSError as error:
        raise ConfigError(
            f"Cannot write compiled features to {path.parent}: {error}. "
            "Set BARSTACK_CACHE to a folder that can be written."
        ) from None
