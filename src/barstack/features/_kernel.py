"""Feature kernels: one small function a feature, compiled once, run over history and live alike."""

from __future__ import annotations

import ast
import dis
import hashlib
import inspect
import math
import os
import tempfile
import textwrap
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numba
import numpy as np
import platformdirs

from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.registry import Registry

from ._rolling import piece
from ._view import FIELDS, REAL, WHOLE

Step = Callable[..., float]
Size = int | Callable[..., int]


@dataclass(frozen=True, eq=False)
class Kernel:
    """A registered feature: `step(state, bar, *params) -> value` and what is promised of it.

    state   (memory,) float64, zeros before the first bar, kept between calls
    bar     what it sees of the newest bar: `FIELDS`
    value   float; NaN in the first `warmup` bars, or before `sessions` whole sessions have gone
            by where that is later, and never after; infinite never
    """

    name: str
    group: str
    step: Step
    params: dict[str, int | float]
    memory: Size
    warmup: Size
    unit: str
    low: float
    high: float
    scale_free: bool  # multiplying all prices by a constant changes nothing
    about: str  # the formula first, then what to know
    sessions: Size = 0
    source: str = ""  # paper or book

    def memory_for(self, params: tuple[int | float, ...]) -> int:
        """Floats of state that `step` needs for these parameters."""
        return self.memory if isinstance(self.memory, int) else int(self.memory(*params))

    def warmup_for(self, params: tuple[int | float, ...]) -> int:
        """Bars before the first value for these parameters."""
        return self.warmup if isinstance(self.warmup, int) else int(self.warmup(*params))

    def sessions_for(self, params: tuple[int | float, ...]) -> int:
        """Sessions that must have ended before the first value for these parameters."""
        return self.sessions if isinstance(self.sessions, int) else int(self.sessions(*params))

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """What of the bar the formula reads."""
        return _fields_read(_python_function(self.step))

    @property
    def origin(self) -> str:
        """Where the function was written."""
        return f"{self.step.__module__}.{self.name}"

    @cached_property
    def code_id(self) -> str:
        """Hash of the formula: of `step` and every function and constant it uses."""
        parts = sorted(_code_parts(self.name, self.step, {}).values())
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    @cached_property
    def loop(self) -> Callable[..., None]:
        """Compiled `loop(state, whole, real, out, *params)`: `step` for each bar of `view` in turn.

        Fills `out`, (n_bars,), from the first n_bars columns of `whole` and `real`.
        """
        arguments = "".join(f", p{index}" for index in range(len(self.params)))
        reads = ", ".join(
            f"whole[{WHOLE.index(name)}, row]"
            if name in WHOLE
            else f"real[{REAL.index(name)}, row]"
            for name in self.inputs
        )
        source = (
            f"def loop(state, whole, real, out{arguments}):\n"
            "    for row in range(len(out)):\n"
            f"        out[row] = step(state, Seen({reads}){arguments})\n"
        )
        # numba finds a cached compilation by the file a function was written in and does not
        # look into the functions it calls. So each loop has a file of its own, named by the hash
        # of everything it runs: an edited formula is another file, never a stale machine code.
        path = _cached_source(f"{self.name}-{self.code_id}", source)
        names: dict[str, Any] = {
            "step": piece(_python_function(self.step)),
            "Seen": namedtuple("Seen", self.inputs),
            "__name__": __name__,
        }
        exec(compile(source, str(path), "exec"), names)
        options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
        compiled: Callable[..., None] = numba.njit(cache=True, **options)(names["loop"])
        return compiled


FEATURES: Registry[Kernel] = Registry("feature", "barstack.features")


