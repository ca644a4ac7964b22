"""The contract of an ensemble: it learns how to combine out-of-fold forecasts, and nothing else."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from barstack.core.arrays import Floats, Ints, Rows
from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, DataError
from barstack.core.forecast import Forecast, Target, Task, concatenate, uncrossed
from barstack.core.parts import Calling, broken, built_in, forecasts, numbers
from barstack.core.registry import SpecRegistry
from barstack.core.spec import Spec
from barstack.core.times import KnownAt, TrainedThrough, iso
from barstack.labels import LabelTable
from barstack.tracking import OutOfFold


class Ensemble(Spec):
    """A recipe for combining forecasts of several members of the same target.

    forecasts  (n_rows, n_members, n_horizons, n_outputs)
    y          (n_rows, n_horizons) labels
    """

    # What it can combine; a study of another task refuses it.
    tasks: ClassVar[tuple[Task, ...]] = ("return", "direction", "three_class")

    @abstractmethod
    def fit(self, forecasts: Floats, y: Floats, target: Target) -> Any:
        """Learn from out-of-fold forecasts and what came of them."""

    @abstractmethod
    def predict(self, learned: Any, forecasts: Floats, target: Target) -> Floats:
        """(n_rows, n_horizons, n_outputs) the combined forecast, each row by itself."""

    @abstractmethod
    def weights(self, learned: Any) -> Floats:
        """(n_horizons, n_members) how much each member counts."""

    @abstractmethod
    def save(self, learned: Any, file: Path) -> None:
        """Write what was learned as data."""

    @abstractmethod
    def load(self, file: Path) -> Any:
        """Read back what `save` wrote."""


@dataclass(frozen=True, eq=False)
class MemberForecasts:
    """Out-of-fold forecasts of several members for the decisions that all of them forecast.

    names            of the members, in order
    values           (n_rows, n_members, n_horizons, n_outputs)
    trained_through  (n_rows,) the latest of any member
    fold             (n_rows,)
    """

    names: tuple[str, ...]
    decisions: Decisions
    target: Target
    values: Floats
    trained_through: TrainedThrough
    fold: Ints

    def member(self, place: int) -> Floats:
        """(n_rows, n_horizons, n_outputs) one member's forecasts."""
        return self.values[:, place]


def align(members: Mapping[str, OutOfFold]) -> MemberForecasts:
    """Forecasts of all members side by side, on the decisions they share.

    Raises `ConfigError` when members forecast different things or share no decision, or when
    they come from crossed folds, which are not for verdicts.
    """
    if not members:
        raise ConfigError("An ensemble needs at least one member.")
    forecasts = {name: each.forecast for name, each in members.items()}
    first = next(iter(forecasts.values()))
    for name, forecast in forecasts.items():
        if forecast.target != first.target or forecast.decisions.symbols != first.decisions.symbols:
            raise ConfigError(f"Member {name!r} forecasts {forecast.target}, not {first.target}.")
        if forecast.kind != "forward":
            raise ConfigError(
                f"Member {name!r} has {forecast.kind} forecasts. Verdicts and served models need "
                "forward ones: split with walk_forward or chronological."
            )
    decisions = [forecast.decisions for forecast in forecasts.values()]
    keys = _keys(decisions)
    common = reduce(np.intersect1d, keys)
    if not len(common):
        raise ConfigError(f"Members {', '.join(members)} share no decision to combine.")
    picks = [_places(key, common) for key in keys]
    parts = [each.take(pick) for each, pick in zip(forecasts.values(), picks, strict=True)]
    through = np.maximum.reduce([part.trained_through for part in parts])
    fold = next(iter(members.values())).fold[picks[0]]
    return MemberForecasts(
        tuple(members),
        parts[0].decisions,
        first.target,
        np.stack([part.values for part in parts], axis=1),
        TrainedThrough(through),
        fold,
    )


def _keys(decisions: Sequence[Decisions]) -> list[Rows]:
    """One number for each decision, equal for equal decisions, rising with time, then symbol."""
    times = np.unique(np.concatenate([each.decided_at for each in decisions]))
    n_symbols = len(decisions[0].symbols)
    return [
        np.searchsorted(times, each.decided_at) * n_symbols + each.symbol_code for each in decisions
    ]


def _places(keys: Rows, wanted: Rows) -> Rows:
    order = np.argsort(keys)
    return np.asarray(order[np.searchsorted(keys, wanted, sorter=order)])


