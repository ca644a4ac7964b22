"""What the three libraries share: one booster a horizon, all with the same few settings."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from barstack.core.errors import ArtifactError, MissingPackageError
from barstack.core.forecast import Target, Task
from barstack.core.seeds import derive_seed
from barstack.datasets import Inputs, Samples

from .._model import Model, Values

# Below this many rows a second thread costs more than it brings.
_ROWS_WORTH_THREADS = 20_000


class Boosting(Model):
    """Gradient-boosted trees, one booster a horizon, stopped early by the latest training rows.

    The defaults are for market returns: shallow trees, large leaves, small steps.
    """

    stops_early: ClassVar[bool] = True
    suffix: ClassVar[str]

    trees: int = Field(200, ge=1)
    learning_rate: float = Field(0.05, gt=0, le=1)
    depth: int = Field(4, ge=1, le=12)
    patience: int = Field(20, ge=1)  # rounds without improvement before stopping

    @abstractmethod
    def fit_one(
        self, X: Values, y: Values, stop_X: Values, stop_y: Values, task: Task, seed: int
    ) -> Any:
        """A booster of one horizon."""

    @abstractmethod
    def predict_one(self, booster: Any, X: Values, task: Task) -> Values:
        """(n_rows,) or (n_rows, 3) forecasts of one horizon."""

    @abstractmethod
    def save_one(self, booster: Any, file: Path) -> None:
        """Write in the library's own format."""

    @abstractmethod
    def load_one(self, file: Path) -> Any:
        """Read the library's own format."""

    def fit(self, train: Samples, stop: Samples | None, target: Target, seed: int) -> list[Any]:
        assert stop is not None  # stops_early
        X, stop_X = train.last(), stop.last()
        return [
            self.fit_one(
                X, train.y[:, place], stop_X, stop.y[:, place], target.task, derive_seed(seed, name)
            )
            for place, name in enumerate(target.horizons)
        ]

    def predict(self, learned: list[Any], inputs: Inputs, target: Target) -> Values:
        X = inputs.last()
        each = [self.predict_one(booster, X, target.task) for booster in learned]
        return np.stack(each, axis=1).reshape(len(X), len(learned), len(target.outputs))

    def save(self, learned: list[Any], folder: Path) -> None:
        for place, booster in enumerate(learned):
            self.save_one(booster, folder / f"horizon_{place}.{self.suffix}")

    def load(self, folder: Path, target: Target) -> list[Any]:
        files = [folder / f"horizon_{i}.{self.suffix}" for i in range(len(target.horizons))]
        for file in files:
            if not file.is_file():
                raise ArtifactError(f"{file} is missing. Restore it from a copy.")
        return [self.load_one(file) for file in files]


def threads_for(rows: int) -> int:
    """Threads worth using for this many training rows."""
    return 1 if rows < _ROWS_WORTH_THREADS else (os.cpu_count() or 1)


def imported(package: str, load: Callable[[], Any]) -> Any:
    """An optional library, or `MissingPackageError` that says how to get it."""
    try:
        return load()
    except ImportError as error:
        raise MissingPackageError(
            f"This model needs {package}: pip install 'barstack[boosting]' ({error})."
        ) from None
