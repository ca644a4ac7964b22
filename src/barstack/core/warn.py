"""Warnings that point at the line of the user's own code, however deep inside they arise."""

from __future__ import annotations

import inspect
import warnings

_PACKAGE = __name__.partition(".")[0]


def warn(message: str) -> None:
    """Warn at the innermost line of the stack outside this package.

    Python shows a warning once for each line that it points at; at a fixed depth that line would
    be one of barstack's, and the second call with other bars would stay silent.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn("The last bar is missing.")
    >>> str(caught[0].message)
    'The last bar is missing.'
    """
    frame, level = inspect.currentframe(), 1
    while frame is not None and _is_inside(str(frame.f_globals.get("__name__"))):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def _is_inside(module: str) -> bool:
    return module == _PACKAGE or module.startswith(f"{_PACKAGE}.")
