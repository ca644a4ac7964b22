"""Runs calls of the command line, each in a process forked after the imports.

Reads one JSON case a line: a folder to work in, arguments, environment, standard input's text. The
answer is one JSON line: exit code or signal, seconds, peak memory, and what was printed.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

import barstack.cli  # noqa: F401 (before the fork: what every command imports)

HEAVY = ("numpy", "pandas", "polars", "numba", "scipy.stats", "pydantic", "rich.console", "typer")
KEPT = 6_000  # characters of each stream, from its end


def main() -> None:
    """Arguments: seconds that a call may take, bytes of address space that it may have."""
    longest_s, room = float(sys.argv[1]), int(sys.argv[2])
    for name in HEAVY:
        __import__(name)
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(_ended(json.loads(line), longest_s, room)), flush=True)


def _ended(case: dict[str, object], longest_s: float, room: int) -> dict[str, object]:
    folder = Path(str(case["folder"]))
    streams = {name: folder / f".{name}" for name in ("out", "err")}
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _call(case, streams, room)
    status = usage = None
    while time.monotonic() - began < longest_s:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            break
        time.sleep(0.005)
    else:
        os.killpg(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
        status = None
    told = {name: file.read_text("utf-8", "replace")[-KEPT:] for name, file in streams.items()}
    code = "hung" if status is None else os.waitstatus_to_exitcode(status)
    return told | {
        "code": code,
        "seconds": round(time.monotonic() - began, 3),
        "mib": usage.ru_maxrss // 1024,
    }


def _call(case: dict[str, object], streams: dict[str, Path], room: int) -> None:
    """In the forked process: never returns."""
    code = 99
    try:
        os.setsid()
        os.chdir(str(case["folder"]))
        os.environ.update(case["environment"])  # type: ignore[call-overload]
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
        (streams["out"].parent / ".in").write_text(str(case.get("input", "")))
        for number, name in enumerate(("in", "out", "err")):
            flags = os.O_RDONLY if name == "in" else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            os.dup2(os.open(str(streams["out"].parent / f".{name}"), flags), number)
        sys.argv = ["barstack", *case["arguments"]]  # type: ignore[misc]
        from barstack.cli import main as command  # noqa: PLC0415

        try:
            command()
            code = 0
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 0 if not leaving.code else 1
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 (nothing may go on in the forked process)
        import traceback  # noqa: PLC0415

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
