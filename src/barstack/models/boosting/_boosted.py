"""Boosters of other libraries: kept in the library's own format, and as arrays that forecast."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from barstack.core.errors import FaultError
from barstack.core.forecast import Target, Task
from barstack.datasets import Samples

from .._horizons import Unchanging
from .._links import LINKS, n_scores
from .._model import Values
from .._trees import Trees
from ._horizons import Boosting

_CHECKED_ROWS = 64
_SAME = 1e-5  # XGBoost adds up in float32


@dataclass(frozen=True, eq=False)
class Boosted:
    """One horizon's booster.

    native  what the library writes, to go on from there; never read for a forecast
    trees   the same as plain arrays, which forecast
    """

    native: bytes
    trees: Trees


class NativeBoosting(Boosting):
    """Boosting by a library with a format of its own.

    Such formats are read by native code that trusts them: a changed byte can crash it. So what is
    loaded is the arrays, checked to the last node, and the library's file lies beside them for who
    wants to go on training (`revive`) or to take it elsewhere.
    """

    version: ClassVar[int] = 2
    native_suffix: ClassVar[str]
    single: ClassVar[bool] = False  # whether the library compares in float32

    @abstractmethod
    def to_native(self, booster: Any) -> bytes:
        """The library's own file."""

    @abstractmethod
    def to_trees(self, booster: Any) -> Trees:
        """The booster's trees as plain arrays."""

    @abstractmethod
    def revive(self, learned: Boosted) -> Any:
        """The library's booster again, from bytes that you trust: the library does not check."""

    @abstractmethod
    def predict_native(self, booster: Any, X: Values, task: Task) -> Values:
        """(n_rows,) or (n_rows, n_outputs) what the library itself says, to check ours by."""

    def fit(self, train: Samples, stop: Samples | None, target: Target, seed: int) -> list[Any]:
        sample = train.last(slice(0, _CHECKED_ROWS))
        return [
            one if isinstance(one, Unchanging) else self._boosted(one, sample, target.task)
            for one in super().fit(train, stop, target, seed)
        ]

    def predict_one(self, learned: Boosted, X: Values, task: Task) -> Values:
        rows = X.astype(np.float32).astype(float) if self.single else X
        return LINKS[task](learned.trees.sums(rows))

    def save_one(self, learned: Boosted, file: Path) -> None:
        learned.trees.save(file)
        file.with_suffix(self.native_suffix).write_bytes(learned.native)

    def load_one(self, file: Path, task: Task) -> Boosted:
        native = file.with_suffix(self.native_suffix).read_bytes()
        return Boosted(native, Trees.load(file, n_scores(task)))

    def _boosted(self, booster: Any, sample: Values, task: Task) -> Boosted:
        found = Boosted(self.to_native(booster), self.to_trees(booster))
        ours = self.predict_one(found, sample, task)
        theirs = self.predict_native(booster, sample, task).reshape(ours.shape)
        if not np.abs(ours - theirs).max() <= _SAME * max(1.0, np.abs(theirs).max()):
            raise FaultError(
                f"The trees read from {type(self).__name__} forecast {ours[0].tolist()} where the "
                f"library says {theirs[0].tolist()}. Use the library's version that barstack's "
                "constraints.txt names, and report this."
            )
        return found
