"""Runs tasks in the order in which they need one another, and reuses what is stored."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from barstack.core.errors import ConfigError, DataError, StorageError
from barstack.core.files import check_seal, new_folder, seal
from barstack.core.progress import Progress
from barstack.tracking import Store, open_store

from ._kept import KeptValues
from ._presets import completed
from ._study import Study
from ._task import Place, Task, Workspace, behind, tasks_of

_WAIT_S = 0.5


@dataclass(frozen=True)
class Done:
    """How one task ended: `how` is "made" or "reused"."""

    name: str
    how: str
    seconds: float


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Engine:
    """Computes the tasks of one study, each once, in this process.

    Values are kept while the engine lives; what is stored under a task's key is read instead of
    computed, by any engine over the same folder.

    Parameters
    ----------
    study     whose tasks these are; where it names no members a preset chooses them, and
              `chosen` says what
    runs      folder of runs; results of tasks are kept in its `.store`, the ledger of trials and
              forecasts out of fold in a `Store` beside them
    folder    where relative paths in the study start
    progress  reports tasks; by default silent
    workers   threads that compute tasks side by side, by default one for each core. Tasks then
              use one thread each, so their number changes no result
    kept      values shared with other engines of this process; by default none
    threads   of a task that runs while nothing else does; by default all cores
    user_ledger  whether trials are entered in the user's own ledger too

    >>> import tempfile
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     engine = Engine(small_study(Path(folder)), f"{folder}/runs", folder)
    ...     features = engine.value("features")
    >>> features.columns
    ('rsi_14', 'body')
    """

    def __init__(
        self,
        study: Study,
        runs: Path | str,
        folder: Path | str = ".",
        progress: Progress | None = None,
        workers: int | None = None,
        kept: KeptValues | None = None,
        threads: int | None = None,
        user_ledger: bool = True,
    ) -> None:
        self.study, self.chosen = completed(study, folder)
        self.tasks = tasks_of(self.study, 0)
        self.folder, self.progress = Path(runs) / ".store", progress or Progress()
        self.forecasts: Store = open_store(Path(runs), user=user_ledger)
        self.workspace = Workspace(Path(folder), self.forecasts, self.progress)
        self.workers = cores() if workers is None else workers
        self.kept, self.threads = kept, threads
        self.done: list[Done] = []
        self._keys: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._seconds: dict[str, float] = {}  # of what was computed here, by task
        self._early = behind(self.tasks, "split")
        self._grown = False
        self._lock = threading.RLock()

    def run(self, names: Iterable[str] | None = None) -> None:
        """Compute all that is not stored of some tasks, by default all but those on demand."""
        self._grow()
        if names is None:
            names = [
                name
                for name, task in self.tasks.items()
                if not (task.on_demand or task.part_of or task.operation.save is None)
            ]
        targets = list(names)
        needed = self._needed(targets)
        _Crew(self, needed).run()
        reported = {each.name for each in self.done}
        for name in targets:
            if name not in reported:
                self._report(name, "reused")

    def value(self, name: str) -> Any:
        """The value of a task, computed or loaded when first asked for."""
        self.key(name)
        if not self._has(name):
            if not self._stored(name):
                _Crew(self, self._needed([name])).run()
            self._take(name)
        return self._values[name]

    def key(self, name: str) -> str:
        """The content key of a task; sources that it depends on are read for it."""
        if name not in self._keys:
            task = self._task(name)
            if task.operation.source is not None:
                self._keys[name] = self._read(task)
            else:
                self._keys[name] = task.key([self.key(each) for each in task.inputs])
        return self._keys[name]

    def _read(self, task: Task) -> str:
        """Key of a source, which is read for it unless another engine has done so."""
        known = self.kept.source_key(task) if self.kept else None
        if known is not None:
            return known
        start = time.perf_counter()
        value, key = self._from_source(task)
        self._values[task.name] = value
        self._seconds[task.name] = time.perf_counter() - start
        if self.kept:
            self.kept.put_source(task, key)
            self.kept.put(key, value)
        if not task.part_of:
            self._report(task.name, "made")
        return key

    def _from_source(self, task: Task) -> tuple[Any, str]:
        assert task.operation.source is not None
        value = task.operation.compute(self.workspace, **task.settings)
        return value, task.operation.source(value)

    def place(self, name: str) -> Place:
        """Where a task's result is stored."""
        key = self.key(name)
        return Place(self.folder / self._task(name).operation.name / key, key, self.forecasts)

    def published(self) -> dict[str, Path]:
        """What finished tasks give to the run's folder: where it is stored, by its name there."""
        found: dict[str, Path] = {}
        self._grow()
        for name, task in self.tasks.items():
            if task.publish:
                folder = self.place(name).folder
                self._check(name)
                found |= {each: folder / each for each in task.publish}
        return found

    def _grow(self) -> None:
        """Add the tasks of each fold, once the number of folds is known."""
        if not self._grown:
            self._grown = True
            self.tasks = tasks_of(self.study, len(self.value("split")))

    def _task(self, name: str) -> Task:
        if name not in self._early:
            self._grow()
        if name not in self.tasks:
            raise ConfigError(f"No stage makes {name!r}; there are {', '.join(self.tasks)}.")
        return self.tasks[name]

    def _stored(self, name: str) -> bool:
        return self._task(name).operation.save is not None and self.place(name).folder.is_dir()

    def _needed(self, targets: Iterable[str]) -> dict[str, Task]:
        """What must be computed for the targets, in order."""
        needed: set[str] = set()
        ahead = list(targets)
        while ahead:
            name = ahead.pop()
            self.key(name)
            if name in needed or self._has(name) or self._stored(name):
                continue
            needed.add(name)
            ahead += [*self.tasks[name].inputs, *self.tasks[name].after]
        return {name: task for name, task in self.tasks.items() if name in needed}

    def compute(self, name: str, threads: int | None) -> None:
        """Compute one task whose inputs are there, and store it.

        What another task of the same key, or another process, has stored meanwhile is reused.
        """
        if self._stored(name):
            if not self._task(name).part_of:
                self._report(name, "reused")
            return
        task, start = self._task(name), time.perf_counter()
        if task.operation.source is not None:
            self._put(name, self._read_again(task))
            return
        inputs = [self._take(each) for each in task.inputs]
        place, operation = self.place(name), task.operation
        scratch = self.folder / "scratch" / place.key
        workspace = replace(self.workspace, scratch=scratch, threads=threads)
        value = operation.compute(workspace, *inputs, **task.settings)
        if operation.save is not None:
            with new_folder(place.folder, replace=False) as folder:
                operation.save(value, replace(place, folder=folder))
                seal(folder)
            shutil.rmtree(scratch, ignore_errors=True)
        self._put(name, value)
        self._seconds[name] = time.perf_counter() - start
        if not task.part_of and operation.save is not None:
            self._report(name, "made")

    def _read_again(self, task: Task) -> Any:
        """A source whose key is known from another process; `DataError` where it has changed."""
        value, key = self._from_source(task)
        if key != self.key(task.name):
            raise DataError(
                f"The {task.name} have changed since they were read. Run again, on what there is "
                "now."
            )
        return value

    def _take(self, name: str) -> Any:
        """A value that is there or stored, loaded once."""
        with self._lock:
            if not self._has(name):
                load = self.tasks[name].operation.load
                if load is None:
                    raise ConfigError(f"Task {name!r} does not say how its result is loaded.")
                self._check(name)
                self._put(name, load(self.place(name)))
            return self._values[name]

    def _has(self, name: str) -> bool:
        """Whether a value is at hand; one that another engine has made is taken over."""
        if name not in self._values and self.kept:
            found = self.kept.get(self.key(name))
            if found is not None:
                self._values[name] = found
        return name in self._values

    def _put(self, name: str, value: Any) -> None:
        self._values[name] = value
        if self.kept and value is not None:
            self.kept.put(self.key(name), value)

    def _check(self, name: str) -> None:
        folder = self.place(name).folder
        try:
            check_seal(folder)
        except StorageError as error:
            raise StorageError(
                f"The stored result of task {name!r} is damaged: {error} Delete {folder}, and "
                "the same run computes it again."
            ) from error

    def _report(self, name: str, how: str) -> None:
        parts = [each for each, task in self.tasks.items() if task.part_of == name]
        seconds = sum(self._seconds.get(each, 0.0) for each in (name, *parts))
        self.done.append(Done(name, how, seconds))
        self.progress.done(name, how, seconds)


