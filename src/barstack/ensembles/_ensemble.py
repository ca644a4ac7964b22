"""The contract of an ensemble: it learns how to combine out-of-fold forecasts, and nothing else."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from barstack.core.arrays import Array, Floats, Ints
from barstack.core.errors import ConfigError
from barstack.core.forecast import Task
from barstack.core.registry import SpecRegistry
from barstack.core.spec import Spec

from ._stacked import Stacked


class Ensemble(Spec):
    """A recipe for combining forecasts of several members of the same target.

    Subclass it, decorate with `register(name)` and write `fit`, `predict`, `save` and `load`.
    Fields are settings; what was learned is a separate value. Sorting of quantiles, the choice of
    rows, seeds and all checks of times are done outside.
    """

    # What it can combine; a study of another task refuses it.
    tasks: ClassVar[tuple[Task, ...]] = ("return", "direction", "three_class")
    packages: ClassVar[tuple[str, ...]] = ()  # libraries whose version changes what is learned

    # Names of the members and ensembles that it combines; all members of the study where empty.
    of: tuple[str, ...] = ()

    def identity(self) -> list[Any]:
        """As before ensembles could name what they combine, where this one names nothing."""
        *front, fields = super().identity()
        return [*front, {name: item for name, item in fields.items() if name != "of" or item}]

    @property
    def needs(self) -> tuple[str, ...]:
        """Entries of `Stacked.context` that it reads: `features`, `regimes`."""
        return ()

    @abstractmethod
    def fit(self, stacked: Stacked) -> Any:
        """Learn from out-of-fold forecasts and their outcomes, each of which is known.

        Every random choice follows from `stacked.seed`.
        """

    @abstractmethod
    def predict(self, learned: Any, stacked: Stacked) -> Floats:
        """(n_rows, n_horizons, n_outputs) combined forecasts; each row depends on itself alone.

        Outcomes are not among what it is given: `y`, `known_at` and `returns` are None.
        """

    @property
    def updates(self) -> bool:
        """Whether it learns on as labels become known: by default, where `update` is written."""
        return type(self).update is not Ensemble.update

    def update(self, learned: Any, stacked: Stacked) -> Any:
        """Learn on from later rows, in the order in which their labels become known.

        `learned` stays as it is. Rows given at once or one after the other lead to the same.
        """
        name = self.registered_as[1] if self.registered_as else type(self).__name__
        raise ConfigError(
            f"Ensemble {name} cannot learn on from new rows alone. Fit it again on all rows."
        )

    def follow(self, learned: Any, known: Stacked, counts: Ints, stacked: Stacked) -> Floats | None:
        """Forecasts of decisions, each after `update` with what was known by then; all at once.

        The same to the bit as `update` and `predict` in turn, which is what is done where this
        returns None.

        Parameters
        ----------
        known : rows in the order in which their labels became known
        counts : (n_rows,) rising; how many of these were known by each decision
        stacked : the decisions, without outcomes
        """
        return None

    def weights(self, learned: Any) -> Floats | None:
        """(n_horizons, n_members) how much each member counts; None where that is no one number."""
        return None

    def explain(self, learned: Any, stacked: Stacked) -> Mapping[str, Array]:
        """By name, (n_rows, ...) of what led to each forecast, such as a gate's weights."""
        return {}

    def note(self, learned: Any) -> str | None:
        """A sentence on what was learned that whoever reads its forecasts should know."""
        return None

    @abstractmethod
    def save(self, learned: Any, folder: Path) -> None:
        """Write what was learned as data files, never code, into an existing empty folder."""

    @abstractmethod
    def load(self, folder: Path) -> Any:
        """Read back what `save` wrote; its forecasts are the same to the bit."""


ENSEMBLES: SpecRegistry[Ensemble] = SpecRegistry("ensemble", "barstack.ensembles")
register = ENSEMBLES.register
