"""Extremely randomised trees."""

from __future__ import annotations

from typing import Any

from barstack.core.forecast import Task

from .._model import register
from ._forest import Forest


@register("extra_trees", family="classical", tasks=("return", "direction", "three_class"))
class ExtraTrees(Forest):
    """Trees grown on all rows, split at random places. Geurts, Ernst, Wehenkel (2006)."""

    def grower(self, ensemble: Any, task: Task, settings: dict[str, Any]) -> Any:
        kind = "Regressor" if task == "return" else "Classifier"
        return getattr(ensemble, f"ExtraTrees{kind}")(**settings)
