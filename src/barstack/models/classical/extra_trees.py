"""Extremely randomised trees."""

from __future__ import annotations

from typing import Any

from barstack.core.forecast import Target

from .._model import EVERY_TASK, register
from ._forest import Forest


@register("extra_trees", family="classical", tasks=EVERY_TASK)
class ExtraTrees(Forest):
    """Trees grown on all rows, split at random places. Geurts, Ernst, Wehenkel (2006)."""

    def grower(self, ensemble: Any, target: Target, settings: dict[str, Any]) -> Any:
        kind = "Classifier" if target.n_classes else "Regressor"
        return getattr(ensemble, f"ExtraTrees{kind}")(**settings)
