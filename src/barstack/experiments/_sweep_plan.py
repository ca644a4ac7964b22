"""A sweep: a study without a model, and a space of settings; each point is an experiment."""

from __future__ import annotations

import builtins
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, model_validator

from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.horizon import Horizon
from barstack.core.spec import content_id
from barstack.core.yaml import read_yaml_file

from ._feature_phase import FeaturePhase, labelled
from ._space import Setting, Space
from ._study import Study

# What a bare name in a study stands for, where a path goes on into it.
_KINDS = {
    "bars": "provider",
    "label": "label",
    "split": "split",
    "scaler": "scaler",
    "weights": "by",
    "regimes": "model",
}
_FIRST = ("model", "label", "horizons", "horizon")  # which other paths go into, or stand beside
_MOST_LISTED = 10


@dataclass(frozen=True, eq=False)
class PlannedExperiment:
    """One model at one horizon, with all that its result depends on.

    Attributes
    ----------
    number    place in the plan, from 0
    name      for people, unique within the sweep
    settings  what the sweep varies, by path, as people read it
    study     with this model as its only member
    horizon   at which it is scored, one of the study's
    priority  those of a higher one begin first
    folds     of a trial of tuning, how many of the earliest ones it may be judged on; None for all
    """

    number: int
    name: str
    settings: Mapping[str, str]
    study: Study
    horizon: str
    priority: int = 0
    folds: int | None = None

    @property
    def model(self) -> str:
        """The registered name of its model."""
        (model,) = self.study.members.values()
        return model.registered_as[1] if model.registered_as else type(model).__name__

    @cached_property
    def group(self) -> str:
        """Equal for experiments on the same bars, features, labels and folds."""
        fields = self.study.identity()[-1]
        return content_id({name: fields[name] for name in fields if name not in OF_MODEL})


OF_MODEL = ("members", "title", "ensembles", "judged", "regimes", "cost_bps", "tune")


class Sweep(Space):
    """Many experiments in one file: a base study and what varies.

    Attributes
    ----------
    title
        For people; changes nothing.
    study
        Keys of a study that all experiments share, without `members`.
    grid, list, random, when
        The space of settings, see `Space`. A setting is a path into the study such as
        `split.train_times` or `label.band`; `model`, a name or `{model: NAME, ...}`;
        `model.SETTING`; or `horizon`, at which an experiment is scored. A study's label has that
        one horizon, unless `horizons` lists several for a model that learns them together.

    feature_phase
        Once all have completed, the best of them again with more features, see `FeaturePhase`. It
        changes no experiment of the space.

    >>> sweep = Sweep(
    ...     study={"bars": "sample", "features": ["rsi", "body"]},
    ...     grid={"model": ["ridge"], "horizon": ["30min", "1h"], "model.penalty": [1, 10]},
    ... )
    >>> for experiment in sweep.experiments:
    ...     print(experiment.name)
    ridge 30min penalty=1
    ridge 30min penalty=10
    ridge 1h penalty=1
    ridge 1h penalty=10
    """

    title: str = ""
    study: dict[str, Any] = Field(default_factory=dict)
    feature_phase: FeaturePhase | None = None

    @model_validator(mode="after")
    def _whole(self) -> Sweep:
        if "members" in self.study or "preset" in self.study:
            raise ConfigError(
                "An experiment has one model: write model: [...] under grid or list, and no "
                "members or preset in the study."
            )
        _ = self.experiments  # says what is wrong with any of them
        return self

    @cached_property
    def experiments(self) -> tuple[PlannedExperiment, ...]:
        """All of them, in the order of the file.

        Two points that mean the same, such as one horizon written in two ways, are one experiment.
        """
        found: dict[tuple[str, str], PlannedExperiment] = {}
        mistakes: dict[str, tuple[str, int]] = {}
        names: set[str] = set()
        parts = StudyParts()
        for point in self.points():
            name = name_of(point.settings)
            try:
                study, horizon = study_at(self.study, point.settings, parts)
            except ConfigError as error:
                first, count = mistakes.get(str(error), (name, 0))
                mistakes[str(error)] = first, count + 1
                continue
            if (study.id, horizon) not in found:
                if name in names:
                    name = f"{name} {study.id[:6]}"
                names.add(name)
                read = {path: choice.label for path, choice in point.settings.items()}
                experiment = PlannedExperiment(
                    len(found), name, read, study, horizon, point.priority
                )
                found[study.id, horizon] = experiment
        if mistakes:
            raise ConfigError(_listed(mistakes))
        if not found:
            raise ConfigError(
                "The sweep has no experiment: a condition under `when` skips every point."
            )
        return tuple(found.values())

    def identity(self) -> builtins.list[Any]:
        """Its experiments, however they are written down and in whatever order."""
        pairs = sorted([each.study.id, each.horizon] for each in self.experiments)
        return ["Sweep", None, self.version, pairs]

    def content(self) -> dict[str, Any]:
        """Plain data from which an equal sweep can be made."""
        return {name: item for name, item in super().content().items() if item}

    def with_features(self, *names: str) -> Sweep:
        """The same with a phase that adds feature sets; the sweep itself where there are none.

        names  such as "multi_timeframe" or "core107", several perhaps divided by commas
        """
        add = list(labelled(names))
        return self.model_copy(update={"feature_phase": {"add": add}}) if add else self

    def to_yaml(self) -> str:
        """The sweep as text; `from_yaml` reads it back."""
        return yaml.safe_dump(self.content(), sort_keys=False)

    @classmethod
    def from_yaml(cls, file: Path | str) -> Sweep:
        """Read a sweep file; `ConfigError` names every mistake with its place."""
        file = Path(file)
        content = read_yaml_file(file, "sweep", "examples/first_sweep.yaml")
        if "bars" in content and "study" not in content:
            raise ConfigError(
                f"{file} looks like a study. In a sweep its keys stand under study:, and what "
                "varies under grid: or list:. Look at examples/first_sweep.yaml."
            )
        try:
            return cls(**content)
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from None


