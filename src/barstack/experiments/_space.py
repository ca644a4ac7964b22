"""Spaces of settings: grids, lists, random draws and conditions, and the points in them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from pydantic import Field, field_validator, model_validator

from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.spec import Spec, content_id

_MOST_POINTS = 1_000_000


@dataclass(frozen=True)
class Setting:
    """One value of a setting, and what people call it.

    named  whether the sweep file gives it that name
    """

    value: Any
    label: str
    named: bool = False


@dataclass(frozen=True)
class Point:
    """A value for each setting, in the order in which the file names them; `priority` sorts."""

    settings: Mapping[str, Setting]
    priority: int = 0

    def with_(self, settings: Mapping[str, Setting]) -> Point:
        """With further settings, or others."""
        return replace(self, settings={**self.settings, **settings})


class Random(Spec):
    """Values drawn at random, the same in every process and for every order of the file.

    `space` has for each setting a list of choices, or `{low: 1e-4, high: 1e-2, log: true}`: numbers
    between two bounds, whole ones with `step`.
    """

    draws: int = Field(10, ge=1, le=100_000)
    seed: int = 0
    space: dict[str, Any]

    @field_validator("space")
    @classmethod
    def _spaces(cls, space: dict[str, Any]) -> dict[str, Any]:
        for name, values in space.items():
            if is_range(values):
                check_range(name, values)
            else:
                choices_of(name, values)
        return space

    def points(self, given: Mapping[str, Setting]) -> Iterator[dict[str, Setting]]:
        """The draws that belong to what is given; others for another point."""
        about = {name: choice.label for name, choice in given.items()}
        for number in range(self.draws):
            drawn = {}
            for name, values in self.space.items():
                # By name, so that one setting more changes no draw of the others.
                seed = int(content_id([self.seed, number, name, about]), 16)
                drawn[name] = _drawn(name, values, np.random.default_rng(seed))
            yield drawn


class Space(Spec):
    """A space of settings: every entry of `list` with every combination of `grid` and each draw.

    A setting is a path into a study, such as `split.train_times`, or `model`, `model.SETTING` or
    `horizon`. The first setting of a grid varies slowest.

    >>> space = Space(grid={"model": ["ridge", "lstm"], "horizon": {"short": "15min"}},
    ...               when=[{"if": {"model": "ridge"}, "grid": {"model.penalty": [1, 10]}}])
    >>> for point in space.points():
    ...     print({name: choice.label for name, choice in point.settings.items()})
    {'model': 'ridge', 'horizon': 'short', 'model.penalty': '1'}
    {'model': 'ridge', 'horizon': 'short', 'model.penalty': '10'}
    {'model': 'lstm', 'horizon': 'short'}
    """

    grid: dict[str, Any] = Field(default_factory=dict)
    list: tuple[dict[str, Any], ...] = ()
    random: Random | None = None
    when: tuple[Branch, ...] = ()

    @field_validator("grid")
    @classmethod
    def _grid(cls, grid: dict[str, Any]) -> dict[str, Any]:
        for name, values in grid.items():
            choices_of(name, values)
        return grid

    def points(self, start: Point | None = None) -> Iterator[Point]:
        """All points, in the order of the file."""
        start = start or Point({})
        axes = {name: choices_of(name, values) for name, values in self.grid.items()}
        count = math.prod(map(len, axes.values())) * max(1, len(self.list))
        if count * (self.random.draws if self.random else 1) > _MOST_POINTS:
            raise ConfigError(
                f"A grid of {count:,} combinations is more than {_MOST_POINTS:,}. Draw some of "
                "them with random, or leave settings out."
            )
        for entry in self.list or ({},):
            listed = {name: Setting(value, label_of(value)) for name, value in entry.items()}
            for combination in product(*axes.values()):
                point = start.with_(listed | dict(zip(axes, combination, strict=True)))
                drawn = [{}] if self.random is None else self.random.points(point.settings)
                for more in drawn:
                    yield from self._branched(point.with_(more))

    def _branched(self, point: Point) -> Iterator[Point]:
        points = [point]
        for branch in self.when:
            points = [further for each in points for further in branch.applied(each)]
        yield from points


class Branch(Space):
    """What holds only where a condition does: settings of its own, a priority, or nothing at all.

    `if` gives for each setting a value, or several of which one must hold, by value or by name.
    """

    where: dict[str, Any]
    set: dict[str, Any] = Field(default_factory=dict)
    skip: bool = False
    priority: int = 0

    @model_validator(mode="before")
    @classmethod
    def _if(cls, values: Any) -> Any:
        """`if` is no name in Python."""
        if isinstance(values, dict) and "if" in values and "where" not in values:
            values = {("where" if name == "if" else name): each for name, each in values.items()}
        if isinstance(values, dict) and not values.get("where"):
            raise ConfigError("Say where it holds: if: {SETTING: VALUE}.")
        return values

    def content(self) -> dict[str, Any]:
        found = super().content()
        return {"if": found.pop("where"), **found}

    def applied(self, point: Point) -> Iterator[Point]:
        """A point as it is, or what becomes of it where the condition holds."""
        if not self._holds(point):
            yield point
        elif not self.skip:
            own = {name: Setting(value, label_of(value)) for name, value in self.set.items()}
            quiet = {name: replace(choice, label="") for name, choice in own.items()}
            start = replace(point.with_(quiet), priority=point.priority + self.priority)
            yield from self.points(start)

    def _holds(self, point: Point) -> bool:
        for name, allowed in self.where.items():
            if name not in point.settings:
                raise ConfigError(
                    f"when: the condition on {name!r} comes before anything sets that. "
                    f"{did_you_mean(name, point.settings)}"
                )
            choice = point.settings[name]
            several = allowed if isinstance(allowed, list | tuple) else [allowed]
            if not any(each == choice.value or str(each) == choice.label for each in several):
                return False
        return True


Space.model_rebuild()
Branch.model_rebuild()


def choices_of(name: str, values: Any) -> tuple[Setting, ...]:
    """The choices of a setting: a list of values, or values by name."""
    if isinstance(values, Mapping) and values and not is_range(values):
        found = tuple(Setting(value, str(label), named=True) for label, value in values.items())
    elif isinstance(values, list | tuple) and values:
        found = tuple(Setting(value, label_of(value)) for value in values)
    else:
        raise ConfigError(
            f"{name}: cannot read choices from {values!r:.80}. Write a list of values, or values "
            "by name."
        )
    labels = [choice.label for choice in found]
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise ConfigError(f"{name}: {', '.join(twice)} stands there twice. Leave one out.")
    return found


def label_of(value: Any) -> str:
    """What people read for a value that has no name.

    >>> label_of(0.001), label_of({"model": "lstm", "hidden": 32}), label_of(["15min", "1h"])
    ('0.001', 'lstm hidden=32', '15min,1h')
    """
    if isinstance(value, Mapping):
        kinds = ("model", "label", "split", "scaler", "provider")
        return " ".join(
            label_of(each) if name in kinds else f"{name}={label_of(each)}"
            for name, each in value.items()
        )
    if isinstance(value, list | tuple):
        return ",".join(map(label_of, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def is_range(values: Any) -> bool:
    """Whether it is a range of numbers rather than a list of choices."""
    return isinstance(values, Mapping) and {"low", "high"} <= set(values)


def check_range(name: str, values: Mapping[str, Any]) -> None:
    """`ConfigError` unless numbers can be drawn from the range."""
    if unknown := sorted(set(values) - {"low", "high", "log", "step"}):
        raise ConfigError(
            f"{name}: a range has low, high, log and step, and no {', '.join(unknown)}."
        )
    try:
        low, high, step = (float(values.get(key, 0)) for key in ("low", "high", "step"))
    except (TypeError, ValueError):
        raise ConfigError(f"{name}: low, high and step are numbers, got {dict(values)}.") from None
    logarithmic = bool(values.get("log", False))
    if not low < high or step < 0 or (logarithmic and (low <= 0 or step)):
        raise ConfigError(
            f"{name}: cannot draw from {dict(values)}. low lies below high; with log both are "
            "above 0 and there is no step."
        )


def _drawn(name: str, values: Any, random: np.random.Generator) -> Setting:
    if not is_range(values):
        choices = choices_of(name, values)
        return choices[int(random.integers(len(choices)))]
    low, high = float(values["low"]), float(values["high"])
    if step := float(values.get("step", 0)):
        value = low + step * int(random.integers(int((high - low) / step + 1e-9) + 1))
    elif values.get("log", False):
        value = math.exp(random.uniform(math.log(low), math.log(high)))
    else:
        value = random.uniform(low, high)
    # Four digits: a setting that people can read and type again.
    rounded: float | int = float(f"{value:.4g}")
    if step and float(values["low"]).is_integer() and step.is_integer():
        rounded = int(rounded)
    return Setting(rounded, label_of(rounded))
