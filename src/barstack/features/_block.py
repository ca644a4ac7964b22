"""The compiled part of the engine: a block of bars through `view` and all loops, into the table.

A block is small enough to stay in the processor's cache. Loops are called by the address of their
code, without Python and its lock in between: with one call from Python for each, two threads are
hardly faster than one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import njit
from numba.core import types
from numba.extending import intrinsic

from barstack.bars import BAR, aggregate

from ._formula import code_of, python_function
from ._native import UNWRAPPED, native
from ._view import REAL, WHOLE, view
from .pieces.rolling import COMPILED

BLOCK_BARS = 1000
_N_WHOLE, _N_REAL = len(WHOLE), len(REAL)

_BARS, _ROWS = numba.from_dtype(BAR)[::1], numba.int64[::1]
_FLOATS, _TABLE, _PART = numba.float64[::1], numba.float64[:, ::1], numba.float64[:, :]


@intrinsic
def _call(typing: Any, code: Any, state: Any, whole: Any, real: Any, out: Any, params: Any) -> Any:
    """Call the loop at address `code`; the address of the error it raised, or 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args[1:]
        shape = context.call_conv.get_function_type(types.none, kinds)
        function = builder.inttoptr(arguments[0], shape.as_pointer())
        status, _ = context.call_conv.call_function(
            builder, function, types.none, kinds, arguments[1:]
        )
        raised = builder.ptrtoint(status.excinfoptr, context.get_value_type(types.intp))
        return builder.select(status.is_error, raised, raised.type(0))

    return types.intp(code, state, whole, real, out, params), generate


@njit(**COMPILED)  # type: ignore[untyped-decorator]
def _put(values: Any, columns: Any, out: Any) -> None:
    """`out[:, columns] = values.T`, while both are in the processor's cache."""
    for row in range(len(out)):
        for place in range(len(columns)):
            out[row, columns[place]] = values[place, row]


def _update(
    last: Any,
    records: Any,
    market: Any,
    code: Any,
    borders: Any,
    memory: Any,
    params: Any,
    columns: Any,
    out: Any,
    raising: Any,
) -> int:
    """Write `columns` of `out`, one for each loop; 0, or the address of the error of a loop.

    last     state of `view`
    code     (n,) addresses of the loops
    borders  (n + 1,) of the loops' states in `memory`
    params   (n, most parameters of any)
    raising  (1,) receives the number of the loop that raised
    """
    longest = min(len(records), BLOCK_BARS)
    whole, real = np.empty((_N_WHOLE, longest), np.int64), np.empty((_N_REAL, longest))
    values = np.empty((len(code), longest))
    for start in range(0, len(records), BLOCK_BARS):
        n_bars = min(len(records) - start, BLOCK_BARS)
        view(last, records[start : start + n_bars], market[start : start + n_bars], whole, real)
        for place in range(len(code)):
            state = memory[borders[place] : borders[place + 1]]
            value = values[place][:n_bars]
            raised: Any = _call(  # type: ignore[call-arg]
                code[place], state, whole, real, value, params[place]
            )
            if raised != 0:
                raising[0] = place
                return raised
        _put(values, columns, out[start : start + n_bars])
    return 0


_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "aggregate": (aggregate, (_BARS, _BARS, numba.int64, _BARS, _ROWS)),
    "update": (
        _update,
        (_FLOATS, _BARS, _TABLE, _ROWS, _ROWS, _FLOATS, _TABLE, _ROWS, _PART, _ROWS),
    ),
}


@cache
def compiled(name: str) -> Callable[..., Any]:
    """Compiled `aggregate` or `_update`, by name."""
    function, kinds = _FUNCTIONS[name]
    uses = (aggregate,) if name == "aggregate" else (view,)
    content = [text for each in uses for text in code_of(name, each)]
    return native(
        name,
        lambda: njit(error_model="numpy", **UNWRAPPED)(python_function(function)),
        kinds,
        [*content, Path(__file__).read_text()],
    )
