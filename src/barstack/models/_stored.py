"""What is stored of a fitted model beside what it learned."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import model_validator

from barstack.core.stored import Duration, Moment, Names, Positive, StoredTarget


class StoredModel(StoredTarget):
    """What `fitted.json` holds."""

    format: Literal[2]
    model: dict[str, Any] | str
    columns: Names
    scaler: dict[str, Any]
    y_scale: list[Positive]
    trained_through: Moment
    max_gap: Duration

    @model_validator(mode="after")
    def _is_of_the_target(self) -> Self:
        if len(self.y_scale) != len(self.horizons):
            raise ValueError(f"y_scale has {len(self.y_scale)} numbers")
        if self.target.n_classes and set(self.y_scale) != {1.0}:
            raise ValueError("y_scale is not 1, as classes have no scale")
        return self
