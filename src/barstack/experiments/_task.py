"""A study's work as a graph of tasks: plain values that any process rebuilds from the study.

A task is keyed by what it computes (its function, the code of the rooms behind that, its settings)
and from what (the keys of its inputs). Its name is how people and other tasks refer to it, and is
not part of the key: members that compute the same share one result, whatever they are called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from barstack.core.errors import ConfigError
from barstack.core.progress import Progress
from barstack.core.registry import Registry
from barstack.core.source import module_id, room_id, rooms_behind, source_id
from barstack.core.spec import Spec, content_id
from barstack.tracking import Store

if TYPE_CHECKING:
    from ._study import Study


@dataclass(frozen=True)
class Workspace:
    """Where tasks run.

    Attributes
    ----------
    folder      where relative paths in the study start
    forecasts   the store of out-of-fold forecasts
    progress    reports steps
    scratch     kept between attempts at one task, for checkpoints; None where there is none
    threads     that a task may use; None for all cores
    """

    folder: Path
    forecasts: Store
    progress: Progress = field(default_factory=Progress)
    scratch: Path | None = None
    threads: int | None = None


@dataclass(frozen=True)
class Place:
    """Where one task's result is stored: a folder of its own, and the forecasts under its key."""

    folder: Path
    key: str
    forecasts: Store


@dataclass(frozen=True)
class Operation:
    """A kind of task: what is computed, and how the result is stored.

    Attributes
    ----------
    name      the folder of its results within the store
    compute   (workspace, *inputs, **settings) -> value, a function of a module
    rooms     whose code, with all that they import, decides the value
    save      (value, place) -> None; without it the value is never stored, and is computed again
              in each process that needs it
    load      (place) -> value
    source    read afresh in each run and keyed by content: value -> content id
    """

    name: str
    compute: Callable[..., Any]
    rooms: tuple[str, ...] = ()
    save: Callable[[Any, Place], None] | None = None
    load: Callable[[Place], Any] | None = None
    source: Callable[[Any], str] | None = None

    @property
    def code(self) -> list[str]:
        """Ids of the code behind it: a comment in it, or another room's code, changes nothing."""
        outside = source_id(self.compute)
        return [_code_behind(self.rooms), outside or module_id(self.compute.__module__)]


@cache
def _code_behind(rooms: tuple[str, ...]) -> str:
    """Id of rooms and all that they import; a process runs the code that it has read once."""
    behind = {each for room in rooms for each in _behind(room)}
    return content_id([_room_id(each) for each in sorted(behind)])


_behind, _room_id = cache(rooms_behind), cache(room_id)


@dataclass(frozen=True)
class Task:
    """One piece of a study's work.

    Attributes
    ----------
    name       unique within the study, such as `features` or `fit ridge 3`
    operation  what is computed
    inputs     names of the tasks whose values it takes, in order
    settings   keyword arguments, plain values and specs, that decide the value with the inputs
    after      tasks that must succeed first, though their values are not used
    environment  plain data beside the settings that decides the value too: versions of libraries,
               hashes of files
    alone      whether it runs while nothing else does, and may then use all cores
    on_demand  computed only where something asks for it
    part_of    the task that reports it to people, of which this is a piece
    publish    files and folders of its result that the folder of a run receives
    """

    name: str
    operation: Operation
    inputs: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    environment: Any = None
    alone: bool = False
    on_demand: bool = False
    part_of: str = ""
    publish: tuple[str, ...] = ()

    def key(self, inputs: Iterable[str]) -> str:
        """Content key, from the keys of its inputs; it reads and writes nothing."""
        settings = {name: _identity(value) for name, value in self.settings.items()}
        code = self.operation.code
        return content_id([self.operation.name, code, settings, self.environment, list(inputs)])


def _identity(value: Any) -> Any:
    """A setting as plain data; a spec by its id."""
    if isinstance(value, Spec):
        return value.id
    if isinstance(value, Mapping):
        return {str(name): _identity(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_identity(each) for each in value]
    return value


Stage = Callable[["Study", int], Iterable[Task]]
STAGES: Registry[Stage] = Registry("stage", "barstack.experiments")


def stage(name: str) -> Callable[[Stage], Stage]:
    """Register `function(study, n_folds) -> tasks` as the stage `name`.

    How many folds there are is known once the rows have been split. The tasks behind `split` must
    not depend on it.
    """

    def decorate(function: Stage) -> Stage:
        STAGES.add(name, function)
        return function

    return decorate


def tasks_of(study: Study, n_folds: int) -> dict[str, Task]:
    """All tasks of a study by name, inputs before those that use them.

    Raises `ConfigError` where two stages make the same task, or one needs a task that no stage
    makes.

    >>> import tempfile
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tasks = tasks_of(small_study(Path(folder)), 3)
    >>> tasks["features"].inputs
    ('bars', 'series')
    """
    found: dict[str, Task] = {}
    for name in STAGES.names():
        for task in STAGES.get(name)(study, n_folds):
            if task.name in found:
                raise ConfigError(f"Two stages make {task.name!r}. Rename one.")
            found[task.name] = task
    return {name: found[name] for name in _in_order(found)}


def behind(tasks: Mapping[str, Task], name: str) -> set[str]:
    """A task and all that it depends on."""
    found, ahead = set(), [name]
    while ahead:
        each = ahead.pop()
        if each not in found:
            found.add(each)
            ahead += [*tasks[each].inputs, *tasks[each].after]
    return found


def _in_order(tasks: Mapping[str, Task]) -> Iterable[str]:
    """Names, each after all that it depends on."""
    done: dict[str, None] = {}
    open_: set[str] = set()

    def visit(name: str, needed_by: str) -> None:
        if name in done:
            return
        if name not in tasks:
            raise ConfigError(
                f"No stage makes {name!r}, which {needed_by!r} needs; there are {', '.join(tasks)}."
            )
        if name in open_:
            raise ConfigError(f"The tasks {', '.join(sorted(open_))} need one another.")
        open_.add(name)
        for need in (*tasks[name].inputs, *tasks[name].after):
            visit(need, name)
        open_.remove(name)
        done[name] = None

    for name in tasks:
        visit(name, "the study")
    return done
