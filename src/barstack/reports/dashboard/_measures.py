"""The measures of an experiment that the dashboard shows, and how people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from barstack.tracking import Experiment

from .._theme import number


@dataclass(frozen=True)
class ShownMeasure:
    """A column of `experiments`.

    Attributes
    ----------
    name, head
        The column, and what a table calls it.
    scale, digits, unit
        A value times `scale` is shown with so many digits in this unit.
    centre
        The value of a forecast without skill; None where there is none.
    higher
        Whether more is better.
    """

    name: str
    head: str
    scale: float
    digits: int
    unit: str
    centre: float | None
    higher: bool = True

    @property
    def word(self) -> str:
        """Its name within a sentence."""
        return self.head if self.head[1:2].isupper() or "²" in self.head else self.head.lower()

    def of(self, row: Experiment) -> float | None:
        """Its value, None where it is not known or not finite."""
        value: float | None = getattr(row, self.name)
        return value if value is not None and math.isfinite(value) else None

    def shown(self, value: float | None, *, unit: bool = True) -> str:
        """A value for people to read.

        >>> MEASURES["directional_accuracy"].shown(0.5312), MEASURES["rmse"].shown(None)
        ('53.12 %', '–')
        """
        text = number(None if value is None else value * self.scale, self.digits)
        return f"{text} {self.unit}" if unit and self.unit and value is not None else text


MEASURES: Mapping[str, ShownMeasure] = {
    each.name: each
    for each in (
        ShownMeasure("directional_accuracy", "Accuracy", 100.0, 2, "%", 0.5),
        ShownMeasure("ic", "IC", 1.0, 4, "", 0.0),
        ShownMeasure("r2", "R²", 1.0, 4, "", 0.0),
        ShownMeasure("rmse", "RMSE", 1e4, 2, "bps", None, higher=False),
        ShownMeasure("mae", "MAE", 1e4, 2, "bps", None, higher=False),
    )
}


def name_of(row: Experiment) -> str:
    """What a sweep calls an experiment, otherwise its model and horizon."""
    name = row.params.get("name")
    return name if isinstance(name, str) and name else f"{row.model_name} {row.horizon_name}"
