"""What the three libraries share: one booster a horizon, all with the same few settings."""

from __future__ import annotations

import json
import os
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from barstack.core.errors import ArtifactError, MissingPackageError
from barstack.core.forecast import Target, Task
from barstack.core.seeds import derive_seed
from barstack.datasets import Inputs, Samples

from .._model import Model, Values

# Below this many rows a second thread costs more than it brings.
_ROWS_WORTH_THREADS = 20_000


class Part(NamedTuple):
    """Rows of one horizon: X (n_rows, n_features), y and weight (n_rows,)."""

    X: Values
    y: Values
    weight: Values


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
    def fit_one(self, train: Part, stop: Part, task: Task, seed: int) -> Any:
        """A booster of one horizon, stopped early by `stop`."""

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
        learned: list[Any] = []
        for place, name in enumerate(target.horizons):
            own = Part(X, train.y[:, place], train.weight)
            if np.ptp(own.y) == 0.0 or not np.ptp(X, axis=0).any():
                learned.append(Unchanging.fit(own, target))
            else:
                stop_by = Part(stop_X, stop.y[:, place], stop.weight)
                learned.append(self.fit_one(own, stop_by, target.task, derive_seed(seed, name)))
        return learned

    def predict(self, learned: list[Any], inputs: Inputs, target: Target) -> Values:
        X = inputs.last()
        each = [
            booster.predict(len(X))
            if isinstance(booster, Unchanging)
            else self.predict_one(booster, X, target.task)
            for booster in learned
        ]
        each = [values.reshape(len(X), len(target.outputs)) for values in each]
        return np.stack(each, axis=1)

    def save(self, learned: list[Any], folder: Path) -> None:
        for place, booster in enumerate(learned):
            file = folder / f"horizon_{place}.{self.suffix}"
            if isinstance(booster, Unchanging):
                file.with_suffix(".json").write_text(json.dumps(booster.values))
            else:
                self.save_one(booster, file)

    def load(self, folder: Path, target: Target) -> list[Any]:
        learned: list[Any] = []
        for place in range(len(target.horizons)):
            file = folder / f"horizon_{place}.{self.suffix}"
            unchanging = file.with_suffix(".json")
            if unchanging.is_file():
                learned.append(Unchanging(tuple(json.loads(unchanging.read_text()))))
            elif file.is_file():
                learned.append(self.load_one(file))
            else:
                raise ArtifactError(f"{file} is missing. Restore it from a copy.")
        return learned


class Unchanging(NamedTuple):
    """One forecast for every row, where labels or features never differ and trees cannot grow."""

    values: tuple[float, ...]

    @classmethod
    def fit(cls, part: Part, target: Target) -> Unchanging:
        """The mean, or the classes' shares with one more of each, as none is impossible."""
        _, y, weight = part
        if target.task == "return":
            return cls((float(np.average(y, weights=weight)),))
        n_classes = max(len(target.outputs), 2)
        counts = np.bincount(y.astype(np.int64), weight, minlength=n_classes) + 1.0
        shares = counts / counts.sum()
        return cls(tuple(map(float, shares if len(target.outputs) > 1 else shares[1:])))

    def predict(self, n_rows: int) -> Values:
        """(n_rows, n_outputs)."""
        return np.tile(np.array(self.values), (n_rows, 1))


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
