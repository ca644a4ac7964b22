"""Sweeps that run as real processes and are really killed: for tests and for a benchmark."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Read by every Python process at its start: fits take a while, and some penalties end their process
# or ask for more memory than there is.
_SITE = """
import os

if "SWEEP_SLOW" in os.environ:
    import signal, time
    import numpy as np
    from barstack.models.classical.ridge import Ridge

    solve = Ridge.solve

    def slow(self, *arguments):
        time.sleep(float(os.environ["SWEEP_SLOW"]))
        if str(self.penalty) == os.environ.get("SWEEP_KILLS"):
            os.kill(os.getpid(), signal.SIGKILL)
        if str(self.penalty) == os.environ.get("SWEEP_EATS"):
            np.empty(2**60, np.uint8)
        return solve(self, *arguments)

    Ridge.solve = slow
"""

TIMES = ("seconds", "cpu_seconds", "how")


class Sweeping:
    """`barstack sweep` of a file, in a process of its own.

    verb  another command that takes a file and a folder of runs
    slow  seconds that each of two fits of an experiment takes longer
    more  of the environment: penalties that kill (SWEEP_KILLS) or eat memory (SWEEP_EATS)
    """

    def __init__(
        self,
        folder: Path,
        file: Path,
        *arguments: str,
        slow: float = 0.0,
        runs: Path | None = None,
        verb: str = "sweep",
        **more: str,
    ) -> None:
        site = folder / "site"
        site.mkdir(exist_ok=True)
        self.write_site(site)
        paths = [str(site), *(each for each in sys.path if each)]
        self.runs = runs or folder / "runs"
        command = [sys.executable, "-m", "barstack", verb, str(file), "--runs", str(self.runs)]
        # Files: a pipe that nobody reads is soon full, and its writer waits.
        self._out, self._err = (tempfile.TemporaryFile("w+") for _ in range(2))  # noqa: SIM115
        self.process = subprocess.Popen(
            [*command, *arguments],
            stdout=self._out,
            stderr=self._err,
            env=os.environ | {"SWEEP_SLOW": str(slow), "PYTHONPATH": os.pathsep.join(paths)} | more,
        )

    @staticmethod
    def write_site(folder: Path) -> None:
        """What makes fits of Python processes that find this folder slow or deadly."""
        (folder / "sitecustomize.py").write_text(_SITE)

    def workers(self) -> list[int]:
        """Process ids of its workers."""
        return [child for child in children(self.process.pid) if "_worker" in _command(child)]

    def finished(self) -> set[str]:
        """Keys of the experiments whose results are stored."""
        folder = self.runs / ".store" / "scores"
        return {each.name for each in folder.glob("[!.]*")} if folder.is_dir() else set()

    def ended(self, timeout: float = 300.0) -> tuple[int, str, str]:
        """Exit code, output and errors, once it has ended."""
        code = self.process.wait(timeout)
        found = []
        for stream in (self._out, self._err):
            stream.seek(0)
            found.append(stream.read())
            stream.close()
        return code, found[0], found[1]


def children(parent: int) -> Iterator[int]:
    """Processes that a process has started."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after = stat.read_text().rpartition(")")[2].split()
        except OSError:  # ended meanwhile
            continue
        if int(after[1]) == parent and after[0] != "Z":
            yield int(stat.parent.name)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def figures(out: str) -> list[dict[str, Any]]:
    """Rows of what `--json` printed, times aside."""
    rows = json.loads(out)["rows"]
    return [{name: row[name] for name in row if name not in TIMES} for row in rows]


def kill_at_random(
    folder: Path, file: Path, kills: int, seed: int, slow: float
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Kill workers and parents of a sweep, start it again each time its parent is gone, to the end.

    Returns the final rows, and how often what was killed.
    """
    draw, count = random.Random(seed), {"worker": 0, "parent": 0}
    sweeping = Sweeping(folder, file, "--json", slow=slow)
    stored: dict[str, int] = {}
    while sum(count.values()) < kills:
        # In the midst of the work: so many experiments after the last kill, and a moment later.
        enough = len(sweeping.finished()) + draw.randrange(3)
        deadline = time.monotonic() + 120
        while (len(sweeping.finished()) < enough or not sweeping.workers()) and (
            sweeping.process.poll() is None
        ):
            assert time.monotonic() < deadline, "nothing is done any more"
            time.sleep(0.02)
        time.sleep(draw.uniform(0.0, 2.5 * slow))
        if sweeping.process.poll() is not None:  # it came to its end before its kills
            break
        for key in sweeping.finished():  # nothing that is stored is ever made again
            made_at = (sweeping.runs / ".store/scores" / key).stat().st_mtime_ns
            assert stored.setdefault(key, made_at) == made_at
        if draw.random() < 0.3:
            sweeping.process.kill()
            sweeping.ended()
            count["parent"] += 1
            sweeping = Sweeping(folder, file, "--json", slow=slow)
        elif workers := sweeping.workers():
            os.kill(draw.choice(workers), signal.SIGKILL)
            count["worker"] += 1
    code, out, err = sweeping.ended()
    assert code == 0, err
    for key, made_at in stored.items():
        assert (sweeping.runs / ".store/scores" / key).stat().st_mtime_ns == made_at
    return figures(out), count
