"""Feature kernels: one small function per feature, compiled once, for history and live alike."""

from __future__ import annotations

import inspect
import math
import re
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from types import FunctionType
from typing import Any

import numba

from barstack.bars import aggregate
from barstack.core.errors import ConfigError, PluginError, did_you_mean
from barstack.core.parts import built_in, package_of
from barstack.core.registry import Registry

from ._formula import (
    bounds_checked,
    code_of,
    fields_read,
    hash_of,
    parameters_of,
    python_function,
)
from ._native import UNWRAPPED, native
from ._view import REAL, WHOLE, market_update, view
from .pieces.rolling import COMPILED

Step = Callable[..., float]
Size = int | Callable[..., int]
Params = Mapping[str, int | float]
Bound = float | str  # a number, or the name of the parameter that bounds this one

# Larger values are typing errors, not windows: a million minutes are ten years of shares.
_LARGEST_WHOLE = 1_000_000
_LARGEST_MEMORY = 10_000_000
_LARGEST = sys.float_info.max

_WHOLE, _REAL, _FLOATS = numba.int64[:, ::1], numba.float64[:, ::1], numba.float64[::1]
_LOOP = (_FLOATS, _WHOLE, _REAL, _FLOATS, _FLOATS)  # state, whole, real, out, params


@dataclass(frozen=True, eq=False)
class Kernel:
    """A registered feature: `step(state, bar, *params) -> value` and its contract.

    state   (memory,) float64, zeros before the first bar, kept between calls
    bar     the newest bar's fields, `FIELDS`
    value   float; NaN in the first `warmup` bars, or until `sessions` whole sessions have ended if
            that is later, and never afterwards; never infinite

    >>> from barstack.features import FEATURES
    >>> FEATURES.get("rsi").unit
    'index'
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
    about: str  # the formula first, then remarks
    sessions: Size = 0
    source: str = ""  # paper or book
    least: int = 1  # smallest integer parameter
    bounds: Mapping[str, tuple[Bound, Bound]] = field(default_factory=dict)  # of other parameters

    def __post_init__(self) -> None:
        self.check_params({})

    def check_params(self, given: Params) -> None:
        """`ConfigError` unless these parameters are known and within their bounds."""
        for name in given:
            if name not in self.params:
                raise ConfigError(
                    f"Feature {self.name!r} has no parameter {name!r}. "
                    f"{did_you_mean(name, self.params)}"
                )
        values = {**self.params, **given}
        for name, value in values.items():
            whole = isinstance(self.params[name], int)
            usual = (self.least, _LARGEST_WHOLE) if whole else (-_LARGEST, _LARGEST)
            low, high = self.bounds.get(name, usual)
            who, got = f"Feature {self.name!r}: {name}", f"got {shortest(value)}."
            if value < _number(low, values) or (whole and value != int(value)):
                kind = "a whole number of " if whole else ""
                raise ConfigError(f"{who} must be {kind}at least {_bound_text(low, values)}, {got}")
            if value > _number(high, values):
                raise ConfigError(f"{who} must be at most {_bound_text(high, values)}, {got}")
        params = tuple(type(self.params[name])(value) for name, value in values.items())
        memory, _, _ = self.memory_for(params), self.warmup_for(params), self.sessions_for(params)
        if memory > _LARGEST_MEMORY:
            values_text = ", ".join(f"{name} {shortest(value)}" for name, value in values.items())
            raise ConfigError(
                f"Feature {self.name!r} with {values_text} would keep {memory:,} numbers of state, "
                f"and may keep {_LARGEST_MEMORY:,}. Choose other parameters."
            )

    def memory_for(self, params: tuple[int | float, ...]) -> int:
        """Length of the state for these parameters."""
        return _size_of(self.name, "memory", self.memory, params)

    def warmup_for(self, params: tuple[int | float, ...]) -> int:
        """Bars before the first value for these parameters."""
        return _size_of(self.name, "warmup", self.warmup, params)

    def sessions_for(self, params: tuple[int | float, ...]) -> int:
        """Sessions that must have ended before the first value for these parameters."""
        return _size_of(self.name, "sessions", self.sessions, params)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Fields of the bar that the formula reads."""
        with self.naming_package():
            return fields_read(python_function(self.step))

    @property
    def registered_as(self) -> tuple[str, str]:
        """Kind and name, as specs have them."""
        return "feature", self.name

    @property
    def module(self) -> str:
        """The module of the function."""
        return str(self.step.__module__)

    @property
    def origin(self) -> str:
        """Where the function was written."""
        return f"{self.step.__module__}.{self.name}"

    @cached_property
    def code_id(self) -> str:
        """Hash of the formula: of `step`, of every function and constant it uses, and of the code
        that computes the bar's fields."""
        with self.naming_package():
            code = code_of(self.name, self.step)
        return hash_of([_engine_id(), *code])

    @cached_property
    def loop(self) -> Callable[..., int]:
        """Compiled `loop(state, whole, real, out, params)`: `step` for each bar of `view` in turn.

        Fills `out`, (n_bars,), from the first n_bars columns of `whole` and `real`.
        """
        reads = ", ".join(
            f"whole[{WHOLE.index(name)}, row]"
            if name in WHOLE
            else f"real[{REAL.index(name)}, row]"
            for name in self.inputs
        )
        lines = ["def loop(state, whole, real, out, params):"]
        arguments = ""
        for place, default in enumerate(self.params.values()):
            kind = "int" if isinstance(default, int) else "float"
            lines.append(f"    p{place} = {kind}(params[{place}])")
            arguments += f", p{place}"
        lines += [
            "    for row in range(len(out)):",
            f"        out[row] = step(state, Seen({reads}){arguments})",
        ]
        source = "\n".join(lines)
        checked = {} if built_in(self) else {"boundscheck": True}
        quick = COMPILED | checked
        content = (self.code_id, source, *checked)
        # Code that assigns slices or makes arrays needs reference counts, which cost time; built-in
        # steps do without.
        try:
            return native(self.name, lambda: self._compiled(source, quick), _LOOP, content)
        except numba.core.errors.NumbaError:
            pass
        options = {"error_model": "numpy"} | checked
        with self.naming_package():
            try:
                return native(self.name, lambda: self._compiled(source, options), _LOOP, content)
            except numba.core.errors.NumbaError as error:
                raise ConfigError(
                    f"Feature {self.name!r} does not compile: {_first_line(error)}. A step may use "
                    "its state, the bar's fields, numbers, math, np and functions with "
                    "@numba.njit."
                ) from error

    @contextmanager
    def naming_package(self) -> Iterator[None]:
        """Errors of a feature of another package name the package."""
        try:
            yield
        except PluginError:
            raise
        except ConfigError as error:
            if built_in(self):
                raise
            whose = f"It is of package {package_of(self.module)}."
            raise PluginError(f"{error} {whose}") from error

    def _compiled(self, source: str, options: dict[str, Any]) -> Any:
        names: dict[str, Any] = {
            "step": numba.njit(forceinline=True, **options)(self._function()),
            "Seen": namedtuple("Seen", self.inputs),
            "__name__": __name__,
        }
        exec(source, names)
        return numba.njit(**options, **UNWRAPPED)(names["loop"])

    def _function(self) -> FunctionType:
        """The step in Python. One of another package is untrusted: an index outside its memory must
        raise, in it and in all that it calls, instead of corrupting the process."""
        function = python_function(self.step)
        return function if built_in(self) else bounds_checked(function)


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
    least: int = 1,
    bounds: Mapping[str, tuple[Bound, Bound]] | None = None,
) -> Callable[[Step], Step]:
    """Register `step(state, bar, *params)` as a feature under the function's name.

    group       trend, momentum, volatility, volume, candles, calendar, levels, statistics, ...
    memory      length of the state: a number, or a function of the parameters
    warmup      bars before the first value: a number, or a function of the parameters
    sessions    sessions that must have ended before the first value, likewise
    unit        of the value, such as "fraction" or "bars"
    low, high   bounds of the value
    scale_free  whether multiplying all prices by a constant leaves the value unchanged
    source      paper or book
    least       smallest integer parameter: 2 where one value has no deviation
    bounds      lower and upper bound of any parameter: numbers, or another parameter's name

    Keyword defaults of the function are the parameters' defaults; integers stay integers.
    The function may use only its arguments, numbers, `math`, `np` and compiled functions.

    >>> @feature(group="candles", memory=0, unit="fraction", low=0)
    ... def example_range(state, bar):
    ...     "High minus low, as a fraction of the close."
    ...     return (bar.high - bar.low) / bar.close
    >>> FEATURES.get("example_range").group
    'candles'
    """

    def decorate(step: Step) -> Step:
        function = python_function(step)
        FEATURES.add(
            function.__name__,
            Kernel(
                name=function.__name__,
                group=group,
                step=step,
                params=parameters_of(function),
                memory=memory,
                warmup=warmup,
                sessions=sessions,
                unit=unit,
                low=low,
                high=high,
                scale_free=scale_free,
                about=inspect.getdoc(function) or "",
                source=source,
                least=least,
                bounds=bounds or {},
            ),
        )
        return step

    return decorate


