"""The contract of a model: four methods, a decorator and a config."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from barstack.core.arrays import Floats, Rows
from barstack.core.errors import ConfigError
from barstack.core.forecast import EVERY_TASK, Target, Task
from barstack.core.registry import SpecRegistry
from barstack.core.spec import Spec
from barstack.datasets import Dataset, FittedScaler, Inputs, Samples

__all__ = ["EVERY_TASK", "MODELS", "Carried", "FoldFits", "Model", "register"]

# A forecaster that keeps its state from row to row: one scaled, finite row, (1, n_columns), to
# (1, n_horizons, n_outputs). It is called with consecutive rows.
Carried = Callable[[Floats], Floats]


class FoldFits(ABC):
    """Fits of one kind of model on the folds of one dataset, which share work.

    Attributes
    ----------
    rows : sequence of row numbers
        Rows that each fold is fitted on.
    y_scale : sequence of (n_horizons,)
        By which each fold's labels are divided.
    """

    def __init__(self, dataset: Dataset, rows: Sequence[Rows], y_scale: Sequence[Floats]) -> None:
        self.dataset, self.rows, self.y_scale = dataset, rows, y_scale

    @abstractmethod
    def fit(self, model: Any, fold: int) -> tuple[Any, FittedScaler]:
        """What the model learns on one fold, and the scaler fitted on its rows.

        It may be called from several threads, and differs from `Model.fit` by rounding at most.
        """


class Model(Spec):
    """A recipe for learning. Fields are its settings; what it learned is a separate value.

    Subclass it, decorate with `register(name, family=..., tasks=...)` and write the four methods.
    Returns in `train.y` are in training deviations, and `predict` returns the same unit. The
    trainer scales there and back, sorts quantiles and checks inputs and times.
    """

    family: ClassVar[str] = ""
    tasks: ClassVar[tuple[Task, ...]] = ()
    stops_early: ClassVar[bool] = False  # whether `fit` needs rows to stop early by
    resumes: ClassVar[bool] = False  # whether `fit` takes a `folder` to resume from when killed
    threaded: ClassVar[bool] = False  # whether `fit` takes `threads`, the most it may use
    # Whether several fits of the class may run at once in threads of one process, each with
    # threads=1 where it takes them, and learn the same to the bit as one after the other.
    concurrent: ClassVar[bool] = False
    packages: ClassVar[tuple[str, ...]] = ()  # libraries whose version changes what is learned
    # Where tuning searches: for each setting a list of choices, or {low: ..., high: ..., log: ...}.
    search: ClassVar[Mapping[str, Any]] = {}

    @property
    def lookback_bars(self) -> int:
        """Bars that one forecast looks at: 1 for models of the newest bar only."""
        return 1

    @abstractmethod
    def fit(self, train: Samples, stop: Samples | None, target: Target, seed: int) -> Any:
        """Learn from `train`; `stop` is later and given only to models that stop early."""

    @property
    def fold_fits(self) -> type[FoldFits] | None:
        """How fits on several folds of one dataset share work; None where they share nothing.

        Only for models of the newest bar that do not stop early.
        """
        return None

    @property
    def updates(self) -> bool:
        """Whether it can learn from later rows alone: by default, where `update` is overridden."""
        return type(self).update is not Model.update

    def update(
        self, learned: Any, train: Samples, stop: Samples | None, target: Target, seed: int
    ) -> Any:
        """Learn further from `train`, rows not seen before; `learned` is left unchanged.

        Features and labels are in the scales of the first training.
        """
        raise self.cannot_update()

    def cannot_update(self) -> ConfigError:
        """The error to raise where the model has to be trained again on all rows."""
        name = self.registered_as[1] if self.registered_as else type(self).__name__
        return ConfigError(
            f"{name} cannot learn on from new rows alone. Train it again on all rows, or choose a "
            "model that can, such as ridge, lightgbm or a network."
        )

    @abstractmethod
    def predict(self, learned: Any, inputs: Inputs, target: Target) -> Floats:
        """(n_rows, n_horizons, n_outputs) forecasts; each row depends on its own inputs alone."""

    @abstractmethod
    def save(self, learned: Any, folder: Path) -> None:
        """Write what was learned as data files, never code, into an existing empty folder."""

    @abstractmethod
    def load(self, folder: Path, target: Target) -> Any:
        """Read back what `save` wrote; its forecasts are the same to the bit."""

    def files_id(self) -> str:
        """Hash of the files that settings name: another file at the same path is another model."""
        return ""

    @property
    def pretrained_through(self) -> np.datetime64 | None:
        """Latest bar that pretrained weights may have seen; None where there are no such weights.

        Nothing earlier may be forecast with them, as they could remember it.
        """
        return None

    def symbols(self, learned: Any) -> Collection[str] | None:
        """Symbols that it can forecast; None for any."""
        return None

    def curves(self, learned: Any) -> list[dict[str, float]]:
        """Learning curves, one dict of measures for each epoch; empty where there are none."""
        return []

    def compiled(self, learned: Any, target: Target) -> Callable[[Inputs], Floats] | None:
        """A faster `predict` for one row, compiled in seconds; None where `predict` is fast.

        Raises `MissingPackageError` where an optional package is needed and missing.
        """
        return None

    def carried(self, learned: Any, target: Target) -> Callable[[], Carried] | None:
        """A factory of forecasters with state for one symbol's rows; None for stateless models.

        From row number `lookback_bars` on, such a forecaster returns what `predict` returns for
        the latest window, whatever came before it. Raises `MissingPackageError` as `compiled`.
        """
        return None


MODELS: SpecRegistry[Model] = SpecRegistry("model", "barstack.models")
register = MODELS.register
