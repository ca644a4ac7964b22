"""Training several models on the same rows: as one, side by side, or one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from barstack.core.arrays import Rows
from barstack.core.errors import BarstackError, ConfigError, TrainingError
from barstack.core.progress import Progress
from barstack.datasets import Dataset

from . import _calls, _choice, _workers
from ._model import Model
from ._scratch import scratch_folder
from ._trainer import FittedModel, Prepared, prepare
from ._worker import fit_together, write_samples
from .neural._neural import Neural

Way = Literal["auto", "alone", "side_by_side", "fused"]

_START_S = 4.0  # until new workers have imported what they need
_FEWER = 0.95  # a stack that saves less than a twentieth is not worth its memory


class _One(NamedTuple):
    """A model to train."""

    name: str
    model: Model
    seed: int
    prepared: Prepared

    @property
    def samples(self) -> str:
        """A name for the samples it learns from, which others may share."""
        return f"{self.model.lookback_bars}{'s' * self.model.stops_early}"


def train_many(
    models: Mapping[str, Model],
    dataset: Dataset,
    rows: Rows,
    seeds: int | Mapping[str, int],
    apart_from: Rows | None = None,
    *,
    way: Way = "auto",
    workers: int | None = None,
    progress: Progress | None = None,
) -> dict[str, FittedModel]:
    """Name -> what `train` of each model alone gives, in less time.

    seeds    one for all, or one for each name
    way      `fused`: networks of one shape are trained as one; `side_by_side`: models that keep a
             single core busy have a process each; `alone`: one after the other; `auto`: what is
             quickest here by a measurement that each architecture gets once on a machine
    workers  most processes at a time; by default the cores that this one may use

    Side by side models learn the same to the bit, fused the same up to the order of sums. Models
    that use all cores by themselves are trained one after the other.

    Raises `TrainingError` when some could not be trained; it has the others in `fitted`.
    """
    _check(models, way)
    most = _workers.cores() if workers is None else workers
    if most < 1:
        raise ConfigError(f"workers must be 1 or more, got {most}. Leave it out to use all cores.")
    shared: dict[tuple[int, bool], Prepared] = {}
    ones = []
    for name, model in models.items():
        key = (model.lookback_bars, model.stops_early)
        # Each model is checked for its task; samples are made once for all that look alike.
        own = shared[key] if key in shared and dataset.target.task in model.tasks else None
        shared[key] = own or prepare(model, dataset, rows, apart_from)
        ones.append(_One(name, model, _seed(seeds, name), shared[key]))
    training = _Training(dataset, progress or Progress())
    with training.progress.step("training", len(ones)):
        plan = _plan(ones, dataset, way, most)
        strange = training.aside(plan.aside, most) if plan.aside else []
        for group in strange + plan.here:
            training.here(group)
    fitted = {name: training.fitted[name] for name in models if name in training.fitted}
    if training.lost:
        lost = [name for name in models if name in training.lost]
        said = "; ".join(f"{name}: {training.lost[name]}" for name in lost)
        raise TrainingError(
            f"{len(training.lost)} of {len(models)} models could not be trained: {said}", fitted
        )
    return fitted


def _check(models: Mapping[str, Model], way: Way) -> None:
    if way not in get_args(Way):
        raise ConfigError(f"Unknown way {way!r}. Choose one of {', '.join(get_args(Way))}.")
    if not isinstance(models, Mapping):
        raise ConfigError(
            f"models must be a mapping of names to models, got a {type(models).__name__}. Give "
            "each a name, as in {'ridge': MODELS.parse('ridge')}."
        )
    for name, model in models.items():
        if not isinstance(name, str) or not isinstance(model, Model):
            raise ConfigError(
                f"models must have a name and a model each, got {name!r}: {model!r}. Make the "
                "model with MODELS.parse."
            )


def _seed(seeds: int | Mapping[str, int], name: str) -> int:
    """Plain, as it may travel to a worker."""
    seed = seeds.get(name) if isinstance(seeds, Mapping) else seeds
    if not isinstance(seed, Integral):
        raise ConfigError(
            f"seeds must have an integer for {name!r}, got {seed!r}. Give one integer for all "
            "models, or a mapping with one for each name."
        )
    return int(seed)


class _Plan(NamedTuple):
    """Groups of models that learn together: in worker processes, and in this one."""

    aside: list[list[_One]]
    here: list[list[_One]]


def _plan(ones: list[_One], dataset: Dataset, way: Way, most: int) -> _Plan:
    if way == "alone":
        return _Plan([], [[one] for one in ones])
    single = [one for one in ones if one.model.one_thread]
    here = [[one] for one in ones if not one.model.one_thread]
    on_gpu = any(isinstance(one.model, Neural) for one in single) and _on_gpu()
    by_shape: dict[str, list[_One]] = {}
    for one in single:
        fuses = way != "side_by_side" and isinstance(one.model, Neural) and one.model.fuses
        shape = one.model.shape if fuses and isinstance(one.model, Neural) else one.name
        by_shape.setdefault(shape, []).append(one)
    groups: list[list[_One]] = []
    seconds = 0.0
    for alike in by_shape.values():
        parts = min(1 if on_gpu else most, len(alike))
        stacks = [alike[place::parts] for place in range(parts)]
        if way == "auto":
            own, expected = _quicker(alike, stacks, dataset)
            stacks, seconds = own, seconds + expected
        groups += stacks
    groups.sort(key=len, reverse=True)
    crowd = min(most, len(groups))
    if crowd < 2 or on_gpu:
        return _Plan([], groups + here)
    if way == "auto" and seconds * (1 - 1 / crowd) < _START_S * (_workers.warm() < crowd):
        return _Plan([], groups + here)
    return _Plan(groups, here)


def _quicker(
    alike: list[_One], stacks: list[list[_One]], dataset: Dataset
) -> tuple[list[list[_One]], float]:
    """The stacks, or each model by itself where that is no slower; and about how long it takes."""
    first, size = alike[0], len(stacks[0])
    if not isinstance(first.model, Neural):
        return [[one] for one in alike], 0.0
    fit, target = first.prepared.fit, dataset.target
    what = [first.model.shape, fit.n_features, len(target.columns), size]
    models: list[Any] = [one.model for one in stacks[0]]
    names = ("alone_s", "fused_s") if size > 1 else ("alone_s",)
    found = _choice.once(what, names, lambda: _seconds_a_row(models, first, dataset))
    alone, fused = found["alone_s"], found.get("fused_s", np.inf)
    epochs = sum(one.model.epochs for one in alike if isinstance(one.model, Neural))
    if fused < _FEWER * alone:
        return stacks, epochs * len(fit) * fused
    return [[one] for one in alike], epochs * len(fit) * alone


def _seconds_a_row(models: list[Neural], one: _One, dataset: Dataset) -> dict[str, float]:
    from .neural._torch import fused  # noqa: PLC0415

    found: dict[str, float] = fused().seconds_a_row(models, one.prepared.fit, dataset.target)
    return found


def _on_gpu() -> bool:
    from .neural._torch import trainer  # noqa: PLC0415

    return str(trainer().device()) != "cpu"


@dataclass(eq=False)
class _Training:
    """What has been trained so far, and what could not be."""

    dataset: Dataset
    progress: Progress
    fitted: dict[str, FittedModel] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)

    def here(self, group: list[_One]) -> None:
        """In this process."""
        models, seeds = [one.model for one in group], [one.seed for one in group]
        given = group[0].prepared
        learned = fit_together(models, given.fit, given.stop, self.dataset.target, seeds)
        for one, own in zip(group, learned, strict=True):
            self._keep(one, own)

    def aside(self, groups: list[list[_One]], workers: int) -> list[list[_One]]:
        """In worker processes; what a group lost with its worker is tried again one by one.

        Returns the groups with a model that only this process can make.
        """
        with scratch_folder() as folder:
            for one in {one.samples: one for group in groups for one in group}.values():
                given = one.prepared
                write_samples(given.fit, folder / one.samples / "fit")
                if given.stop is not None:
                    write_samples(given.stop, folder / one.samples / "stop")
            again, strange = self._hand_out(groups, workers, folder / "first", folder)
            if again:
                alone = [[one] for one in again]
                strange += self._hand_out(alone, workers, folder / "again", folder)[1]
        return strange

    def _hand_out(
        self, groups: list[list[_One]], workers: int, to: Path, folder: Path
    ) -> tuple[list[_One], list[list[_One]]]:
        """Keep what comes back.

        Returns those that went down with others, and the groups that no worker can make.
        """
        target = self.dataset.target
        again: list[_One] = []
        strange: list[list[_One]] = []
        jobs = [
            {
                "models": [one.model.content() for one in group],
                "modules": sorted({type(one.model).__module__ for one in group}),
                "seeds": [one.seed for one in group],
                "target": target.to_json(),
                "samples": str(folder / group[0].samples),
                "to": [str(to / f"{place}-{number}") for number in range(len(group))],
            }
            for place, group in enumerate(groups)
        ]
        for place, answer in _workers.run(jobs, workers):
            group = groups[place]
            if isinstance(answer, str) and len(group) > 1:
                again += group
                continue
            if not answer:
                strange.append(group)
                continue
            for number, one in enumerate(group):
                said = _died(answer) if isinstance(answer, str) else answer[number]
                learned = said or _calls.load(one.model, to / f"{place}-{number}", target)
                self._keep(one, BarstackError(said) if said else learned)
        return again, strange

    def _keep(self, one: _One, learned: Any) -> None:
        self.progress.advance()
        if isinstance(learned, BarstackError):
            self.lost[one.name] = str(learned)
        else:
            self.fitted[one.name] = one.prepared.fitted(one.model, self.dataset, learned)


def _died(how: str) -> str:
    return (
        f"the worker process that trained it ended with {how}. Give it more memory, or train fewer "
        "at a time (workers=1)."
    )
