"""Random forest."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from barstack.core.forecast import Target

from .._model import EVERY_TASK, register
from ._forest import Forest


@register("random_forest", family="classical", tasks=EVERY_TASK)
class RandomForest(Forest):
    """Trees grown on rows drawn anew, with the best split among a few features. Breiman (2001)."""

    row_share: float = Field(0.5, gt=0, le=1, description="share of rows drawn for each tree")

    def grower(self, ensemble: Any, target: Target, settings: dict[str, Any]) -> Any:
        kind = "Classifier" if target.n_classes else "Regressor"
        make = getattr(ensemble, f"RandomForest{kind}")
        return make(max_samples=self.row_share, **settings)
