"""Completion as a real bash has it, and what it completes to."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.conftest import table_of

from barstack import Run
from barstack.cli import _complete
from barstack.models import MODELS
from barstack.testing import walk

BASH = shutil.which("bash")
SCRIPTS = Path(sys.executable).parent


class Bash:
    """An interactive bash on a pseudo-terminal, in a home of its own."""

    def __init__(self, home: Path) -> None:
        assert BASH is not None
        self.environment = {
            **os.environ,
            **{"HOME": str(home), "PS1": "> ", "TERM": "dumb", "SHELL": BASH},
            "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
            "BARSTACK_CATALOG": str(home / "catalog"),
        }
        self.home = home
        self.master = -1

    def run(self, command: str) -> str:
        """What one command prints, called from a bash."""
        assert BASH is not None
        # With a second command bash stays there as the parent, which is how the shell is found.
        called = [BASH, "-c", f"{command}; true"]
        done = subprocess.run(
            called, cwd=self.home, env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def open(self) -> None:
        assert BASH is not None
        self.master, slave = pty.openpty()
        self.child = subprocess.Popen(
            [BASH, "--rcfile", ".bashrc", "-i"],
            stdin=slave, stdout=slave, stderr=slave, cwd=self.home, env=self.environment,
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        os.write(self.master, b"echo rea''dy\n")
        self._until("\nready")

    def tab(self, typed: str, expected: str) -> None:
        """Types, presses Tab, and waits until the line holds what is expected."""
        os.write(self.master, f"{typed}\t".encode())
        self._until(expected)
        os.write(self.master, b"\x15")  # Ctrl-U empties the line

    def close(self) -> None:
        os.write(self.master, b"\x15exit\n")
        self.child.wait(timeout=30)
        os.close(self.master)

    def _until(self, expected: str) -> None:
        shown, deadline = "", time.monotonic() + 60
        while expected not in shown.replace("\r", ""):
            assert time.monotonic() < deadline, f"{expected!r} did not come: {shown!r}"
            if select.select([self.master], [], [], 1)[0]:
                shown += os.read(self.master, 65536).decode()


@pytest.mark.slow
@pytest.mark.skipif(BASH is None, reason="there is no bash here")
def test_a_real_bash_completes(tmp_path: Path) -> None:
    bash = Bash(tmp_path)
    assert "bash completion installed" in bash.run("barstack --install-completion")
    (tmp_path / "momentum.yaml").write_text("bars: sample")
    (tmp_path / "runs" / "0123abcd").mkdir(parents=True)
    (tmp_path / "runs" / "0123abcd" / "study.yaml").write_text("bars: sample")
    (tmp_path / "quotes.csv").write_text("")
    bash.open()
    bash.tab("barstack leaderb", "oard")
    bash.tab("barstack list spl", "its")
    bash.tab("barstack run mom", "entum.yaml")
    bash.tab("barstack leaderboard ru", "ns/0123abcd")
    bash.tab("barstack models show light", "gbm")
    bash.tab("barstack init quo", "tes.csv")  # the shell's own completion of paths
    bash.tab("barstack run --each", "-symbol")
    bash.close()


def test_each_thing_that_is_completed(
    finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BARSTACK_CATALOG", str(tmp_path / "catalog"))
    assert _complete.models("") == MODELS.names()
    assert "rsi" in _complete.features("rs")
    assert "alpaca" in _complete.sources("")
    assert "sample" not in _complete.sources("")  # from which nothing is fetched
    assert _complete.run_folders("") == _complete.studies("") == _complete.collections("") == []
    Path("runs").mkdir()
    shutil.copytree(finished.folder, Path("runs") / finished.id)
    Path("runs/.scratch").mkdir()
    assert _complete.run_folders("runs/") == [f"runs/{finished.id}"]
    Path("deep").mkdir()
    for name in ("one.yaml", "two.yml", "bars.csv", "with space.yaml"):
        (Path("deep") / name).write_text("")
    assert _complete.studies("deep/") == ["deep/one.yaml", "deep/two.yml"]
    assert _complete.studies("nowhere/") == []


def test_collections_of_the_catalog(
    barstack: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("spy").mkdir()
    table_of(walk(200)).write_parquet("spy/SPY.parquet")
    assert callable(barstack)
    barstack("import", "spy", "--calendar", "24/7", "--yes", code=0)
    assert _complete.collections("s") == ["spy"]
    assert _complete.collections("t") == []
