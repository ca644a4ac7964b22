"""What a study says on how its members are tuned; it changes nothing of the study itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.spec import Spec
from barstack.models import Model, search_space

from ._space import check_range, choices_of, is_range


class Tuning(Spec):
    """How a study's members are tuned.

    Attributes
    ----------
    trials
        Settings tried for each member, its own among them.
    members
        Which members; by default all whose models have a space of settings.
    space
        By member, what its model's own space is changed by: for each setting a list of choices,
        or `{low: 1e-4, high: 1e-2, log: true}`, or null to leave the setting as it is.
    prune
        Whether trials that do badly on the first folds are given up.
    at_once
        Trials of a member that are chosen together, before the results of any of them. Results
        depend on it, and never on how many of them run at once.
    held_back
        The latest folds, which no choice sees: by default a third, rounded down, and one of two.

    >>> Tuning(trials=20, space={"ridge": {"penalty": [0.1, 1, 10]}}).trials
    20
    """

    trials: int = Field(50, ge=2, le=100_000)
    members: tuple[str, ...] = ()
    space: dict[str, dict[str, Any]] = Field(default_factory=dict)
    prune: bool = True
    at_once: int = Field(8, ge=1, le=1_000)
    held_back: int | None = Field(None, ge=0)

    @field_validator("space")
    @classmethod
    def _spaces(cls, space: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for member, settings in space.items():
            for setting, values in settings.items():
                if is_range(values):
                    check_range(f"{member}.{setting}", values)
                elif values is not None:
                    choices_of(f"{member}.{setting}", values)
        return space

    def check_members(self, members: Mapping[str, Model]) -> None:
        """`ConfigError` where it names one that there is not."""
        for name in (*self.members, *self.space):
            if name not in members:
                raise ConfigError(f"tune: {name!r} is no member. {did_you_mean(name, members)}")

    def space_of(self, member: str, model: Model) -> dict[str, Any]:
        """The space that is searched for a member; empty where there is none."""
        found = {**search_space(model), **self.space.get(member, {})}
        return {setting: values for setting, values in found.items() if values is not None}
