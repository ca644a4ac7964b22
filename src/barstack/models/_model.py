"""The contract of a model: four methods, a decorator and a config."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError
from barstack.core.forecast import EVERY_TASK, Target, Task
from barstack.core.registry import SpecRegistry
from barstack.core.spec import Spec
from barstack.datasets import Inputs, Samples

__all__ = ["EVERY_TASK", "MODELS", "Model", "register"]


# Along rows that come one after the other, with what it carries between them: one row, scaled and
# finite, (1, n_columns), to (1, n_horizons, n_outputs).
Carried = Callable[[Floats], Floats]


class Model(Spec):
    """A recipe for learning. Fields are its settings; what it learned is a separate value.

    Subclass it, decorate with `register(name, family=..., tasks=...)` and write the four methods.
    Returns in `train.y` are in training deviations and `predict` answers in the same unit;
    scaling there and back, sorting quantiles, checks of input and times are the trainer's work.
    """

    family: ClassVar[str] = ""
    tasks: ClassVar[tuple[Task, ...]] = ()
    stops_early: ClassVar[bool] = False  # whether `fit` wants a stretch to stop by
    resumes: ClassVar[bool] = False  # whether `fit` takes a `folder` to go on from when killed
    one_thread: ClassVar[bool] = False  # whether `fit` keeps one core busy and no more
    packages: ClassVar[tuple[str, ...]] = ()  # libraries whose version changes what is learned
    exempt: ClassVar[dict[str, str]] = {}  # checks of the contract that cannot hold, and why not

    @property
    def lookback_bars(self) -> int:
        """Bars that one forecast looks at: 1 for models of the newest bar only."""
        return 1

    @abstractmethod
    def fit(self, train: Samples, stop: Samples | None, target: Target, seed: int) -> Any:
        """Learn from `train`; `stop` is later and given only to models that stop early."""

    @property
    def updates(self) -> bool:
        """Whether it can learn on from later rows alone: by default, where `update` is written."""
        return type(self).update is not Model.update

    def update(
        self, learned: Any, train: Samples, stop: Samples | None, target: Target, seed: int
    ) -> Any:
        """Learn on from `train`, rows that were not seen before; `learned` stays as it is.

        Features and labels are in the scales of the first training.
        """
        raise self.cannot_update()

    def cannot_update(self) -> ConfigError:
        """What to raise where only training on all rows will do."""
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
        """Latest bar that weights brought from elsewhere may have seen; None where there are none.

        Nothing earlier may be forecast with them: they could remember it.
        """
        return None

    def symbols(self, learned: Any) -> Collection[str] | None:
        """Whom it can forecast; None where that is anybody."""
        return None

    def curves(self, learned: Any) -> list[dict[str, float]]:
        """How learning went, epoch by epoch, where there are any; by name what was measured."""
        return []

    def compiled(self, learned: Any, target: Target) -> Callable[[Inputs], Floats] | None:
        """What `predict` says of one row, made in seconds and quicker; None where it is quick.

        Raises `MissingPackageError` where it takes a package that is not here.
        """
        return None

    def carried(self, learned: Any, target: Target) -> Callable[[], Carried] | None:
        """What makes a state for one symbol's rows; None for models that carry nothing.

        After `lookback_bars` rows it says what `predict` says of the latest window, whatever came
        before it. Raises `MissingPackageError` where it takes a package that is not here.
        """
        return None


MODELS: SpecRegistry[Model] = SpecRegistry("model", "barstack.models")
register = MODELS.register