def name_of(settings: Mapping[str, Setting]) -> str:
    """Readable, in the order of the file: the model first, names of settings where they help.

    >>> name_of({"model.batch": Setting(32, "32"), "model": Setting("lstm", "lstm"),
    ...          "split.train_times": Setting(1638, "3mo", named=True)})
    'lstm batch=32 3mo'
    """
    plain = ("model", "horizon")
    first = [settings[path].label for path in plain if path in settings]
    rest = [
        choice.label if choice.named else f"{path.rpartition('.')[2]}={choice.label}"
        for path, choice in settings.items()
        if path not in plain and choice.label
    ]
    return " ".join([*first, *rest]) or "the study"


def _check_known(settings: Mapping[str, Setting]) -> None:
    """A misspelt `horizon` would be told as an unknown key of a study, which has none."""
    known = sorted({*_FIRST, *Study.model_fields})
    for path in settings:
        if (first := path.split(".")[0]) not in known:
            raise ConfigError(f"Unknown setting {path}. {did_you_mean(first, known)}")


class StudyParts:
    """Parts of studies that were checked before: most points of a sweep share most of them.

    A study is made from parts that are known and from plain data for all others, so that what is
    wrong is said as ever. Equal parts are one object, which knows its id.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Any] = {}

    def study(self, content: Mapping[str, Any]) -> Study:
        """The study of this content."""
        keys = {name: (name, _text(content.get(name))) for name in _SHARED}
        if "horizons" in content:
            del keys["label"]  # which is still to get them
        known = {name: self._known[key] for name, key in keys.items() if key in self._known}
        made = Study(**{**content, **known})
        for name, key in keys.items():
            if name not in known:
                self._known[key] = getattr(made, name)
        return made


_SHARED = ("bars", "series", "label", "split", "scaler", "weights", "members", "ensembles")


def _text(value: Any) -> str:
    """Equal for equal data; what is no plain data has its own."""
    return json.dumps(value, sort_keys=True, default=lambda each: f"{type(each)} {id(each)}")


def study_at(
    base: Mapping[str, Any], settings: Mapping[str, Setting], parts: StudyParts | None = None
) -> tuple[Study, str]:
    """The study at a point, and the horizon that it is scored at.

    parts  that were checked before
    """
    content = _copied(base)
    in_order = [path for path in _FIRST if path in settings]
    in_order += [path for path in settings if path not in _FIRST]
    if "model" not in settings:
        raise ConfigError("Nothing says which model. Write model: [...] under grid or list.")
    horizon = settings["horizon"].value if "horizon" in settings else None
    _check_known(settings)
    for path in in_order:
        value = _copied(settings[path].value)
        if path == "model":
            content["members"] = _member(value)
        elif path == "horizon":
            if "horizons" not in settings:
                _set_horizons(content, [value])
        elif path == "horizons":
            _set_horizons(content, value if isinstance(value, list) else [value])
        elif path.startswith("model."):
            _put(content, ["members", *content["members"], *path.split(".")[1:]], value, path)
        elif path.split(".")[0] in ("members", "preset"):
            raise ConfigError(f"{path}: an experiment has one model. Write model instead.")
        else:
            _put(content, path.split("."), value, path)
    study = Study(**content) if parts is None else parts.study(content)
    known = study.label.target.horizons
    if horizon is None:
        if len(known) > 1:
            raise ConfigError(
                f"The label has the horizons {', '.join(known)}, and an experiment is scored at "
                "one. Write horizon: [...] under grid."
            )
        return study, known[0]
    wanted = Horizon.parse(horizon).name
    if wanted not in known:
        raise ConfigError(
            f"horizon {wanted} is not among the label's horizons {', '.join(known)}. Add it to "
            "horizons."
        )
    return study, wanted


def _member(value: Any) -> dict[str, Any]:
    """A model as the only member of a study, called by its registered name."""
    if isinstance(value, str):
        return {value: {"model": value}}
    if isinstance(value, dict) and isinstance(value.get("model"), str):
        return {value["model"]: value}
    raise ConfigError(
        f"model: cannot read a model from {value!r:.80}. Write its name, or {{model: NAME, ...}}."
    )


def _set_horizons(content: dict[str, Any], horizons: Any) -> None:
    label = content.get("label", "return")
    label = {"label": label} if isinstance(label, str) else dict(label)
    content.pop("horizons", None)
    content["label"] = label | {"horizons": horizons}


def _put(content: dict[str, Any], path: list[str], value: Any, whole: str) -> None:
    """Set a value deep within plain data; a bare name on the way becomes its settings."""
    first, *rest = path
    if not rest:
        content[first] = value
        return
    inner = content.get(first, {})
    if isinstance(inner, str):
        if first not in _KINDS:
            raise ConfigError(f"{whole}: {first} is {inner!r}, which has no settings.")
        inner = {_KINDS[first]: inner}
    elif first in _KINDS and not inner and first in _DEFAULTS:
        inner = {_KINDS[first]: _DEFAULTS[first]}
    if not isinstance(inner, dict):
        raise ConfigError(f"{whole}: {first} is {inner!r:.80}, which has no settings by name.")
    content[first] = inner
    _put(inner, rest, value, whole)


_DEFAULTS = {"split": "walk_forward", "scaler": "standard", "weights": "uniform", "label": "return"}


def _copied(value: Any) -> Any:
    """Plain data that may be changed."""
    if isinstance(value, Mapping):
        return {str(name): _copied(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(each) for each in value]
    return value


def _listed(mistakes: Mapping[str, tuple[str, int]]) -> str:
    lines = []
    for sentence, (name, count) in list(mistakes.items())[:_MOST_LISTED]:
        more = f" and {count - 1:,} more" if count > 1 else ""
        lines.append(f"{sentence} (Experiment {name!r}{more}.)")
    left = len(mistakes) - _MOST_LISTED
    return "\n".join(lines) + (f"\nand {left} more mistakes." if left > 0 else "")
