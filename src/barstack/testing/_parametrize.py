"""One decorator for the contract of every kind of part, as scikit-learn's for estimators."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from barstack.bars import Provider
from barstack.bars.checks import Check
from barstack.core.errors import ConfigError
from barstack.core.forecast import Task
from barstack.core.text import printable
from barstack.datasets import Dataset, Scaler
from barstack.ensembles import Ensemble
from barstack.experiments import STAGES, Study
from barstack.features import Feature
from barstack.labels import LABELS, Label, LabelTable
from barstack.models import Model, RegimeDetector
from barstack.splits import Splitter
from barstack.tracking import Store
from barstack.worlds import World

from ._bar_checks import BAR_CHECKS, sound_bars
from ._bars import walk
from ._ensembles import ENSEMBLE_CHECKS
from ._features import FEATURE_CHECKS
from ._labels_and_splits import LABEL_CHECKS, SPLITTER_CHECKS
from ._models import MODEL_CHECKS, regime_dataset, small_dataset
from ._providers import PROVIDER_CHECKS
from ._scalers import SCALER_CHECKS, wild_values
from ._stages import STAGE_CHECKS, StageWork, small_study
from ._store import SHARED_STORE_CHECKS, STORE_CHECKS
from ._worlds import WORLD_CHECKS

Exempt = dict[str, str]


@dataclass(frozen=True)
class ForTask:
    """A model or an ensemble for one of the tasks that it does; by default it is for all."""

    part: Model | Ensemble
    task: Task


@dataclass(frozen=True)
class InFolder:
    """A provider whose relative paths start in a folder; by default in the current one."""

    part: Provider
    folder: Path


@dataclass(frozen=True)
class StoreIn:
    """A store of forecasts and trials, made anew in an empty folder for each check.

    make    a class or a function of a module: folder -> store
    shared  whether a second store of the same folder, of another process too, sees the same
    """

    make: Callable[[Path], Store]
    shared: bool = True
    exempt: Exempt = field(default_factory=dict)


@dataclass(frozen=True)
class StageNamed:
    """A registered stage of tasks, at work in a small study or in the one given."""

    name: str
    study: Study | None = None
    exempt: Exempt = field(default_factory=dict)


Part = Feature | Model | Label | Splitter | Ensemble | Scaler | Provider | World | Check
Given = Part | ForTask | InFolder | StoreIn | StageNamed


@dataclass(frozen=True)
class BoundCheck:
    """A check with all that it needs beside the part.

    part     what is checked
    name     of the check
    on       what tells apart checks of one name, such as a task
    reason   why it cannot hold of this part; empty where it must
    """

    part: Any
    name: str
    on: str
    reason: str
    function: Callable[[Any], None]

    def __call__(self, part: Any) -> None:
        """Run it; it fails by `pytest.fail`, or with the part's own error and a note on it."""
        try:
            self.function(part)
        except Exception as error:
            error.add_note(f"{self.name} of {_name_of(part)} ended with this error.")
            raise

    def __str__(self) -> str:
        words = (_name_of(self.part), self.on, self.name.removeprefix("check_"))
        return "-".join(word for word in words if word)


