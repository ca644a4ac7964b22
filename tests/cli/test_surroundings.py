"""Terminals without Unicode, full disks, closed pipes and small limits: a sentence each."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from barstack.core.files import new_file, new_folder, sweep_scratch

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "barstack"]
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def called(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"COLUMNS": "80"} | options.pop("env", {})  # type: ignore[operator]
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [*COMMAND, *arguments], text=True, env=environment, check=False,
        **({"capture_output": True} | options),
    )  # fmt: skip


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_any_encoding_shows_what_it_can(encoding: str) -> None:
    done = called("list", "models", env={"PYTHONIOENCODING": encoding}, encoding=encoding)
    assert done.returncode == 0, done.stderr
    assert "lightgbm" in done.stdout


@needs_full
@pytest.mark.parametrize("arguments", [["list", "models"], ["schema"], ["--help"]], ids=str)
def test_output_that_cannot_be_written_is_reported(arguments: list[str]) -> None:
    with FULL.open("w") as full:
        done = called(*arguments, stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert done.returncode == 3
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@needs_full
def test_a_full_standard_error_has_an_exit_code_all_the_same() -> None:
    with FULL.open("w") as full:
        done = called("list", "nothing", stdout=full, stderr=full, capture_output=False)
    assert done.returncode == 2


def test_a_reader_that_leaves_is_not_an_answer() -> None:
    """Exit code 1 would say that the answer is no."""
    process = subprocess.Popen(
        [*COMMAND, "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 3
    process.stderr.close()


def test_too_little_address_space_is_told_before_libraries_abort() -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))

    done = called("list", "models", preexec_fn=limit)
    assert done.returncode == 3
    assert "1.0 GiB of address space (ulimit -v)" in done.stderr


_KILLED = """
import os, signal, sys
from pathlib import Path
from barstack.core.files import new_file, new_folder
with {new}(Path(sys.argv[1])) as scratch:
    (scratch / "half" if scratch.is_dir() else scratch).write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("new", ["new_folder", "new_file"])
def test_what_a_killed_writer_left_goes_with_the_next(tmp_path: Path, new: str) -> None:
    target = tmp_path / "made"
    subprocess.run([sys.executable, "-c", _KILLED.format(new=new), target], check=False)
    assert [file.suffix for file in tmp_path.iterdir()] == [".part"]
    writer = new_folder(target) if new == "new_folder" else new_file(target)
    with writer as scratch:
        (scratch / "whole" if scratch.is_dir() else scratch).write_text("whole")
    assert [file.name for file in tmp_path.iterdir()] == ["made"]


def test_the_scratch_of_a_living_writer_stays(tmp_path: Path) -> None:
    with new_folder(tmp_path / "made") as scratch:
        sweep_scratch(tmp_path)
        assert scratch.is_dir()
        with new_folder(tmp_path / "made") as other:
            assert other != scratch
    assert [file.name for file in tmp_path.iterdir()] == ["made"]


def test_libraries_that_report_a_full_disk_their_own_way(tmp_path: Path) -> None:
    """polars raises errors of its own for what the system refuses."""
    from barstack.core.errors import StorageError  # noqa: PLC0415

    with (
        pytest.raises(StorageError, match=r"Cannot write .*made: No space left"),
        new_folder(tmp_path / "made"),
    ):
        raise RuntimeError("No space left on device (os error 28)")
    shutil.rmtree(tmp_path)
