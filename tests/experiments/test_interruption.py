"""Ctrl-C, a killed process and two at once: finished steps stay, results are the same."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from barstack import Run, run

pytestmark = pytest.mark.slow

StudyFile = Callable[..., Path]

# The real command line, with fits slow enough to be interrupted and written down as they begin.
SLOW = """
import sys, time
from barstack.models.classical.ridge import Ridge
from barstack.cli import main

solve = Ridge.solve

def slow(self, *arguments):
    with open({fits!r}, "a") as file:
        print(self.penalty, file=file)
    time.sleep({seconds})
    return solve(self, *arguments)

Ridge.solve = slow
sys.argv = ["barstack", "run", {study!r}, "--runs", {runs!r}]
main()
"""


def start(study: Path, seconds: float) -> subprocess.Popen[str]:
    """`barstack run` in a process of its own; each fit leaves a line in `fits`."""
    folder = study.parent
    code = SLOW.format(
        fits=str(folder / "fits"), seconds=seconds, study=str(study), runs=str(folder / "runs")
    )
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True)


def fits(folder: Path) -> list[str]:
    file = folder / "fits"
    return file.read_text().split() if file.exists() else []


def wait_for_some_fits(process: subprocess.Popen[str], folder: Path) -> None:
    deadline = time.monotonic() + 120
    while len(fits(folder)) < 4:  # of eight; two may be under way
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no member was ever fitted"
        time.sleep(0.02)


def continued(study: Path, undisturbed: Run) -> None:
    """Run again to the end: what was finished is reused, and the answer is the same."""
    store = study.parent / "runs" / ".store"
    finished = {each: each.stat().st_mtime_ns for each in store.glob("fit/*")}
    assert len(finished) >= 2
    again = run(study, runs=study.parent / "runs")
    how = {step.name: step.how for step in again.steps}
    assert how["features"] == how["audit"] == "reused"
    assert how["member strong"] == "made"
    assert {each: each.stat().st_mtime_ns for each in finished} == finished
    assert again.evaluation == undisturbed.evaluation


def begun(folder: Path) -> set[str]:
    """What a run that was stopped has left; the ledger's log may lie beside it."""
    names = {each.name for each in (folder / "runs").iterdir()}
    return names - {".ledger.sqlite-wal", ".ledger.sqlite-shm"}


def test_ctrl_c_keeps_what_is_finished(
    tmp_path: Path, study_file: StudyFile, finished: Run
) -> None:
    study = study_file(tmp_path)
    process = start(study, seconds=0.2)
    wait_for_some_fits(process, tmp_path)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Interrupted. Finished steps are kept; the same command continues." in err
    assert "Traceback" not in out + err
    assert begun(tmp_path) == {".ledger.sqlite", ".store"}  # trials, before anything is fitted
    assert not list((tmp_path / "runs").rglob("*.part"))
    continued(study, finished)


def test_a_killed_run_continues(tmp_path: Path, study_file: StudyFile, finished: Run) -> None:
    study = study_file(tmp_path)
    process = start(study, seconds=0.2)
    wait_for_some_fits(process, tmp_path)
    process.kill()
    process.communicate(timeout=120)
    assert begun(tmp_path) == {".ledger.sqlite", ".store"}  # trials, before anything is fitted
    continued(study, finished)


def test_two_at_once_both_end_well(tmp_path: Path, study_file: StudyFile, finished: Run) -> None:
    study = study_file(tmp_path)
    both = [start(study, seconds=0.1) for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    (folder,) = (tmp_path / "runs").glob("[!.]*")
    found = json.loads((folder / "evaluation.json").read_text())
    assert found == json.loads((finished.folder / "evaluation.json").read_text())
    assert not list((tmp_path / "runs").rglob("*.part"))
    assert not list((tmp_path / "runs").rglob("*.old"))
    again = run(study, runs=tmp_path / "runs")
    assert {step.how for step in again.steps if step.name != "bars"} == {"reused"}


# Each epoch of the network is written down, and kept at once.
SLOW_NETWORK = """
import sys, time
from barstack.models.neural import _checkpoint, _training
from barstack.cli import main

_checkpoint.EVERY_S = 0.0
epoch = _training.NetworkTraining.epoch

def slow(self, number, *arguments):
    with open({epochs!r}, "a") as file:
        print(number, file=file)
    time.sleep({seconds})
    return epoch(self, number, *arguments)

_training.NetworkTraining.epoch = slow
sys.argv = ["barstack", "run", {study!r}, "--runs", {runs!r}]
main()
"""


def train_slowly(study: Path, seconds: float) -> subprocess.Popen[str]:
    folder = study.parent
    code = SLOW_NETWORK.format(
        epochs=str(folder / "epochs"),
        seconds=seconds,
        study=str(study),
        runs=str(folder / "runs"),
    )
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True)


def test_a_killed_network_goes_on_from_its_checkpoint(
    tmp_path: Path, study_file: StudyFile
) -> None:
    network = {"net": {"model": "mlp", "lookback": 4, "hidden": [8], "epochs": 6, "patience": 6}}
    study = study_file(tmp_path, members=network)
    process, file = train_slowly(study, seconds=0.3), tmp_path / "epochs"
    deadline = time.monotonic() + 90
    while not file.exists() or "3" not in file.read_text().split():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the network never came to its fourth epoch"
        time.sleep(0.02)
    process.kill()
    process.communicate(timeout=120)
    assert len(list((tmp_path / "runs").rglob("checkpoint.safetensors"))) == 1
    file.unlink()
    _, err = train_slowly(study, seconds=0.0).communicate(timeout=120)
    assert "Traceback" not in err, err
    assert file.read_text().split()[0] == "3", err  # those before it are not made again
    (folder,) = (tmp_path / "runs").glob("[!.]*")
    undisturbed = run(study_file(tmp_path / "other", members=network), runs=tmp_path / "again")
    found = json.loads((folder / "evaluation.json").read_text())
    assert found == json.loads((undisturbed.folder / "evaluation.json").read_text())
    assert not list((tmp_path / "runs" / ".store" / "scratch").rglob("*/*"))
