"""Linear forecast of the median: least absolute deviations, which a crash moves little."""

import json
from pathlib import Path

import numpy as np
from pydantic import Field

from barstack.models import Model, register


@register("median", family="classical", tasks=("return",))
class Median(Model):
    """Weighted least absolute deviations, by iterated least squares. Schlossmacher (1973)."""

    rounds: int = Field(30, ge=1, description="steps of weighted least squares")
    penalty: float = Field(0.1, ge=0, description="L2, per row")

    def fit(self, train, stop, target, seed):
        X = np.column_stack([np.ones(len(train)), train.last()])
        ridge = self.penalty * np.diag([0.0, *np.ones(train.n_features)])
        betas = []
        for y in train.y.T:
            beta = np.zeros(X.shape[1])
            for _ in range(self.rounds):
                weight = train.weight / np.maximum(np.abs(y - X @ beta), 1e-3) / len(X)
                gram = X.T @ (weight[:, None] * X) + ridge
                beta = np.linalg.lstsq(gram, X.T @ (weight * y), rcond=None)[0]
            betas.append(beta)
        return np.array(betas)

    def predict(self, learned, inputs, target):
        return (inputs.last() @ learned[:, 1:].T + learned[:, 0])[:, :, None]

    def save(self, learned, folder: Path):
        (folder / "median.json").write_text(json.dumps(learned.tolist()))

    def load(self, folder: Path, target):
        return np.array(json.loads((folder / "median.json").read_text()))
