"""Where scikit-learn is imported: on first use, as it takes a second and is optional."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

from barstack.core.errors import MissingPackageError

from ._workers import cores

# Below this many rows a second thread costs more than it brings.
_ROWS_WORTH_THREADS = 20_000


def scikit(module: str) -> Any:
    """A module of scikit-learn by its name, or `MissingPackageError` that says how to get it."""
    try:
        return import_module(f"sklearn.{module}")
    except ImportError as error:
        raise MissingPackageError(
            f"This model needs scikit-learn: pip install 'barstack[classical]' ({error})."
        ) from None


def threads_for(rows: int) -> int:
    """Threads worth using for this many training rows."""
    return 1 if rows < _ROWS_WORTH_THREADS else cores()


def bounded_threads(rows: int) -> AbstractContextManager[Any]:
    """A stretch in which numpy's and scikit-learn's own threads are as many as rows are worth."""
    threadpoolctl = import_module("threadpoolctl")  # which comes with scikit-learn
    limits: AbstractContextManager[Any] = threadpoolctl.threadpool_limits(threads_for(rows))
    return limits
