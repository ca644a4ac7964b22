"""Steps keyed by content: what is stored under its key is never made again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from barstack.core.errors import ConfigError, StorageError
from barstack.core.files import check_seal, new_folder, seal
from barstack.core.progress import Progress
from barstack.core.registry import Registry
from barstack.core.source import source_id
from barstack.core.spec import content_id
from barstack.tracking import ForecastStore, Ledger

from ._study import Study

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Workplace:
    """Where a run reads and writes.

    store   folder of finished steps and forecasts, shared by all runs; the ledger lies beside it
    folder  where relative paths in the study start
    """

    store: Path
    folder: Path
    progress: Progress = field(default_factory=Progress)

    @property
    def forecasts(self) -> ForecastStore:
        """The column store of out-of-fold forecasts."""
        return ForecastStore(self.store / "forecasts")

    @property
    def ledger(self) -> Ledger:
        """All trials ever made here; beside the store, as clearing that must not forget them."""
        return Ledger(self.store.parent / ".ledger.sqlite")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One piece of a run.

    name   such as `features` or `member ridge`
    needs  names of the steps whose values it is made of
    spec   plain data that, with the keys of what it needs, decides its value
    make   its value, from those of what it needs
    save   write the value into an empty folder under its key; `load` reads it back

    A step with `fingerprint` is made afresh each time and keyed by its value instead.
    """

    name: str
    needs: tuple[str, ...]
    spec: Callable[[], Any]
    make: Callable[[Values, str], Any]
    save: Callable[[Any, Path, str], None] | None = None
    load: Callable[[Path, str], Any] | None = None
    fingerprint: Callable[[Any], str] | None = None
    publish: str | tuple[str, ...] = ()  # of what it saved, copied into the run's folder
    code: str | None = None  # id of the code of a plugin's stage


@dataclass(frozen=True)
class Done:
    """How one step ended: `how` is "made" or "reused"."""

    name: str
    how: str
    seconds: float


@cache
def code_id() -> str:
    """Hash of barstack's own files: what is stored belongs to the code that made it."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


class Chain:
    """Runs steps in the order they need one another, reusing what is stored."""

    def __init__(self, steps: Iterable[Step], workplace: Workplace) -> None:
        self.steps: dict[str, Step] = {}
        self.add(steps)
        self.workplace = workplace
        self.done: list[Done] = []
        self._keys: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def add(self, steps: Iterable[Step]) -> None:
        """Let these steps be run too; each name once."""
        for step in steps:
            if step.name in self.steps:
                raise ConfigError(f"Two stages make {step.name!r}. Rename one.")
            self.steps[step.name] = step

    def run(self) -> None:
        """Make every step that is not stored yet."""
        for name in self.steps:
            self._finish(name)

    def value(self, name: str) -> Any:
        """The value of a step, made or loaded when first asked for."""
        self._finish(name)
        if name not in self._values:
            self._values[name] = self._load(self.steps[name], self._keys[name])
        return self._values[name]

    def key(self, name: str) -> str:
        """The content key of a step."""
        self._finish(name)
        return self._keys[name]

    def _finish(self, name: str) -> None:
        if name in self._keys:
            return
        step = self._step(name)
        for need in step.needs:
            self._finish(need)
        start = time.perf_counter()
        if step.fingerprint is not None:
            self._values[name] = step.make({}, "")
            self._keys[name] = step.fingerprint(self._values[name])
            self._log(name, "made", start)
            return
        needs = {need: self._keys[need] for need in step.needs}
        code = [code_id(), *filter(None, [step.code])]
        key = content_id([name, code, step.spec(), needs])
        folder = self._folder(name, key)
        if folder.is_dir():
            self._keys[name] = key
            self._log(name, "reused", start)
            return
        inputs = {need: self.value(need) for need in step.needs}
        value = step.make(inputs, key)
        assert step.save is not None
        with new_folder(folder, replace=False) as scratch:
            step.save(value, scratch, key)
            seal(scratch)
        self._keys[name], self._values[name] = key, value
        self._log(name, "made", start)

    def _load(self, step: Step, key: str) -> Any:
        assert step.load is not None  # without it `_finish` keeps the value
        folder = self._folder(step.name, key)
        self._check(step, folder)
        return step.load(folder, key)

    def _check(self, step: Step, folder: Path) -> None:
        try:
            check_seal(folder)
        except StorageError as error:
            raise StorageError(
                f"What is stored of step {step.name!r} is damaged: {error} Delete {folder}, and "
                "the same run makes it again."
            ) from error

    def _step(self, name: str) -> Step:
        if name not in self.steps:
            raise ConfigError(f"No stage makes {name!r}; there are {', '.join(self.steps)}.")
        return self.steps[name]

    def published(self) -> dict[str, Path]:
        """What finished steps give to the run's folder: where it is stored, by its name there."""
        found: dict[str, Path] = {}
        for name, step in self.steps.items():
            names = (step.publish,) if isinstance(step.publish, str) else step.publish
            if names:
                folder = self._folder(name, self.key(name))
                self._check(step, folder)
                found |= {each: folder / each for each in names}
        return found

    def _folder(self, name: str, key: str) -> Path:
        return self.workplace.store / name.split(maxsplit=1)[0] / key

    def _log(self, name: str, how: str, start: float) -> None:
        done = Done(name, how, time.perf_counter() - start)
        self.done.append(done)
        self.workplace.progress.done(done.name, done.how, done.seconds)


StageFunction = Callable[[Study, Workplace, Chain], Iterable[Step]]
STAGES: Registry[StageFunction] = Registry("stage", "barstack.experiments")


def stage(name: str) -> Callable[[StageFunction], StageFunction]:
    """Register `function(study, workplace, chain) -> steps` as the stage `name`."""

    def decorate(function: StageFunction) -> StageFunction:
        STAGES.add(name, function)
        return function

    return decorate


def chain_of(study: Study, workplace: Workplace) -> Chain:
    """The steps of every registered stage, none of them run yet."""
    chain = Chain([], workplace)
    for name in STAGES.names():
        make = STAGES.get(name)
        code = source_id(make)
        chain.add(replace(step, code=code) for step in make(study, workplace, chain))
    return chain
