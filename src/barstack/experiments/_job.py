"""Work of a sweep as plain data, and the one function by which every engine does it."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from barstack.core.errors import BarstackError, StorageError

from ._calibrate_world import run_on_world
from ._experiment import Bench, Shared
from ._study import Study

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)
_SHOWN_FRAMES = 3  # of an error that no class of barstack explains


@dataclass(frozen=True)
class Job:
    """One thing to do, which any process can do from this alone.

    Attributes
    ----------
    number
        Unique among the jobs of a sweep.
    kind
        "prepare" makes what experiments share; "experiment" fits and scores one; "trial" does so on
        the first folds alone; "world" runs the whole study on bars like its own.
    study
        Plain data of a study with one member.
    horizon
        At which an experiment is scored.
    name
        By which people know an experiment.
    shared
        What its `prepare` returned, for an experiment.
    memory
        Bytes that a process needs for it, beside the libraries.
    folds, ended
        Of a trial: how many folds, the earliest, and whether no more of it follow.
    """

    number: int
    kind: Literal["prepare", "experiment", "trial", "world"]
    study: Mapping[str, Any]
    horizon: str = ""
    shared: Mapping[str, Any] = field(default_factory=dict)
    memory: int = 0
    folds: int = 0
    ended: bool = False
    name: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data; `Job(**data)` reads it back."""
        return asdict(self)


@dataclass(frozen=True)
class Reply:
    """How a job ended: with a result as plain data, or with an error.

    Attributes
    ----------
    result
        What `Bench.prepare` or `Bench.compute` returns; None where it failed.
    error
        A sentence.
    kind
        The class of the error.
    storage
        Whether nothing can be stored, as on a full disk: a fault of no experiment.
    """

    number: int
    result: Mapping[str, Any] | None = None
    error: str = ""
    kind: str = ""
    storage: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain data; `Reply(**data)` reads it back."""
        return asdict(self)


def work(bench: Bench, job: Job) -> Reply:
    """Do a job. An error is its reply; only an interruption is raised."""
    try:
        study = Study(**job.study)
        if job.kind == "prepare":
            return Reply(job.number, asdict(bench.prepare(study)))
        if job.kind == "world":
            return Reply(job.number, run_on_world(study, bench.folder, job.shared))
        shared = Shared(**job.shared)
        if job.kind == "trial":
            return Reply(job.number, bench.judge(study, shared, job.folds, ended=job.ended))
        return Reply(job.number, bench.compute(study, job.horizon, shared, job.name))
    except Exception as error:  # noqa: BLE001 (recorded; other experiments go on)
        return refused(job, error)


def refused(job: Job, error: Exception) -> Reply:
    """The reply to a job that ended with an error."""
    kind, sentence, storage = type(error).__name__, str(error), False
    if isinstance(error, BarstackError):
        storage = _of_storage(error)
    elif isinstance(error, OSError):
        sentence, storage = f"The operating system refuses: {error}.", error.errno in _DISK
    elif isinstance(error, MemoryError):
        kind, sentence = "MemoryError", f"There is not enough memory: {error}."
    else:  # a bug, of barstack or of a plugin
        frames = traceback.extract_tb(error.__traceback__)[-_SHOWN_FRAMES:]
        where = "; ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
        sentence = f"{error} ({where})"
    return Reply(job.number, None, sentence, kind, storage)


def _of_storage(error: BarstackError) -> bool:
    """Whether the disk refuses, rather than what is stored being damaged."""
    cause = error.__cause__
    return isinstance(error, StorageError) and (
        (isinstance(cause, OSError) and cause.errno in _DISK)
        or (cause is not None and "(os error 28)" in str(cause))
        or "disk is full" in str(error)
    )