class _Crew:
    """Threads that compute a set of tasks, this one among them, each task after its inputs.

    The calling thread works too, so that an interruption reaches it; the others are daemons, which
    a process that ends does not wait for.
    """

    def __init__(self, engine: Engine, tasks: Mapping[str, Task]) -> None:
        # What joins finished fits goes first: final fits fill the time in which it is judged.
        first = sorted(tasks, key=lambda name: bool(tasks[name].part_of))
        self.engine, self.waiting = engine, {name: tasks[name] for name in first}
        self.running: dict[str, Task] = {}
        self.order = {name: place for place, name in enumerate(tasks)}
        self.error: BaseException | None = None
        self.failed = len(tasks)  # place of the task that the error is of
        self.fitting: Progress | None = None
        self.change = threading.Condition()

    def run(self) -> None:
        """Compute all; after an error the tasks that run end, and no other begins.

        Of several errors the earliest task's is raised: the audit's before that of a fit.
        """
        n_fits = sum(1 for task in self.waiting.values() if task.part_of)
        n_threads = min(self.engine.workers, len(self.waiting))
        fitting = self.engine.progress.step("fitting", n_fits) if n_fits else nullcontext()
        try:
            with fitting as self.fitting:
                for _ in range(n_threads - 1):
                    threading.Thread(target=self._work, daemon=True).start()
                self._work()
        except BaseException as error:  # noqa: BLE001 (raised again below)
            self._stop(error, -1)
        with self.change:
            patience = _WAIT_S if isinstance(self.error, KeyboardInterrupt) else None
            self.change.wait_for(lambda: not self.running, patience)
        if self.error is not None:
            raise self.error

    def _work(self) -> None:
        while (task := self._next()) is not None:
            try:
                self.engine.compute(task.name, self.engine.threads if task.alone else 1)
                if task.part_of and self.fitting is not None:
                    self.fitting.advance()
            except BaseException as error:  # noqa: BLE001 (raised again by the calling thread)
                interrupted = isinstance(error, KeyboardInterrupt)
                self._stop(error, -1 if interrupted else self.order[task.name])
            finally:
                with self.change:
                    del self.running[task.name]
                    self.change.notify_all()

    def _next(self) -> Task | None:
        """The next task that may run, waiting for one; None when there is nothing left to do."""
        with self.change:
            while self.waiting and self.error is None:
                for name, task in self.waiting.items():
                    if self._may_run(task):
                        self.running[name] = self.waiting.pop(name)
                        return task
                self.change.wait(_WAIT_S)  # without an end it could not be interrupted
            return None

    def _may_run(self, task: Task) -> bool:
        if any(each.alone for each in self.running.values()) or (task.alone and self.running):
            return False
        needs = (*task.inputs, *task.after)
        return not any(each in self.waiting or each in self.running for each in needs)

    def _stop(self, error: BaseException, place: int) -> None:
        with self.change:
            if place < self.failed:
                self.error, self.failed = error, place
            self.change.notify_all()
