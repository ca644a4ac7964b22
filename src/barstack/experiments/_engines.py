"""Engines: what does the jobs of a sweep, and where. All give the same results, to the byte."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Self, TypeVar

from barstack.core.registry import Registry

from ._experiment import Bench
from ._job import Job, Reply, work

E = TypeVar("E", bound="JobEngine")


class JobEngine(ABC):
    """Does jobs, in any order and place; a `with` block ends whatever it started.

    Parameters
    ----------
    runs, folder
        As `run_study` takes them.
    workers
        Most jobs at once; by default as many as there are cores.
    """

    def __init__(self, runs: Path, folder: Path, workers: int | None = None) -> None:
        self.runs, self.folder, self.workers = Path(runs), Path(folder), workers

    @abstractmethod
    def replies(self, jobs: Iterable[Job], count: int) -> Iterator[Reply]:
        """The reply to each job, as they come; jobs are taken, and begin, in the order given.

        A job is taken when it can begin. One whose process dies is done again; where that goes on
        it fails like any other. To close the iterator before its end abandons what is under way.

        count  most jobs that there are
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:  # noqa: B027 (most engines have started something, one has not)
        """End what was started."""


ENGINES: Registry[type[JobEngine]] = Registry("engine", "barstack.experiments")


def register_engine(name: str) -> Callable[[type[E]], type[E]]:
    """Class decorator: an engine under a name."""

    def decorate(engine: type[E]) -> type[E]:
        ENGINES.add(name, engine)
        return engine

    return decorate


@register_engine("serial")
class SerialEngine(JobEngine):
    """One job after the other in this process: for models that a script itself registers."""

    def __init__(self, runs: Path, folder: Path, workers: int | None = None) -> None:
        super().__init__(runs, folder, workers)
        self._bench = Bench(self.runs, self.folder)

    def replies(self, jobs: Iterable[Job], count: int) -> Iterator[Reply]:
        for job in jobs:
            yield work(self._bench, job)