@dataclass(frozen=True, eq=False)
class FittedEnsemble:
    """What an ensemble learned, from whom, and through when."""

    ensemble: Ensemble
    learned: Any
    members: tuple[str, ...]
    trained_through: np.datetime64

    def predict(self, forecasts: Floats, target: Target) -> Floats:
        """(n_rows, n_horizons, n_outputs) from (n_rows, n_members, n_horizons, n_outputs)."""
        found = _predict(self.ensemble, self.learned, forecasts, target)
        return uncrossed(found, target)

    def weights(self, target: Target) -> dict[str, dict[str, float]]:
        """Weight of each member at each horizon."""
        matrix = self.weight_matrix(target)
        return {
            horizon: dict(zip(self.members, map(float, row), strict=True))
            for horizon, row in zip(target.horizons, matrix, strict=True)
        }

    def weight_matrix(self, target: Target) -> Floats:
        """(n_horizons, n_members) the same as an array."""
        return _weights(self.ensemble, self.learned, len(self.members), target)

    def save(self, file: Path) -> None:
        """Write what was learned as data."""
        _save(self.ensemble, self.learned, file)

    @classmethod
    def load(
        cls,
        ensemble: Ensemble,
        file: Path,
        members: tuple[str, ...],
        trained_through: np.datetime64,
    ) -> FittedEnsemble:
        """Read back what `save` wrote."""
        return cls(ensemble, _load(ensemble, file), members, trained_through)


def fit_known(
    ensemble: Ensemble, members: MemberForecasts, labels: LabelTable, rows: Rows | None = None
) -> FittedEnsemble:
    """Fit on the given rows of the members' forecasts, by default all whose labels are known."""
    at = labels.decisions.find(members.decisions)
    known_at = KnownAt(labels.all_known_at[at])
    if rows is None:
        rows = np.flatnonzero(~np.isnat(known_at))
    learned = _fit(ensemble, members.values[rows], labels.values[at][rows], members.target)
    through = max(known_at[rows].max(), members.trained_through[rows].max())
    return FittedEnsemble(ensemble, learned, members.names, through)


def walk_forward(
    ensemble: Ensemble, members: MemberForecasts, labels: LabelTable
) -> tuple[OutOfFold, dict[int, FittedEnsemble]]:
    """The ensemble's own forward forecasts, from the second fold on.

    For each fold it learns from forecasts of earlier folds whose labels were known when the
    fold began. Returns the forecasts, and the ensemble fitted before each fold.
    """
    known_at = labels.all_known_at[labels.decisions.find(members.decisions)]
    parts, folds, fitted = [], [], {}
    for fold in np.unique(members.fold)[1:]:
        test = np.flatnonzero(members.fold == fold)
        begins = members.decisions.decided_at[test].min()
        rows = np.flatnonzero((members.fold < fold) & (known_at <= begins))
        if not len(rows):
            raise DataError(
                f"No out-of-fold label is known by {iso(begins)}, when fold {fold} begins, for the "
                "ensemble to learn from. Use fewer folds, more bars or a shorter horizon."
            )
        trained = fit_known(ensemble, members, labels, rows)
        through = np.maximum(members.trained_through[test], trained.trained_through)
        parts.append(
            Forecast(
                members.decisions.take(test),
                members.target,
                trained.predict(members.values[test], members.target),
                TrainedThrough(through),
            )
        )
        folds.append(np.full(len(test), fold))
        fitted[int(fold)] = trained
    if not parts:
        raise ConfigError("An ensemble needs two folds or more: it learns from the first.")
    return OutOfFold(concatenate(parts), np.concatenate(folds)), fitted


ENSEMBLES: SpecRegistry[Ensemble] = SpecRegistry("ensemble", "barstack.ensembles")
register = ENSEMBLES.register


def _fit(ensemble: Ensemble, members: Floats, y: Floats, target: Target) -> Any:
    """What the ensemble learned, which is never None."""
    with Calling(ensemble, "fit"):
        learned = ensemble.fit(members, y, target)
    return _something(ensemble, "fit", learned)


def _predict(ensemble: Ensemble, learned: Any, members: Floats, target: Target) -> Floats:
    """(n_rows, n_horizons, n_outputs) float64, finite."""
    with Calling(ensemble, "predict"):
        found = ensemble.predict(learned, members, target)
    if built_in(ensemble):  # held to it by barstack's tests, and asked for single rows
        return found
    return forecasts(ensemble, "predict", found, len(members), target)


def _weights(ensemble: Ensemble, learned: Any, n_members: int, target: Target) -> Floats:
    """(n_horizons, n_members) finite."""
    with Calling(ensemble, "weights"):
        found = ensemble.weights(learned)
    shape = (len(target.horizons), n_members)
    matrix = numbers(ensemble, "weights", found, shape)
    if not np.isfinite(matrix).all():
        raise broken(ensemble, f"weights returns {matrix.tolist()}. Return finite numbers.")
    return matrix


def _save(ensemble: Ensemble, learned: Any, file: Path) -> None:
    """Let the ensemble write what it learned."""
    with Calling(ensemble, "save"):
        ensemble.save(learned, file)


def _load(ensemble: Ensemble, file: Path) -> Any:
    """What the ensemble reads back, which is never None."""
    with Calling(ensemble, "load"):
        learned = ensemble.load(file)
    return _something(ensemble, "load", learned)


def _something(ensemble: Ensemble, what: str, learned: Any) -> Any:
    if learned is None and not built_in(ensemble):
        raise broken(ensemble, f"{what} returns None. Return what was learned.")
    return learned
