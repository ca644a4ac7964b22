"""Parameters of features: what they may be, and how much state follows from them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from barstack.core.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from ._kernel import Kernel

Size = int | Callable[..., int]
Params = Mapping[str, int | float]
Bound = float | str  # a number, or the name of the parameter that bounds this one

# Beyond these lies a slip of the keyboard, not a window: a million minutes are ten years of shares.
_LARGEST_WHOLE = 1_000_000
_LARGEST_MEMORY = 10_000_000
_LARGEST = sys.float_info.max


def check_params(kernel: Kernel, given: Params) -> None:
    """`ConfigError` unless these parameters of a feature are known and within their bounds."""
    for name in given:
        if name not in kernel.params:
            raise ConfigError(
                f"Feature {kernel.name!r} has no parameter {name!r}. "
                f"{did_you_mean(name, kernel.params)}"
            )
    values = {**kernel.params, **given}
    for name, value in values.items():
        whole = isinstance(kernel.params[name], int)
        usual = (kernel.least, _LARGEST_WHOLE) if whole else (-_LARGEST, _LARGEST)
        low, high = kernel.bounds.get(name, usual)
        who, got = f"Feature {kernel.name!r}: {name}", f"got {shortest(value)}."
        if value < _number(low, values) or (whole and value != int(value)):
            kind = "a whole number of " if whole else ""
            raise ConfigError(f"{who} must be {kind}at least {_told(low, values)}, {got}")
        if value > _number(high, values):
            raise ConfigError(f"{who} must be at most {_told(high, values)}, {got}")
    params = tuple(type(kernel.params[name])(value) for name, value in values.items())
    memory, _, _ = kernel.memory_for(params), kernel.warmup_for(params), kernel.sessions_for(params)
    if memory > _LARGEST_MEMORY:
        told = ", ".join(f"{name} {shortest(value)}" for name, value in values.items())
        raise ConfigError(
            f"Feature {kernel.name!r} with {told} would keep {memory:,} numbers of state, and may "
            f"keep {_LARGEST_MEMORY:,}. Choose other parameters."
        )


def size_of(feature: str, what: str, size: Size, params: tuple[int | float, ...]) -> int:
    """The number that `size` is, or gives for these parameters."""
    try:
        number = int(size(*params)) if callable(size) else int(size)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ConfigError(
            f"Feature {feature!r}: {what} cannot be worked out: {error}. Give a whole number, or a "
            "function of all the feature's parameters."
        ) from None
    if number < 0:
        raise ConfigError(f"Feature {feature!r}: {what} must be 0 or more, got {number}.")
    return number


def shortest(value: float) -> str:
    """As few digits as tell it from any other number.

    >>> shortest(0.02), shortest(0.02000001), shortest(3.0), shortest(1234567)
    ('0.02', '0.02000001', '3', '1234567')
    """
    return repr(value).removesuffix(".0")


def _number(bound: Bound, values: Params) -> float:
    return values[bound] if isinstance(bound, str) else bound


def _told(bound: Bound, values: Params) -> str:
    number = _number(bound, values)
    text = f"{number:,}" if isinstance(number, int) else shortest(number)
    return f"{bound}, {text}" if isinstance(bound, str) else text