def parametrize_with_checks(
    parts: Iterable[Given], *, only: Collection[str] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a test of `part` and `check`, so that it runs once for each check of each part.

    What a part's `exempt` names is skipped, and its reason shown.

    Parameters
    ----------
    parts
        Features, models, labels, splitters, ensembles, scalers, providers, worlds and checks of
        bars; a `ForTask`, `InFolder`, `StoreIn` or `StageNamed` where a part needs more.
    only
        Names of checks, where not all are wanted.

    >>> import barstack as bs
    >>> from barstack.testing import parametrize_with_checks
    >>> @parametrize_with_checks([bs.Ridge(), bs.StandardScaler(), bs.WalkForward()])
    ... def test_contract(part, check):
    ...     check(part)
    """
    import pytest  # noqa: PLC0415 (of those who test)

    cases = [
        pytest.param(
            each.part,
            each,
            id=str(each),
            marks=[pytest.mark.skip(reason=each.reason)] if each.reason else [],
        )
        for part in parts
        for each in checks_of(part)
        if not only or each.name in only
    ]
    if not cases:
        raise ConfigError("There is nothing to check: no part, or none of these checks.")
    mark: Callable[[Callable[..., Any]], Callable[..., Any]] = pytest.mark.parametrize(
        ("part", "check"), cases
    )
    return mark


def checks_of(given: Given) -> Iterator[BoundCheck]:
    """Every check of a part, for use without pytest.

    >>> import barstack as bs
    >>> for check in checks_of(bs.StandardScaler()):
    ...     check(check.part)
    """
    part = given.part if isinstance(given, ForTask | InFolder) else given
    exempt = getattr(part, "exempt", {})
    for on, checks, arguments in _suites(given):
        for check in checks:
            name = check.__name__
            function = partial(_called, check, arguments)
            yield BoundCheck(part, name, on, exempt.get(name, ""), function)


Arguments = Callable[[Any, Path], tuple[Any, ...]]
Suite = tuple[str, Collection[Callable[..., None]], Arguments]


def _called(check: Callable[..., None], arguments: Arguments, part: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check(*arguments(part, Path(folder)))


def _suites(given: Given) -> Iterator[Suite]:
    """Checks, and what they are called with: a function of the part and an empty folder."""
    part = given.part if isinstance(given, ForTask | InFolder) else given
    if isinstance(part, Model | Ensemble):
        for task in (given.task,) if isinstance(given, ForTask) else part.tasks:
            yield _suite_for(part, task)
        return
    if isinstance(part, Provider):
        place = given.folder if isinstance(given, InFolder) else Path()
        yield "", PROVIDER_CHECKS, lambda one, _: (one, place)
        return
    if isinstance(part, StoreIn):
        yield "", STORE_CHECKS, lambda one, folder: (one.make(folder / "runs"),)
        if part.shared:
            yield "", SHARED_STORE_CHECKS, lambda one, folder: (partial(one.make, folder / "runs"),)
        return
    for kind, checks, arguments in _OF_ONE_SUITE:
        if isinstance(part, kind):
            yield "", checks, arguments
            return
    kinds = "feature, model, label, splitter, ensemble, scaler, provider, world, check of bars"
    raise ConfigError(
        f"{given!r:.80} is no part that has a contract. Give an instance of a {kinds}, or "
        "ForTask, InFolder, StoreIn, StageNamed."
    )


def _suite_for(part: Model | Ensemble, task: Task) -> Suite:
    if task not in part.tasks:
        raise ConfigError(f"{part} does {', '.join(part.tasks)}, not {task}.")
    if isinstance(part, Ensemble):
        return task, ENSEMBLE_CHECKS, lambda one, _: (one, task)
    return task, MODEL_CHECKS, lambda one, _: (one, _dataset(one, task))


@cache
def _dataset(model: Model, task: Task) -> Dataset:
    return regime_dataset(model) if isinstance(model, RegimeDetector) else _small(task)


_small = cache(small_dataset)


@cache
def _table() -> LabelTable:
    """Labels of three symbols with bars missing, at two horizons of uneven length."""
    panel = {name: walk(500, seed=i, symbol=name, missing=0.1) for i, name in enumerate("ABC")}
    return LABELS.parse({"label": "return", "horizons": ["1d", 12]}).compute(panel)


def _work(stage: StageNamed, folder: Path) -> tuple[StageWork]:
    STAGES.get(stage.name)  # an unknown one is refused, with the names there are
    return (StageWork(stage.name, stage.study or small_study(folder), folder),)


_OF_ONE_SUITE: tuple[tuple[type, Collection[Callable[..., None]], Arguments], ...] = (
    (Feature, FEATURE_CHECKS, lambda one, _: (one, walk(1200, missing=0.03))),
    (Label, LABEL_CHECKS, lambda one, _: (one, walk(400, missing=0.05))),
    (Splitter, SPLITTER_CHECKS, lambda one, _: (one, _table().decisions, _table().all_known_at)),
    (Scaler, SCALER_CHECKS, lambda one, _: (one, wild_values())),
    (World, WORLD_CHECKS, lambda one, _: (one,)),
    (Check, BAR_CHECKS, lambda one, _: (one, sound_bars())),
    (StageNamed, STAGE_CHECKS, _work),
)


def _name_of(part: Any) -> str:
    """What a test report calls it."""
    if isinstance(part, StoreIn):
        return getattr(part.make, "__name__", "store")
    if isinstance(part, Check | StageNamed):
        return part.name
    if isinstance(part, Feature):
        return part.name
    name = part.registered_as[1] if part.registered_as else type(part).__name__
    fields = type(part).model_fields
    given = {key: value for key, value in part.content().items() if key in part.model_fields_set}
    shown = [
        f"{key}={value}"
        for key, value in given.items()
        if fields[key].is_required() or getattr(part, key) != fields[key].default
    ]
    return printable(name + (f"({', '.join(shown)})" if shown else ""))[:80]
