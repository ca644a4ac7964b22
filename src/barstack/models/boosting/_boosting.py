"""Boosters of other libraries: kept in the library's own format, and as arrays that forecast."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats
from barstack.core.errors import FaultError
from barstack.core.forecast import Target
from barstack.core.untrusted import opened, read_bytes
from barstack.datasets import Inputs

from .._outputs import LINKS
from .._per_horizon import ConstantForecast, HorizonRows, PerHorizon
from .._trees import Trees

_CHECKED_ROWS = 64
_LARGEST_FILE = 2**31  # of what a library writes, which is read to train on only
_SAME = 1e-5  # XGBoost adds up in float32


class Boosting(PerHorizon):
    """Gradient-boosted trees, one booster a horizon, stopped early by the latest training rows.

    The defaults are for market returns: shallow trees, large leaves, small steps.
    """

    stops_early: ClassVar[bool] = True
    concurrent: ClassVar[bool] = True

    trees: int = Field(200, ge=1, le=100_000, description="most trees of a booster")
    learning_rate: float = Field(0.05, gt=0, le=1, description="how much each tree counts, 0 to 1")
    depth: int = Field(4, ge=1, le=12, description="levels of a tree")
    patience: int = Field(
        20, ge=1, le=100_000, description="rounds without improvement before stopping"
    )


def _bytes(native: bytes | Path) -> bytes:
    return read_bytes(native, _LARGEST_FILE) if isinstance(native, Path) else native


@dataclass(frozen=True, eq=False)
class Boosted:
    """What was learned of one horizon.

    natives  the library's serialised booster, or one for each level of quantiles: for training
             further, never read for a forecast. After loading, the paths of the files, unread
    trees    the same trees as plain arrays, which forecast
    """

    natives: tuple[bytes | Path, ...]
    trees: Trees


class NativeBoosting(Boosting):
    """Boosting by a library with a format of its own.

    Such formats are read by native code that trusts them: a changed byte can crash it. So what is
    loaded is the arrays, checked to the last node, and the library's files lie beside them for who
    wants to go on training (`revive`) or to take them elsewhere.
    """

    version: ClassVar[int] = 2
    native_suffix: ClassVar[str]
    single: ClassVar[bool] = False  # whether the library compares in float32

    @abstractmethod
    def grow(
        self,
        train: HorizonRows,
        stop: HorizonRows,
        target: Target,
        seed: int,
        begin: list[Any] | None,
    ) -> list[Any]:
        """The library's boosters of one horizon, as many as `n_boosters`, on top of `begin`."""

    @abstractmethod
    def to_native(self, booster: Any) -> bytes:
        """The library's own file."""

    @abstractmethod
    def from_native(self, native: bytes) -> Any:
        """The booster again, from bytes that can be trusted: the library does not check."""

    @abstractmethod
    def to_trees(self, booster: Any) -> Trees:
        """The booster's trees as plain arrays."""

    @abstractmethod
    def predict_native(self, boosters: list[Any], X: Floats, target: Target) -> Floats:
        """(n_rows,) or (n_rows, n_outputs) the library's own forecasts, to check ours by."""

    def n_boosters(self, target: Target) -> int:
        """How many the library needs for one horizon."""
        return 1

    def revive(self, learned: Boosted) -> list[Any]:
        """The library's boosters of one horizon, from bytes that you trust."""
        return [self.from_native(_bytes(each)) for each in learned.natives]

    def fit_one(
        self, train: HorizonRows, stop: HorizonRows | None, target: Target, seed: int
    ) -> Boosted:
        assert stop is not None  # stops_early
        return self._boosted(self.grow(train, stop, target, seed, None), train, target)

    def update_one(
        self,
        learned: Boosted,
        train: HorizonRows,
        stop: HorizonRows | None,
        target: Target,
        seed: int,
    ) -> Boosted:
        assert stop is not None  # stops_early
        grown = self.grow(train, stop, target, seed, self.revive(learned))
        return self._boosted(grown, train, target)

    def predict_one(self, learned: Boosted, X: Floats, target: Target) -> Floats:
        rows = X.astype(np.float32).astype(float) if self.single else X
        return LINKS[target.task](learned.trees.sums(rows))

    def compiled(
        self, learned: list[Boosted | ConstantForecast], target: Target
    ) -> Callable[[Inputs], Floats] | None:
        """All horizons in one walk, to the same bits."""
        boosted = [one for one in learned if isinstance(one, Boosted)]
        if len(boosted) < len(learned):
            return None
        trees = Trees.abreast([one.trees for one in boosted])
        shape = (1, len(target.horizons), len(target.outputs))
        link = LINKS[target.task]

        def forecast(inputs: Inputs) -> Floats:
            row = inputs.last()
            if self.single:
                row = row.astype(np.float32).astype(float)
            return link(trees.sums(row).reshape(shape))

        return forecast

    def save_one(self, learned: Boosted, file: Path) -> None:
        learned.trees.save(file)
        for native, own in zip(
            learned.natives, self._files(file, len(learned.natives)), strict=True
        ):
            own.write_bytes(_bytes(native))

    def load_one(self, file: Path, target: Target) -> Boosted:
        files = self._files(file, self.n_boosters(target))
        for own in files:
            with opened(own, _LARGEST_FILE):  # it is there, and no link
                pass
        return Boosted(tuple(files), Trees.load(file, len(target.outputs)))

    def _files(self, file: Path, count: int) -> list[Path]:
        """One for each booster of a horizon."""
        stems = [file.stem, *(f"{file.stem}_{place}" for place in range(1, count))]
        return [file.with_name(f"{stem}{self.native_suffix}") for stem in stems]

    def _boosted(self, boosters: list[Any], train: HorizonRows, target: Target) -> Boosted:
        trees = Trees.abreast([self.to_trees(each) for each in boosters])
        found = Boosted(tuple(self.to_native(each) for each in boosters), trees)
        sample = train.X[:_CHECKED_ROWS]
        ours = self.predict_one(found, sample, target)
        theirs = self.predict_native(boosters, sample, target).reshape(ours.shape)
        if not np.abs(ours - theirs).max() <= _SAME * max(1.0, np.abs(theirs).max()):
            raise FaultError(
                f"The trees read from {type(self).__name__} forecast {ours[0].tolist()} where the "
                f"library says {theirs[0].tolist()}. Use the library's version that barstack's "
                "constraints.txt names, and report this."
            )
        return found
