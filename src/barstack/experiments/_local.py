"""The local engine: worker processes on this machine, each with one thread."""

from __future__ import annotations

import json
import math
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from barstack.core.errors import StorageError

from ._engine import cores
from ._engines import JobEngine, register_engine
from ._job import Job, Reply
from ._memory import WORKER_BYTES, available_bytes, workers_within

_ATTEMPTS = 3  # at a job whose process dies
_KILLED_STARTS = 20  # of processes that never came to work
_SCARCE = 256 * 2**20  # bytes left, at which a process that is killed was killed for them
_LOOK_S = 0.25

# As many processes as cores: more threads would only take turns.
ONE_THREAD = {
    f"{library}_THREADS": "1"
    for library in ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "NUMBA_NUM", "POLARS_MAX")
}
# The allocator keeps what it has: small networks otherwise spend half their time on returning
# memory to the system and taking it again.
_ALLOCATOR = {
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_TOP_PAD_": str(2**26),
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
}
_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from barstack.experiments._worker import main; main(*sys.argv[2:])"
)


@dataclass(eq=False)
class _Worker:
    """A process, and what it is doing."""

    process: subprocess.Popen[str]
    errors: IO[bytes]
    ready: bool = False
    job: Job | None = None
    began: float = field(default_factory=time.monotonic)

    def give(self, content: dict[str, Any]) -> None:
        """Send it a line; that it is gone is noticed where its replies end."""
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.write(json.dumps(content) + "\n")
            self.process.stdin.flush()

    def end(self) -> None:
        """End the process and let go of its files."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self.errors.close()

    def last_words(self) -> str:
        """The end of what it wrote to its standard error."""
        self.errors.seek(0)
        lines = self.errors.read().decode("utf-8", "replace").strip().splitlines()
        return " ".join(line.strip() for line in lines[-3:])


@register_engine("local")
class LocalEngine(JobEngine):
    """Processes of this machine, as many as there are cores and memory for.

    A process serves until the engine ends, so that it imports libraries once, and keeps features,
    labels and samples that later jobs need. It takes one job at a time. When it dies, its job is
    done again by another; when it was killed for memory, fewer run at once from then on.
    """

    def __init__(self, runs: Path, folder: Path, workers: int | None = None) -> None:
        super().__init__(runs, folder, workers)
        self._most = cores() if workers is None else workers
        self._workers: list[_Worker] = []
        self._lines: queue.SimpleQueue[tuple[_Worker, str | None]] = queue.SimpleQueue()
        self._jobs: Iterator[Job] = iter(())
        self._again: deque[Job] = deque()  # whose process has died
        self._deaths: dict[int, int] = {}  # by number of the job
        self._failed_starts = 0
        self._memory = 0  # that the largest job so far needs
        self._least_free = math.inf  # bytes, of late

    def replies(self, jobs: Iterable[Job], count: int) -> Iterator[Reply]:
        self._jobs, self._again = iter(jobs), deque()
        self._deaths.clear()
        left = count
        try:
            while True:
                self._start_some(min(self._room(), left))
                more = self._hand_out()
                if not more and not any(worker.job for worker in self._workers):
                    return
                reply = self._heard(*self._received())
                if reply is not None:
                    left -= 1
                    yield reply
        finally:  # of an iterator that is closed early too
            for worker in [each for each in self._workers if each.job is not None]:
                self._remove(worker)

    def _room(self) -> int:
        """How many processes there may be in all."""
        free = available_bytes()
        if free is not None:  # what ours have taken already was available to them
            free += WORKER_BYTES * sum(worker.ready for worker in self._workers)
        return workers_within(free, WORKER_BYTES + self._memory, self._most)

    def _start_some(self, count: int) -> None:
        path = json.dumps(sys.path)
        while len(self._workers) < count:
            errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed when the worker ends)
            process = subprocess.Popen(
                [sys.executable, "-c", _CODE, path, str(self.runs), str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
                env=_ALLOCATOR | os.environ | ONE_THREAD,
                start_new_session=True,  # Ctrl-C is for this process alone
            )
            worker = _Worker(process, errors)
            threading.Thread(target=self._listen, args=(worker,), daemon=True).start()
            self._workers.append(worker)

    def _listen(self, worker: _Worker) -> None:
        assert worker.process.stdout is not None
        with suppress(OSError, ValueError):  # closed by this process
            for line in worker.process.stdout:
                self._lines.put((worker, line))
        self._lines.put((worker, None))

    def _hand_out(self) -> bool:
        """Give jobs to whoever is free; whether there are more, or may be."""
        for worker in self._workers:
            if worker.ready and worker.job is None:
                job = self._again.popleft() if self._again else next(self._jobs, None)
                if job is None:
                    return False
                worker.job, self._memory = job, max(self._memory, job.memory)
                worker.give(job.to_json())
        return True

    def _received(self) -> tuple[_Worker | None, str | None]:
        """What arrived next; nothing where nothing does for a moment."""
        free = available_bytes()
        if free is not None:
            self._least_free = min(free, self._least_free)
        try:
            return self._lines.get(timeout=_LOOK_S)
        except queue.Empty:
            self._least_free = math.inf
            return None, None

    def _heard(self, worker: _Worker | None, line: str | None) -> Reply | None:
        if worker is None or worker not in self._workers:  # nothing, or of one that was ended here
            return None
        if line is None:
            return self._mourn(worker)
        content = json.loads(line)
        if "ready" in content:
            worker.ready, self._failed_starts = True, 0
            return None
        worker.job = None
        return Reply(**content)

    def _mourn(self, worker: _Worker) -> Reply | None:
        """A process has died: its job is done again, unless it keeps killing processes."""
        code, words, job = worker.process.wait(), worker.last_words(), worker.job
        self._remove(worker)
        if not worker.ready:
            self._failed_starts += 1
            # One that is killed is no sign that others will not start; one that ends by itself is.
            if self._failed_starts >= (_ATTEMPTS if code >= 0 else _KILLED_STARTS):
                raise StorageError(
                    f"Worker processes of the local engine do not start: {words or _how(code)}. "
                    "Use engine serial to see the experiments in one process."
                )
        scarce = self._least_free < _SCARCE
        if scarce and self._most > 1:
            self._most -= 1
        if job is None:
            return None
        self._deaths[job.number] = self._deaths.get(job.number, 0) + 1
        if self._deaths[job.number] < _ATTEMPTS:
            self._again.appendleft(job)
            return None
        sentence = (
            f"Its process {_how(code)} each time it was tried, {_ATTEMPTS} times"
            f"{', while memory was scarce' if scarce else ''}. {words}"
        )
        return Reply(job.number, None, sentence.strip(), "WorkerDied")

    def _remove(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.end()

    def end(self) -> None:
        for worker in list(self._workers):
            self._remove(worker)


def _how(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
