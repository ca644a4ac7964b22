"""The Ray engine: fits run wherever Ray places them, and Ray retries them and moves their data.

Bars, features, labels and folds are made where the sweep was started, and so are scores, of which
hundreds take a second. What goes to a node is the features, labels and folds of a group, once, and
what comes back is the folder of a fit. A node needs barstack installed, and no disk that it shares.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import redirect_stdout, suppress
from functools import cache
from pathlib import Path
from typing import Any

from barstack.core.errors import BarstackError, MissingPackageError
from barstack.core.files import new_folder

from ._engines import JobEngine, register_engine
from ._experiment import Bench, Shared
from ._job import Job, Reply, refused, work
from ._local import ONE_THREAD
from ._study import Study

_RETRIES = 3  # of a fit whose process or node is lost
_AHEAD = 2  # fits that wait for each that runs
_LOOK_S = 1.0

Folder = dict[str, bytes]  # content by file name, below a folder


@register_engine("ray")
class RayEngine(JobEngine):
    """Fits on a Ray cluster: that of $RAY_ADDRESS, or one of this machine alone.

    A node that is lost takes no experiment with it: Ray runs its fits again elsewhere.
    """

    def __init__(self, runs: Path, folder: Path, workers: int | None = None) -> None:
        super().__init__(runs, folder, workers)
        try:
            import ray  # noqa: PLC0415 (an extra)
        except ImportError:
            raise MissingPackageError(
                "Engine ray needs Ray: pip install 'barstack[ray]'. Engine local needs nothing."
            ) from None
        self._ray: Any = ray
        # Ray prints what befalls nodes; standard output is for results.
        self._aside = redirect_stdout(sys.stderr)
        self._aside.__enter__()
        self._bench = Bench(self.runs, self.folder)
        self._own = not ray.is_initialized()
        if self._own:
            address = os.environ.get("RAY_ADDRESS")
            # "local": without it Ray joins whatever cluster it finds on this machine.
            own = {"address": "local", "num_cpus": workers}
            where: dict[str, Any] = {"address": address} if address else own
            if address and address.startswith("127.0.0.1:"):
                where["_node_ip_address"] = "127.0.0.1"
            ray.init(
                **where,
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"env_vars": dict(ONE_THREAD)},
            )
        self._fit = ray.remote(num_cpus=1, max_retries=_RETRIES)(fit_remotely)
        self._data: dict[str, Any] = {}  # references to what was put into Ray's store

    def replies(self, jobs: Iterable[Job], count: int) -> Iterator[Reply]:
        left, under_way = iter(jobs), dict[Any, Job]()
        try:
            while True:
                while len(under_way) < self._room() and (job := next(left, None)) is not None:
                    if job.kind == "prepare" or self._stored(job):
                        yield work(self._bench, job)
                    else:
                        under_way[self._submitted(job)] = job
                if not under_way:
                    return
                done, _ = self._ray.wait(list(under_way), num_returns=1, timeout=_LOOK_S)
                for reference in done:
                    yield self._taken(reference, under_way.pop(reference))
        finally:
            for reference in under_way:
                with suppress(Exception):  # the cluster may be gone
                    self._ray.cancel(reference, force=True)

    def end(self) -> None:
        if self._own:
            self._ray.shutdown()
        self._aside.__exit__(None, None, None)

    def _room(self) -> int:
        """How many fits may be under way, those that wait among them."""
        if self.workers is not None:
            return self.workers
        return max(1, _AHEAD * int(self._ray.cluster_resources().get("CPU", 1)))

    def _stored(self, job: Job) -> bool:
        return self._bench.has(Study(**job.study), Shared(**job.shared), job.folds)

    def _submitted(self, job: Job) -> Any:
        study, shared = Study(**job.study), Shared(**job.shared)
        packed = self._bench.shared_folders(study, shared)
        key = " ".join(sorted(packed))
        if key not in self._data:
            files = {name: read_folder(folder) for name, folder in packed.items()}
            self._data[key] = self._ray.put(files)
        return self._fit.options(memory=job.memory or None).remote(job.to_json(), self._data[key])

    def _taken(self, reference: Any, job: Job) -> Reply:
        """Store what a fit left, then score it here."""
        try:
            answer = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            sentence = f"Ray gave up on it after {_RETRIES} retries: {type(error).__name__}."
            return Reply(job.number, None, sentence, "WorkerDied")
        if isinstance(answer["reply"], dict):
            return Reply(**answer["reply"])
        try:
            for name, files in answer["fits"].items():
                write_folder(self.runs / ".store" / name, files)
        except (BarstackError, OSError) as error:
            return refused(job, error)
        reply = work(self._bench, job)
        if reply.result is None:
            return reply
        spent = {name: answer[name] + reply.result[name] for name in ("seconds", "cpu_seconds")}
        return Reply(job.number, {**reply.result, **spent})


@cache
def _bench() -> tuple[Bench, Any]:
    """What a process of a node keeps between fits; its folder goes with the process."""
    folder = tempfile.TemporaryDirectory(prefix="barstack-")
    return Bench(Path(folder.name), Path(folder.name)), folder


def fit_remotely(job: Mapping[str, Any], data: Mapping[str, Folder]) -> dict[str, Any]:
    """The fits of an experiment, as folders, and what they took; or the reply of an error."""
    bench, _ = _bench()
    own = Job(**job)
    began, computed = time.perf_counter(), time.process_time()
    try:
        for name, files in data.items():
            write_folder(bench.runs / ".store" / name, files)
        folders = bench.fit(Study(**own.study), Shared(**own.shared), own.folds)
    except Exception as error:  # noqa: BLE001 (a reply, as `work` gives)
        return {"reply": refused(own, error).to_json()}
    return {
        "reply": None,
        "fits": {name: read_folder(folder) for name, folder in folders.items()},
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - computed,
    }


def read_folder(folder: Path) -> Folder:
    """Every file in a folder."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(files)}


def write_folder(folder: Path, files: Folder) -> None:
    """The folder, whole or not at all, unless it is there."""
    if folder.is_dir():
        return
    with new_folder(folder, replace=False) as scratch:
        for name, content in files.items():
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / name).write_bytes(content)
