"""Optional libraries, imported on first use, and the threads that a fit may use."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any

from barstack.core.errors import MissingPackageError

# Below this many rows a second thread costs more than it saves.
_ROWS_WORTH_THREADS = 20_000


def imported(module: str, library: str, extra: str) -> Any:
    """A module of an optional library; `MissingPackageError` names the extra that installs it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            f"This model needs {library}: pip install 'barstack[{extra}]' ({error})."
        ) from None


def scikit(module: str) -> Any:
    """A module of scikit-learn, such as `ensemble`."""
    return imported(f"sklearn.{module}", "scikit-learn", "classical")


def require_torch() -> None:
    """`MissingPackageError` unless PyTorch and safetensors can be imported."""
    for module in ("torch", "safetensors.torch"):
        imported(module, "PyTorch", "neural")


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_for(rows: int, threads: int) -> int:
    """Of so many threads, those worth using for this many training rows."""
    return 1 if rows < _ROWS_WORTH_THREADS else threads


@contextmanager
def openmp_threads(threads: int) -> Iterator[None]:
    """Limit the OpenMP threads that the calling thread starts, as scikit-learn's trees do."""
    with _thread_pools().limit(limits=threads, user_api="openmp"):
        yield


class _OneBlasThread:
    """The process's BLAS on one thread while any fit needs it so: sums depend on their number.

    The first of several fits at once sets the limit, and the last to end restores what was there.
    """

    def __init__(self) -> None:
        self._lock, self._users, self._limit = threading.Lock(), 0, ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if not self._users and (pools := _thread_pools()) is not None:
                self._limit.enter_context(pools.limit(limits=1, user_api="blas"))
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._limit.close()


one_blas_thread = _OneBlasThread()
_pools: list[Any] = []  # how many modules there were when loaded libraries were looked through


def _thread_pools() -> Any:
    """Controls of the thread pools of loaded libraries; None without threadpoolctl.

    It comes with scikit-learn. Looking for libraries takes milliseconds, so that it is done again
    only after more modules were imported.
    """
    if not _pools or _pools[0] != len(sys.modules):
        try:
            threadpoolctl = import_module("threadpoolctl")
        except ImportError:
            return None
        _pools[:] = len(sys.modules), threadpoolctl.ThreadpoolController()
    return _pools[1]
