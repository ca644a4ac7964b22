"""The series of charts that the browser draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from barstack.tracking import EpochMeasure, Experiment

from ._measures import MEASURES, name_of

_COLOURS = 9  # of the style sheet; further models share them


def error_against_accuracy(rows: Sequence[Experiment]) -> dict[str, Any]:
    """RMSE (bps) against directional accuracy (percent) of completed experiments.

    x       sorted RMSE
    series  by model, with None where a point belongs to another
    ids, names  of the experiment at each point
    """
    rmse, accuracy = MEASURES["rmse"], MEASURES["directional_accuracy"]
    points = []
    for row in rows:
        x, y = rmse.of(row), accuracy.of(row)
        if row.status == "completed" and x is not None and y is not None:
            points.append((x, y, row.experiment_id, row.model_name, name_of(row)))
    points.sort()
    models = sorted({point[3] for point in points})
    return {
        "x": [_short(point[0] * rmse.scale) for point in points],
        "series": [
            {
                "name": model,
                "colour": place % _COLOURS,
                "y": [_short(p[1] * accuracy.scale) if p[3] == model else None for p in points],
            }
            for place, model in enumerate(models)
        ],
        "ids": [point[2] for point in points],
        "names": [point[4] for point in points],
    }


def learning_curves(history: Sequence[EpochMeasure]) -> list[dict[str, Any]]:
    """A chart of all losses, and one for each other measure; a line for each fold, and their mean.

    epochs  (n,) sorted
    lines   name, fold (None for the mean of all folds that reached the epoch), and y (n,)
    """
    measures = dict.fromkeys(each.measure for each in history)
    losses = [name for name in measures if "loss" in name]
    groups = [("Loss", losses)] if losses else []
    groups += [(name, [name]) for name in measures if name not in losses]
    return [_curves(title, names, history) for title, names in groups]


def _curves(title: str, names: list[str], history: Sequence[EpochMeasure]) -> dict[str, Any]:
    own = [each for each in history if each.measure in names]
    epochs = sorted({each.epoch for each in own})
    value = {(each.measure, each.fold, each.epoch): each.value for each in own}
    lines: list[dict[str, Any]] = []
    for place, name in enumerate(names):
        folds = sorted({each.fold for each in own if each.measure == name})
        curves = {fold: [value.get((name, fold, epoch)) for epoch in epochs] for fold in folds}
        line = {"name": name, "colour": place % _COLOURS}
        if len(folds) > 1:
            lines += [line | {"fold": fold, "y": _all_short(y)} for fold, y in curves.items()]
        mean = [
            _mean([y for y in at if y is not None]) for at in zip(*curves.values(), strict=True)
        ]
        lines.append(line | {"fold": None, "y": _all_short(mean)})
    return {"title": title, "epochs": epochs, "lines": lines}


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _all_short(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else _short(value) for value in values]
