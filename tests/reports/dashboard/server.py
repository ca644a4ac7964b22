"""The dashboard as its own process, and the program that writes rows beside it."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.reports.dashboard import rows as rows_module

_START_S = 120.0


@contextmanager
def dashboard_of(runs: Path, *options: str) -> Iterator[str]:
    """`barstack dashboard` on a free port; its address, ending in a slash."""
    command = [sys.executable, "-m", "barstack", "dashboard", str(runs), "--port", "0", *options]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"COLUMNS": "200", "PYTHONUNBUFFERED": "1"},
    )
    try:
        yield _address(process)
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], _START_S)
    line = process.stdout.readline() if ready else "nothing within two minutes"
    found = re.search(r"http://\S+/", line)
    assert found, line
    return found[0]


@contextmanager
def writing(runs: Path, first: int, pause_s: float) -> Iterator[subprocess.Popen[bytes]]:
    """A second process that enters experiments from the first one on."""
    command = [sys.executable, str(rows_module.__file__), str(runs), str(first), str(pause_s)]
    process = subprocess.Popen(command)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def until(condition: object, seconds: float = 60.0) -> None:
    """Wait for what a function without parameters returns to be true."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)
