"""An ensemble that learns on, as a plugin would write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from barstack.core.arrays import Floats
from barstack.ensembles import Ensemble, Stacked


class Losses(NamedTuple):
    """Sums of squared errors (n_horizons, n_members), and of how many rows."""

    total: Floats
    rows: int


class Discounted(Ensemble):
    """Weights by the inverse of each member's squared error so far; for returns."""

    tasks: ClassVar = ("return",)

    def fit(self, stacked: Stacked) -> Losses:
        n_horizons = len(stacked.target.horizons)
        return self.update(Losses(np.zeros((n_horizons, len(stacked.members))), 0), stacked)

    def update(self, learned: Losses, stacked: Stacked) -> Losses:
        assert stacked.y is not None
        total, rows = learned
        errors = stacked.forecasts[..., 0] - stacked.y[:, None]
        for row in (errors**2).transpose(0, 2, 1):
            total, rows = total + row, rows + 1
        return Losses(total, rows)

    def weights(self, learned: Losses) -> Floats:
        precision = (learned.rows + 1.0) / (learned.total + 1e-12)
        return np.asarray(precision / precision.sum(axis=1, keepdims=True))

    def predict(self, learned: Losses, stacked: Stacked) -> Floats:
        assert stacked.y is None
        weights = self.weights(learned)
        return np.asarray(np.einsum("hm,nmhk->nhk", weights, stacked.forecasts, optimize=False))

    def save(self, learned: Losses, folder: Path) -> None:
        text = json.dumps({"total": learned.total.tolist(), "rows": learned.rows})
        (folder / "losses.json").write_text(text)

    def load(self, folder: Path) -> Losses:
        content = json.loads((folder / "losses.json").read_text())
        return Losses(np.array(content["total"]), content["rows"])
