"""What boosted trees share: one booster a horizon, all with the same few settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from pydantic import Field

from barstack.core.errors import MissingPackageError

from .._horizons import Part, PerHorizon
from .._scikit import threads_for

__all__ = ["Boosting", "Part", "imported", "threads_for"]


class Boosting(PerHorizon):
    """Gradient-boosted trees, one booster a horizon, stopped early by the latest training rows.

    The defaults are for market returns: shallow trees, large leaves, small steps.
    """

    stops_early: ClassVar[bool] = True

    trees: int = Field(200, ge=1, le=100_000, description="most trees of a booster")
    learning_rate: float = Field(0.05, gt=0, le=1, description="how much each tree counts, 0 to 1")
    depth: int = Field(4, ge=1, le=12, description="levels of a tree")
    patience: int = Field(
        20, ge=1, le=100_000, description="rounds without improvement before stopping"
    )


def imported(package: str, load: Callable[[], Any]) -> Any:
    """An optional library, or `MissingPackageError` that says how to get it."""
    try:
        return load()
    except ImportError as error:
        raise MissingPackageError(
            f"This model needs {package}: pip install 'barstack[boosting]' ({error})."
        ) from None
