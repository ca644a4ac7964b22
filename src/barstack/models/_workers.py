"""Worker processes, one core each, that train models side by side."""

from __future__ import annotations

import atexit
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from ._worker import IDLE_S

# glibc hands large blocks back to the system as soon as they are free, and training asks for the
# same sizes again a moment later: each time the system clears the pages anew. Other libraries of C
# do not look at these.
_KEEP_MEMORY = {
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TOP_PAD_": str(2**26),
}
_START = "from barstack.models._worker import main; main()"

Job = dict[str, Any]  # see `_worker`
Answer = list[str | None] | str  # what `_worker` answers, or how it died

_idle: list[_Worker] = []
_lock = threading.Lock()


def cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def warm() -> int:
    """Workers that wait, with everything imported."""
    return len(_idle)


def run(jobs: Sequence[Job], workers: int) -> Iterator[tuple[int, Answer]]:
    """Place of each job and its answer, as they come; of one whose worker died, how it ended.

    However this ends, by Ctrl-C too, no worker goes on with any of these jobs.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for place in range(len(jobs)):
        waiting.put(place)
    answers: queue.SimpleQueue[tuple[int, Answer] | BaseException] = queue.SimpleQueue()
    crew = [_Seat(jobs, waiting, answers) for _ in range(min(workers, len(jobs)))]
    try:
        for _ in jobs:
            answer = _next(answers)
            if isinstance(answer, BaseException):
                raise answer
            yield answer
    finally:
        for seat in crew:
            seat.leave()


def _next(answers: queue.SimpleQueue[Any]) -> Any:
    """The next answer, looking up now and then: Ctrl-C does not wake who waits for a queue."""
    while True:
        with suppress(queue.Empty):
            return answers.get(timeout=0.2)


class _Seat:
    """A thread that hands jobs to one worker, and to another when that one dies."""

    def __init__(
        self,
        jobs: Sequence[Job],
        waiting: queue.SimpleQueue[int],
        answers: queue.SimpleQueue[tuple[int, Answer] | BaseException],
    ) -> None:
        self._jobs, self._waiting, self._answers = jobs, waiting, answers
        self._over, self._worker = False, _hire()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            while not self._over:
                place = self._waiting.get_nowait()
                said: Answer | None = self._worker.do(self._jobs[place])
                if said is None:
                    said = self._worker.end(after_s=5.0)
                    if not self._over:
                        self._worker = _Worker()
                self._answers.put((place, said))
        except queue.Empty:
            pass
        except BaseException as error:  # noqa: BLE001 (it is raised again where answers are read)
            self._answers.put(error)

    def leave(self) -> None:
        """Send the worker to wait for other work, or end it in the middle of this."""
        self._over = True
        while self._thread.is_alive():
            if self._worker.busy:
                self._worker.end()
            self._thread.join(0.05)
        if self._worker.alive:
            with _lock:
                _idle.append(self._worker)


class _Worker:
    """A process that answers one line with another."""

    def __init__(self) -> None:
        found = [path for path in sys.path if path]
        environment = os.environ | _KEEP_MEMORY | {"PYTHONPATH": os.pathsep.join(found)}
        # A session of its own, so that Ctrl-C in a terminal reaches only the one that asked, which
        # ends its workers; they end by themselves once their input does.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=environment, text=True, start_new_session=True,
        )  # fmt: skip
        self.busy, self.since = False, time.monotonic()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def leaving(self) -> bool:
        """Whether it may end at any moment, having waited long."""
        return not self.alive or time.monotonic() - self.since > 0.5 * IDLE_S

    def do(self, job: Job) -> list[str | None] | None:
        """The answer, or None where the process died over it."""
        self.busy = True
        try:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except (BrokenPipeError, ValueError):  # it died before, or was ended meanwhile
            return None
        self.busy, self.since = False, time.monotonic()
        return json.loads(line) if line else None

    def end(self, after_s: float = 0.0) -> str:
        """End it unless it does so by itself, and say how it went."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(after_s)
        self._process.kill()
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _hire() -> _Worker:
    """One that waits, or a new one."""
    with _lock:
        while _idle:
            worker = _idle.pop()
            if not worker.leaving:
                return worker
            worker.end()
    return _Worker()


@atexit.register
def dismiss() -> None:
    """End all that wait."""
    with _lock:
        while _idle:
            _idle.pop().end()
