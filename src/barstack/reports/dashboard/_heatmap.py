"""Model by horizon: the mean of a measure in each cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from barstack.tracking import Experiment

from ._chosen_rows import natural
from ._measures import ShownMeasure

LEVELS = 5  # of colour, on either side of the centre


@dataclass(frozen=True)
class HeatCell:
    """Mean of completed experiments with a model at a horizon.

    level  from -LEVELS (worst) to LEVELS (best): its distance from the centre beside the largest
    """

    mean: float
    count: int
    level: int


@dataclass(frozen=True)
class Heatmap:
    """Rows are models, columns horizons; None where nothing is completed.

    reach  the largest distance from the centre
    """

    models: tuple[str, ...]
    horizons: tuple[str, ...]
    cells: tuple[tuple[HeatCell | None, ...], ...]
    reach: float


def heatmap(rows: Sequence[Experiment], measure: ShownMeasure) -> Heatmap:
    """The best model first, by the mean of its cells.

    Colours are centred on a forecast without skill. RMSE and MAE, which grow with the horizon, are
    centred on the median of their column, and the distance is relative to it.
    """
    values: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        value = measure.of(row)
        if row.status == "completed" and value is not None:
            values.setdefault((row.model_name, row.horizon_name), []).append(value)
    means = {place: math.fsum(own) / len(own) for place, own in values.items()}
    horizons = sorted({horizon for _, horizon in means}, key=natural)
    sign = 1.0 if measure.higher else -1.0

    def rank(model: str) -> tuple[float, str]:
        own = [mean for (name, _), mean in means.items() if name == model]
        return -sign * math.fsum(own) / len(own), model

    models = sorted({model for model, _ in means}, key=rank)
    distances: dict[tuple[str, str], float] = {}
    for (model, horizon), mean in means.items():
        if measure.centre is not None:
            distances[model, horizon] = mean - measure.centre
        else:
            middle = median(each for (_, own), each in means.items() if own == horizon)
            distances[model, horizon] = mean / middle - 1.0 if middle else 0.0
    reach = max(map(abs, distances.values()), default=0.0)

    def cell(place: tuple[str, str]) -> HeatCell | None:
        if place not in means:
            return None
        level = round(sign * LEVELS * distances[place] / reach) if reach else 0
        return HeatCell(means[place], len(values[place]), level)

    cells = tuple(tuple(cell((model, horizon)) for horizon in horizons) for model in models)
    return Heatmap(tuple(models), tuple(horizons), cells, reach)
