"""Workers and parents killed, Ctrl-C, a full disk, a process that eats memory: nothing is lost."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.experiments.sweep_kills import Sweeping, figures, kill_at_random

from barstack.tracking import ExperimentTracker, SqliteStore

pytestmark = pytest.mark.slow


def undisturbed(tmp_path: Path, sweep_file: Path) -> list[dict[str, Any]]:
    calm = Sweeping(tmp_path, sweep_file, "--json", runs=tmp_path / "calm")
    code, out, err = calm.ended()
    assert code == 0, err
    return figures(out)


def some_done(sweeping: Sweeping, count: int = 3) -> None:
    deadline = time.monotonic() + 120
    while len(sweeping.finished()) < count:
        assert sweeping.process.poll() is None, sweeping.ended()
        assert time.monotonic() < deadline, "no experiment ever ended"
        time.sleep(0.02)


def test_kills_of_workers_and_parents_change_nothing(tmp_path: Path, sweep_file: Path) -> None:
    found, count = kill_at_random(tmp_path, sweep_file, kills=8, seed=0, slow=0.1)
    assert found == undisturbed(tmp_path, sweep_file)
    assert min(count.values()) >= 1
    assert len(SqliteStore(tmp_path / "runs").trials()) == 24
    SqliteStore(tmp_path / "runs").verify()
    statuses = ExperimentTracker(tmp_path / "runs").statuses()
    assert list(statuses.values()) == ["completed"] * 24


def test_ctrl_c_ends_at_once_and_the_same_command_goes_on(tmp_path: Path, sweep_file: Path) -> None:
    sweeping = Sweeping(tmp_path, sweep_file, slow=0.2)
    some_done(sweeping)
    workers = sweeping.workers()
    began = time.monotonic()
    sweeping.process.send_signal(signal.SIGINT)
    code, out, err = sweeping.ended(timeout=30)
    assert time.monotonic() - began < 5.0  # a second or two where nothing else runs
    assert code == 130, err
    assert "the same command continues" in err
    assert "Traceback" not in out + err
    time.sleep(0.2)
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    done = sweeping.finished()
    assert len(SqliteStore(tmp_path / "runs").trials()) >= 3
    code, out, _ = Sweeping(tmp_path, sweep_file, "--json").ended()
    assert code == 0
    assert sum(row["how"] == "reused" for row in json.loads(out)["rows"]) >= len(done)


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path, sweep_file: Path) -> None:
    sweeping = Sweeping(tmp_path, sweep_file, slow=0.2)
    some_done(sweeping)
    workers = sweeping.workers()
    assert workers
    sweeping.process.kill()
    sweeping.ended()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline, "a worker outlived its parent"
        time.sleep(0.05)


def test_experiments_that_kill_their_process_or_find_no_memory_fail_alone(
    tmp_path: Path, sweep_file: Path
) -> None:
    """The system kills a process that has taken too much memory in the same way."""
    code, out, err = Sweeping(
        tmp_path, sweep_file, "--json", SWEEP_KILLS="7.0", SWEEP_EATS="9.0"
    ).ended()
    assert code == 1
    rows = figures(out)
    failed = [row for row in rows if row["status"] == "failed"]
    assert [row["model.penalty"] for row in failed] == ["7", "9", "7", "9"]
    assert "was killed by signal 9 each time it was tried, 3 times" in failed[0]["error"]
    assert "memory" in failed[1]["error"]
    assert len(rows) - len(failed) == 20
    assert re.search(r"[34] of 2\d experiments failed", err)  # said once, when it is clear
    assert "Traceback" not in err
    # Without the cause only these four are left to do.
    code, out, _ = Sweeping(tmp_path, sweep_file, "--json").ended()
    assert code == 0
    assert json.loads(out)["made"] == 4
    assert figures(out) == undisturbed(tmp_path, sweep_file)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that is soon full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1200k", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_ends_the_sweep_and_room_lets_it_go_on(
    tmp_path: Path, sweep_file: Path, small_disk: Path
) -> None:
    code, _, err = Sweeping(tmp_path, sweep_file, runs=small_disk / "runs").ended()
    assert code == 3
    assert "No space left on device" in err or "the disk has room" in err
    assert "Traceback" not in err
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    again = Sweeping(tmp_path, sweep_file, "--json", runs=small_disk / "runs")
    code, out, err = again.ended()
    assert code == 0, err
    assert figures(out) == undisturbed(tmp_path, sweep_file)
