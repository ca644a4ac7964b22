"""Models that learn each horizon by itself, and what they say where nothing can be learned."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.errors import ArtifactError
from barstack.core.forecast import Target
from barstack.core.seeds import derive_seed
from barstack.datasets import Inputs, Samples

from ._arrays import check_files, read_numbers, require_forecasts, seal_files
from ._libraries import cores, threads_for
from ._model import Model
from ._outputs import weighted_quantiles


class HorizonRows(NamedTuple):
    """Rows of one horizon: X (n_rows, n_features), y and weight (n_rows,).

    made     what a library has made of X and weight, which all horizons of the same rows share
    threads  that a fit on these rows may use
    """

    X: Floats
    y: Floats
    weight: Floats
    made: dict[str, Any] | None = None
    threads: int = 1

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` gives, made once for all horizons that have these rows."""
        if self.made is None:
            return make()
        if name not in self.made:
            self.made[name] = make()
        return self.made[name]

    @property
    def teaches(self) -> bool:
        """Whether labels and features differ at all, to the precision in which libraries look."""
        labels_vary = np.ptp(self.y.astype(np.float32)) > 0.0
        return bool(labels_vary and self.once("varies", lambda: np.ptp(self.X, axis=0).any()))

    def counted(self) -> HorizonRows:
        """Without the rows that count nothing."""
        counts = self.weight > 0.0
        if counts.all():
            return self
        return self.of(self.X[counts], self.y[counts], self.weight[counts])

    def of(self, X: Floats, y: Floats, weight: Floats) -> HorizonRows:
        """Other rows for the same fit."""
        return HorizonRows(X, y, weight, None, self.threads)

    def with_every_class(self, target: Target) -> HorizonRows:
        """One row more for each class that never occurs, at the mean of all: none is impossible."""
        absent = np.setdiff1d(np.arange(float(target.n_classes)), self.y)
        if not len(absent):
            return self
        middle = np.average(self.X, axis=0, weights=self.weight)
        return self.of(
            np.vstack([self.X, np.tile(middle, (len(absent), 1))]),
            np.concatenate([self.y, absent]),
            np.concatenate([self.weight, np.ones(len(absent))]),
        )


class PerHorizon(Model):
    """One learner a horizon, each with a file of its own."""

    threaded: ClassVar[bool] = True
    suffix: ClassVar[str] = "npz"

    @abstractmethod
    def fit_one(
        self, train: HorizonRows, stop: HorizonRows | None, target: Target, seed: int
    ) -> Any:
        """What is learned of one horizon; `stop` is there for models that stop early."""

    def update_one(
        self, learned: Any, train: HorizonRows, stop: HorizonRows | None, target: Target, seed: int
    ) -> Any:
        """What is learned of one horizon from later rows on top; `learned` stays as it is."""
        raise self.cannot_update()

    @abstractmethod
    def predict_one(self, learned: Any, X: Floats, target: Target) -> Floats:
        """(n_rows,) or (n_rows, n_outputs) forecasts of one horizon."""

    @abstractmethod
    def save_one(self, learned: Any, file: Path) -> None:
        """Write one horizon's as data."""

    @abstractmethod
    def load_one(self, file: Path, target: Target) -> Any:
        """Read what `save_one` wrote."""

    def fit(
        self,
        train: Samples,
        stop: Samples | None,
        target: Target,
        seed: int,
        *,
        threads: int | None = None,
    ) -> list[Any]:
        return [
            self.fit_one(own, stop_by, target, derive_seed(seed, name))
            if own.teaches
            else ConstantForecast.fit(own, target)
            for name, own, stop_by in _by_horizon(train, stop, target, threads or cores())
        ]

    @property
    def updates(self) -> bool:
        return type(self).update_one is not PerHorizon.update_one

    def update(
        self, learned: list[Any], train: Samples, stop: Samples | None, target: Target, seed: int
    ) -> list[Any]:
        updated, by_horizon = list(learned), _by_horizon(train, stop, target, cores())
        for place, (name, own, stop_by) in enumerate(by_horizon):
            one, own_seed = learned[place], derive_seed(seed, name)
            if not own.teaches:
                continue
            updated[place] = (
                self.fit_one(own, stop_by, target, own_seed)
                if isinstance(one, ConstantForecast)
                else self.update_one(one, own, stop_by, target, own_seed)
            )
        return updated

    def predict(self, learned: list[Any], inputs: Inputs, target: Target) -> Floats:
        X = inputs.last()
        each = [
            one.predict(len(X))
            if isinstance(one, ConstantForecast)
            else self.predict_one(one, X, target)
            for one in learned
        ]
        each = [values.reshape(len(X), len(target.outputs)) for values in each]
        return np.stack(each, axis=1)

    def save(self, learned: list[Any], folder: Path) -> None:
        for place, one in enumerate(learned):
            file = folder / f"horizon_{place}.{self.suffix}"
            if isinstance(one, ConstantForecast):
                file.with_suffix(".json").write_text(json.dumps(one.values))
            else:
                self.save_one(one, file)
        seal_files(folder)

    def load(self, folder: Path, target: Target) -> list[Any]:
        check_files(folder)
        learned: list[Any] = []
        for place in range(len(target.horizons)):
            file = folder / f"horizon_{place}.{self.suffix}"
            unchanging = file.with_suffix(".json")
            if unchanging.is_file():
                values = read_numbers(unchanging, len(target.outputs))
                require_forecasts(unchanging, np.array(values), target)
                learned.append(ConstantForecast(values))
            elif file.is_file():
                learned.append(self.load_one(file, target))
            else:
                raise ArtifactError(f"{file} is missing. Restore it from a copy.")
        return learned


class ConstantForecast(NamedTuple):
    """One forecast for every row, where labels or features never differ and nothing is learned."""

    values: tuple[float, ...]

    @classmethod
    def fit(cls, part: HorizonRows, target: Target) -> ConstantForecast:
        """The mean, the quantiles, or the classes' shares with one more of each to be possible."""
        y, weight = part.y, part.weight
        if target.levels:
            return cls(tuple(map(float, weighted_quantiles(y, weight, target.levels))))
        if target.task == "return":
            return cls((float(np.average(y, weights=weight)),))
        counts = np.bincount(y.astype(np.int64), weight, minlength=target.n_classes) + 1.0
        shares = counts / counts.sum()
        return cls(tuple(map(float, shares if len(target.outputs) > 1 else shares[1:])))

    def predict(self, n_rows: int) -> Floats:
        """(n_rows, n_outputs)."""
        return np.tile(np.array(self.values), (n_rows, 1))


def _by_horizon(
    train: Samples, stop: Samples | None, target: Target, threads: int
) -> Iterator[tuple[str, HorizonRows, HorizonRows | None]]:
    """The name of each horizon, its rows to learn from and those to stop by."""
    X = train.last()
    stop_X = None if stop is None else stop.last()
    made: dict[str, Any] = {}
    threads = threads_for(len(X), threads)
    stop_made: dict[str, Any] = {}
    for place, name in enumerate(target.horizons):
        stop_by = None
        if stop is not None and stop_X is not None:
            stop_by = HorizonRows(stop_X, stop.y[:, place], stop.weight, stop_made, threads)
        yield name, HorizonRows(X, train.y[:, place], train.weight, made, threads), stop_by
