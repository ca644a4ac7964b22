"""Optional libraries, imported on first use, and the threads that a fit may use."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
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


def threads_for(rows: int) -> int:
    """Threads worth using for this many training rows."""
    return 1 if rows < _ROWS_WORTH_THREADS else cores()


def bounded_threads(rows: int) -> AbstractContextManager[Any]:
    """Limit the threads of numpy and scikit-learn to what the rows are worth."""
    threadpoolctl = import_module("threadpoolctl")  # a dependency of scikit-learn
    limits: AbstractContextManager[Any] = threadpoolctl.threadpool_limits(threads_for(rows))
    return limits
