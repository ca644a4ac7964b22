"""Settings that are one number for all horizons, or a list with one for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator

from barstack.core.errors import ConfigError
from barstack.core.horizon import Horizon


def _one_or_each(value: Any, kinds: Any, what: str) -> Any:
    items: Sequence[Any] = value if isinstance(value, list | tuple) else [value]
    for item in items:
        if isinstance(item, bool) or not isinstance(item, kinds) or not item > 0:
            raise ConfigError(
                f"Write {what} above 0, or a list with one for each horizon; got {value!r}."
            )
    if not items:
        raise ConfigError(f"Write {what} above 0, or a list with one for each horizon; got none.")
    return value


# A number above 0, and a whole one.
Numbers = Annotated[
    float | tuple[float, ...], BeforeValidator(lambda v: _one_or_each(v, (int, float), "a number"))
]
Wholes = Annotated[
    int | tuple[int, ...], BeforeValidator(lambda v: _one_or_each(v, int, "a whole number"))
]


def check_counts(horizons: Sequence[Horizon], **settings: Any) -> None:
    """`ConfigError` where a list has not one number for each horizon."""
    for setting, value in settings.items():
        if isinstance(value, tuple) and len(value) != len(horizons):
            raise ConfigError(
                f"{setting} has {len(value)} numbers for {len(horizons)} horizons. Give one for "
                "each, or one number for all."
            )