def feature(
    *,
    group: str,
    memory: Size,
    unit: str,
    warmup: Size = 0,
    sessions: Size = 0,
    low: float = -math.inf,
    high: float = math.inf,
    scale_free: bool = True,
    source: str = "",
) -> Callable[[Step], Step]:
    """Register `step(state, bar, *params)` as a feature under the function's name.

    group       trend, momentum, volatility, volume, candles, calendar, levels, statistics, ...
    memory      floats of state: a number, or a function of the parameters
    warmup      bars before the first value: a number, or a function of the parameters
    sessions    sessions that must have ended before the first value, likewise
    unit        of the value, such as "fraction" or "bars"
    low, high   bounds of the value
    scale_free  whether multiplying all prices by a constant leaves the value as it is
    source      paper or book

    Keyword defaults of the function are the parameters' defaults; whole numbers stay whole.
    The function may use only its arguments, numbers, `math`, `np` and compiled functions.

    >>> @feature(group="candles", memory=0, unit="fraction", low=0)
    ... def example_range(state, bar):
    ...     "High minus low, as a fraction of the close."
    ...     return (bar.high - bar.low) / bar.close
    >>> FEATURES.get("example_range").group
    'candles'
    """

    def decorate(step: Step) -> Step:
        function = _python_function(step)
        defaults = list(inspect.signature(function).parameters.values())[2:]
        for parameter in defaults:
            if not isinstance(parameter.default, int | float):
                raise ConfigError(
                    f"Feature {function.__name__!r}: parameter {parameter.name!r} needs a number "
                    "as its default."
                )
        FEATURES.add(
            function.__name__,
            Kernel(
                name=function.__name__,
                group=group,
                step=step,
                params={parameter.name: parameter.default for parameter in defaults},
                memory=memory,
                warmup=warmup,
                sessions=sessions,
                unit=unit,
                low=low,
                high=high,
                scale_free=scale_free,
                about=inspect.getdoc(function) or "",
                source=source,
            ),
        )
        return step

    return decorate


def _python_function(step: Any) -> FunctionType:
    function = getattr(step, "py_func", step)
    assert isinstance(function, FunctionType)
    return function


def _code_parts(feature: str, step: Any, found: dict[int, str]) -> dict[int, str]:
    """Text of `step` and, below it, of all it calls; refuses what a feature must not read."""
    function = _python_function(step)
    if id(function) in found:
        return found
    found[id(function)] = _formula(function)
    for name, value in _names_used(function).items():
        if hasattr(value, "py_func"):
            _code_parts(feature, value, found)
        elif isinstance(value, int | float | np.number):
            found[id(function)] += f"\n{name} = {value!r}"
        elif not (
            value is math or value is np or isinstance(value, BuiltinFunctionType | np.ufunc)
        ):
            raise ConfigError(
                f"Feature {feature!r} uses {name!r}, a {_kind(value)} outside it. A feature may "
                "read only its state, the bar and its parameters, so that it cannot see the "
                "future; helper functions need @numba.njit."
            )
    return found


def _names_used(function: FunctionType) -> dict[str, Any]:
    """What a function reads from outside, by name."""
    # Not all that inspect finds: to it `bar.beta` is a use of a global `beta` too.
    read = {each.argval for each in dis.get_instructions(function) if each.opname == "LOAD_GLOBAL"}
    used = inspect.getclosurevars(function)
    return {name: value for name, value in used.globals.items() if name in read} | dict(
        used.nonlocals
    )


def _fields_read(function: FunctionType) -> tuple[str, ...]:
    """Fields of the bar that a step reads; all of them when it hands the bar on or hides them."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, SyntaxError):  # typed in a shell, or a lambda within a longer line
        return FIELDS
    bar = list(inspect.signature(function).parameters)[1]
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == bar]
    read = [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.value in uses
    ]
    for name in read:
        if name not in FIELDS:
            raise ConfigError(
                f"Feature {function.__name__!r} reads {bar}.{name}. {did_you_mean(name, FIELDS)}"
            )
    return tuple(name for name in FIELDS if name in read) if len(read) == len(uses) else FIELDS


def _kind(value: object) -> str:
    return f"module ({value.__name__})" if isinstance(value, ModuleType) else type(value).__name__


def _formula(function: FunctionType) -> str:
    """The function without comments, docstring, decorator and layout: what the value depends on."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, SyntaxError):  # typed in a shell, or a lambda within a longer line
        return repr(_code_content(function.__code__))
    if not isinstance(tree, ast.FunctionDef):
        return repr(_code_content(function.__code__))
    tree.decorator_list = []
    if ast.get_docstring(tree, clean=False) is not None:
        tree.body = tree.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _code_content(code: CodeType) -> tuple[object, ...]:
    constants = [_code_content(c) if isinstance(c, CodeType) else c for c in code.co_consts]
    return (code.co_code, code.co_names, constants)


def _cached_source(name: str, source: str) -> Path:
    """A file that holds `source`, in the user's cache folder or `BARSTACK_CACHE`."""
    root = os.environ.get("BARSTACK_CACHE") or platformdirs.user_cache_path("barstack")
    folder = Path(root) / "kernels"
    path = folder / f"{name}.py"
    if not path.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".tmp", delete=False) as file:
                file.write(source)
            Path(file.name).replace(path)  # whole or not at all, also with two processes at once
        except OSError as error:
            raise ConfigError(
                f"Cannot write compiled features to {folder}: {error}. "
                "Set BARSTACK_CACHE to a folder that can be written."
            ) from None
    return path