def _size_of(feature: str, what: str, size: Size, params: tuple[int | float, ...]) -> int:
    """`size`, or its value for these parameters."""
    try:
        number = int(size(*params)) if callable(size) else int(size)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ConfigError(
            f"Feature {feature!r}: {what} cannot be computed: {error}. Give a whole number, or a "
            "function of all the feature's parameters."
        ) from None
    if number < 0:
        raise ConfigError(f"Feature {feature!r}: {what} must be 0 or more, got {number}.")
    return number


def shortest(value: float) -> str:
    """The shortest text that gives the same number.

    >>> shortest(0.02), shortest(0.02000001), shortest(3.0), shortest(1234567)
    ('0.02', '0.02000001', '3', '1234567')
    """
    return repr(value).removesuffix(".0")


def _number(bound: Bound, values: Params) -> float:
    return values[bound] if isinstance(bound, str) else bound


def _bound_text(bound: Bound, values: Params) -> str:
    number = _number(bound, values)
    text = f"{number:,}" if isinstance(number, int) else shortest(number)
    return f"{bound}, {text}" if isinstance(bound, str) else text


@cache
def _engine_id() -> str:
    """Hash of the code that all features share: a change of it changes every feature."""
    shared = (view, market_update, aggregate)
    return hash_of(
        [
            *(text for each in shared for text in code_of("view", each)),
            repr(sorted(COMPILED.items())),
        ]
    )


def _first_line(error: Exception) -> str:
    """numba's message, without colours and compiler internals."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    if kind := re.search(r"setitem\(array\(float64, 1d, \w\), \w+, (.+)\)", plain):
        return f"it returns or keeps a value of type {kind[1]}, which is no number"
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    return next(
        (line for line in lines if not line.startswith("Failed in")), "for no stated reason"
    )
