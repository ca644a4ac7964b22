"""Out-of-fold forecasts of several members side by side: all that an ensemble learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from barstack.core.arrays import Floats, Ints, Rows
from barstack.core.decisions import Decisions, shared_rows
from barstack.core.errors import ArtifactError, ConfigError, DataError
from barstack.core.forecast import Target
from barstack.core.times import KnownAt, TrainedThrough
from barstack.labels import LabelTable
from barstack.tracking import OutOfFold


@dataclass(frozen=True, eq=False)
class Stacked:
    """Members' forecasts for the decisions that all of them forecast, and the outcomes.

    Attributes
    ----------
    members : names, in order
    decisions : (n_rows,) time and symbol; rows rise with time, then symbol. A single row that was
        given without its time has NaT, without its symbol ""
    target : what is forecast
    forecasts : (n_rows, n_members, n_horizons, n_outputs)
    trained_through : (n_rows,) latest of any member; None when predicting
    fold : (n_rows,) numbered in time order; None when predicting
    y : (n_rows, n_horizons) labels, NaN while open or missing; None when predicting
    known_at : (n_rows, n_horizons) when each label is known, NaT while open; None when predicting
    returns : (n_rows, n_horizons) forward returns behind the labels, fractions; None when
        predicting
    sample_weight : (n_rows,) relative weight of each row in fitting; None where all are equal
    context : by name, (n_rows, k) of what else was known at each decision, as `Ensemble.needs`
        names it: `features`, and `regimes`, the probabilities of `core.forecast.REGIMES`
    seed : of every random choice in fitting

    >>> from barstack.testing import small_stacked
    >>> stacked = small_stacked("return")
    >>> stacked.forecasts.shape  # rows, members, horizons, outputs
    (500, 4, 2, 1)
    """

    members: tuple[str, ...]
    decisions: Decisions
    target: Target
    forecasts: Floats
    trained_through: TrainedThrough | None = None
    fold: Ints | None = None
    y: Floats | None = None
    known_at: KnownAt | None = None
    returns: Floats | None = None
    sample_weight: Floats | None = None
    context: Mapping[str, Floats] = field(default_factory=dict)
    seed: int = 0

    def __len__(self) -> int:
        return len(self.forecasts)

    def member(self, place: int) -> Floats:
        """(n_rows, n_horizons, n_outputs) one member's forecasts."""
        return self.forecasts[:, place]

    @cached_property
    def all_known_at(self) -> KnownAt:
        """(n_rows,) when a row's last label is known; NaT where one is open or missing."""
        if self.y is None or self.known_at is None:
            raise DataError("These forecasts have no labels. Align them with a table of labels.")
        open_ = np.isnan(self.y)
        return KnownAt(np.where(open_, np.datetime64("NaT"), self.known_at).max(axis=1))

    def check_shape(self, n_members: int, n_horizons: int | None = None) -> None:
        """`ArtifactError` unless these are forecasts of so many members and horizons.

        What was learned trusts it, and may come from files.
        """
        found_members, found_horizons = self.forecasts.shape[1:3]
        if (found_members, found_horizons) != (n_members, n_horizons or found_horizons):
            learned = f"{n_members} members" + (f" at {n_horizons} horizons" if n_horizons else "")
            raise ArtifactError(
                f"An ensemble of {learned} is given forecasts of {found_members} at "
                f"{found_horizons}: its files are not of one training. Restore them from a copy, "
                "or run the study again."
            )

    def take(self, rows: Rows) -> Stacked:
        """Some of the rows, in the order given."""

        def part(values: Any) -> Any:
            return None if values is None else values[rows]

        return replace(
            self,
            decisions=self.decisions.take(rows),
            forecasts=self.forecasts[rows],
            trained_through=part(self.trained_through),
            fold=part(self.fold),
            y=part(self.y),
            known_at=part(self.known_at),
            returns=part(self.returns),
            sample_weight=part(self.sample_weight),
            context={name: values[rows] for name, values in self.context.items()},
        )

    def known_by(self, time: np.datetime64) -> Stacked:
        """The rows whose labels are known at every horizon by then."""
        return self.take(np.flatnonzero(self.all_known_at <= time))

    def without_outcomes(self) -> Stacked:
        """What is known when predicting: no labels, and nothing of how rows were trained."""
        withheld = ("trained_through", "fold", "y", "known_at", "returns", "sample_weight")
        if all(getattr(self, name) is None for name in withheld):
            return self  # a single live row, in microseconds
        nothing: dict[str, Any] = dict.fromkeys(withheld)
        return replace(self, **nothing)


def align(
    members: Mapping[str, OutOfFold],
    labels: LabelTable | None = None,
    *,
    context: Mapping[str, tuple[Decisions, Floats]] | None = None,
) -> Stacked:
    """Forecasts of all members side by side, on the decisions they share.

    A member may itself be an ensemble: its forecasts begin with its second fold, and so do those
    of the layer above, which is then fitted on forecasts that no layer below has learned from.

    Parameters
    ----------
    members : out-of-fold forecasts by name
    labels : outcomes of the same decisions, to fit by
    context : by name, a table's decisions and its (n_rows, k) values

    Raises
    ------
    ConfigError
        Members forecast different things, have different folds or share no decision, or come from
        crossed folds, which are not for verdicts.
    DataError
        Labels or context lack a decision.
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
    picks = shared_rows([forecast.decisions for forecast in forecasts.values()])
    if not len(picks[0]):
        raise ConfigError(f"Members {', '.join(members)} share no decision to combine.")
    fold, *others = (each.fold[pick] for each, pick in zip(members.values(), picks, strict=True))
    for name, other in zip(list(members)[1:], others, strict=True):
        if not np.array_equal(fold, other):
            raise ConfigError(
                f"Member {name!r} was forecast in other folds than {next(iter(members))!r}. "
                "Combine members of one split."
            )
    parts = [each.take(pick) for each, pick in zip(forecasts.values(), picks, strict=True)]
    decisions = parts[0].decisions
    found = Stacked(
        tuple(members),
        decisions,
        first.target,
        np.stack([part.values for part in parts], axis=1),
        TrainedThrough(np.maximum.reduce([part.trained_through for part in parts])),
        fold,
        context={
            name: values[table.find(decisions)] for name, (table, values) in (context or {}).items()
        },
    )
    if labels is None:
        return found
    at = labels.decisions.find(decisions)
    return replace(
        found,
        y=labels.values[at],
        known_at=KnownAt(labels.known_at[at]),
        returns=labels.returns[at],
    )
