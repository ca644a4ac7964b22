"""Random forest."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from barstack.core.forecast import Task

from .._model import register
from ._forest import Forest


@register("random_forest", family="classical", tasks=("return", "direction", "three_class"))
class RandomForest(Forest):
    """Trees grown on rows drawn anew, with the best split among a few features. Breiman (2001)."""

    row_share: float = Field(0.5, gt=0, le=1)  # of rows drawn for each tree

    def grower(self, ensemble: Any, task: Task, settings: dict[str, Any]) -> Any:
        kind = "Regressor" if task == "return" else "Classifier"
        make = getattr(ensemble, f"RandomForest{kind}")
        return make(max_samples=self.row_share, **settings)
