"""Feature kernels: one small function a feature, compiled once, run over history and live alike."""

from __future__ import annotations

import inspect
import math
import os
import re
import tempfile
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import CodeType
from typing import Any

import numba
import platformdirs

from barstack.bars import aggregate
from barstack.core.errors import ConfigError
from barstack.core.registry import Registry

from ._formula import code_parts, fields_read, hash_of, python_function
from ._market import market_update
from ._view import REAL, WHOLE, view
from .pieces.rolling import COMPILED

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
    least: int = 1  # smallest whole parameter

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
        return fields_read(python_function(self.step))

    @property
    def origin(self) -> str:
        """Where the function was written."""
        return f"{self.step.__module__}.{self.name}"

    @cached_property
    def code_id(self) -> str:
        """Hash of the formula: of `step`, of every function and constant it uses, and of how
        what it sees of a bar is worked out."""
        return hash_of([_engine_id(), *(text for _, text in code_parts(self.name, self.step))])

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
        # of everything it runs and of where that was written: an edited formula is another file,
        # never a stale machine code, and so is one that was moved.
        modules = sorted({module for module, _ in code_parts(self.name, self.step)})
        path = _cached_source(f"{self.name}-{hash_of([self.code_id, source, *modules])}", source)
        code = compile(source, str(path), "exec")
        # What assigns slices or makes arrays needs reference counts, at a price; built-in steps
        # do without.
        try:
            return self._compiled(code, COMPILED)
        except numba.core.errors.NumbaError:
            pass
        try:
            return self._compiled(code, {"error_model": "numpy"})
        except numba.core.errors.NumbaError as error:
            raise ConfigError(
                f"Feature {self.name!r} does not compile: {_first_line(error)}. A step may use its "
                "state, the bar's fields, numbers, math, np and functions with @numba.njit."
            ) from error

    def _compiled(self, code: CodeType, options: dict[str, Any]) -> Callable[..., None]:
        names: dict[str, Any] = {
            "step": numba.njit(forceinline=True, **options)(python_function(self.step)),
            "Seen": namedtuple("Seen", self.inputs),
            "__name__": __name__,
        }
        exec(code, names)
        compiled: Any = numba.njit(cache=True, nogil=True, **options)(names["loop"])
        one, two, whole = numba.float64[::1], numba.float64[:, ::1], numba.int64[:, ::1]
        kinds = [
            numba.int64 if isinstance(value, int) else numba.float64
            for value in self.params.values()
        ]
        compiled.compile((one, whole, two, one, *kinds))
        loop: Callable[..., None] = compiled
        return loop


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
    least       smallest whole parameter: 2 where one value has no deviation

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
        function = python_function(step)
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
                least=least,
            ),
        )
        return step

    return decorate


@cache
def _engine_id() -> str:
    """Hash of what is worked out for all features: a change of it changes every feature."""
    shared = (view, market_update, aggregate)
    return hash_of(
        [
            *(text for each in shared for _, text in code_parts("view", each)),
            repr(sorted(COMPILED.items())),
        ]
    )


def _first_line(error: Exception) -> str:
    """What numba says, without its colours and its tour of the compiler."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    return next(
        (line for line in lines if not line.startswith("Failed in")), "for no stated reason"
    )


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
