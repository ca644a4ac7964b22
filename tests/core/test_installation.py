"""What `barstack doctor` says of an installation, and of broken ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from tests.conftest import Barstack

from barstack.core import installation
from barstack.core.installation import EXTRAS, inspect_installation

PYPROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
FOR_DEVELOPERS = {"dev", "docs"}


def inspected(tmp_path: Path) -> installation.Installation:
    return inspect_installation(tmp_path / "runs", tmp_path / "catalog")


def test_every_extra_has_a_purpose() -> None:
    extras = PYPROJECT["project"]["optional-dependencies"]
    of_extras = {name for name, needs in extras.items() if all("barstack[" in one for one in needs)}
    assert set(EXTRAS) == set(extras) - FOR_DEVELOPERS - of_extras


def test_the_readme_lists_every_extra() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    table = readme.partition("| extra | for |")[2].partition("\n\n")[0]
    extras = set(PYPROJECT["project"]["optional-dependencies"]) - FOR_DEVELOPERS
    assert {name for name in extras if f"`{name}`" not in table} == set()


def test_everything_is_here_and_a_demo_runs(barstack: Barstack, tmp_path: Path) -> None:
    found = barstack("doctor", "--runs", tmp_path / "runs", "--json", code=0).json
    assert found["demo_runs"] is True
    assert found["problems"] == []
    assert {each["name"] for each in found["extras"]} == set(EXTRAS)
    assert all(each["fits"] for each in found["essential"])
    assert len(found["essential"]) >= 10
    shown = barstack("doctor", "--runs", tmp_path / "runs", code=0).out
    assert "lightgbm" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert not (tmp_path / "runs").exists()  # it looks, and leaves nothing


def test_a_missing_library_has_the_command_that_brings_it(
    barstack: Barstack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = installation._installed
    versions = {"lightgbm": None, "alpaca-py": None, "torch": "1.0"}
    monkeypatch.setattr(
        installation,
        "_installed",
        lambda name: versions[name] if name in versions else real(name),
    )
    found = barstack("doctor", "--runs", tmp_path, "--json", code=1).json
    extras = {each["name"]: each for each in found["extras"]}
    assert extras["boosting"]["command"] == "pip install 'barstack[boosting]'"
    assert extras["alpaca"]["missing"][0].startswith("alpaca-py")
    assert extras["neural"]["missing"][0].startswith("torch")  # there, and too old
    assert extras["ccxt"]["missing"] == []
    (problem,) = found["problems"]
    assert "pip install 'barstack[demo]'" in problem
    assert "alpaca" not in problem  # which no demo needs


def test_what_is_essential_and_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "_installed", lambda name: None)
    found = inspected(tmp_path)
    assert any(each.startswith("numpy is missing: pip install 'numpy") for each in found.problems)


def test_a_folder_that_cannot_be_written_is_named(
    barstack: Barstack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "taken"
    file.write_text("a file where the folder should be")
    monkeypatch.setenv("BARSTACK_CACHE", str(file / "cache"))
    called = barstack("doctor", "--runs", tmp_path / "runs", "--json", code=1)
    (problem,) = called.json["problems"]
    assert "Set BARSTACK_CACHE to another folder." in problem


def test_compiled_code_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARSTACK_CACHE", str(tmp_path))
    assert inspected(tmp_path).compiled["features"] == 0
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "rsi_0.o").write_bytes(b"")
    assert inspected(tmp_path).compiled["features"] == 1


def test_it_imports_nothing_heavy_and_is_quick(tmp_path: Path) -> None:
    code = (
        "import sys, atexit; atexit.register(lambda: print('LOADED', *sys.modules)); "
        "from barstack.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "doctor", "--json"]
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
        seconds.append(time.perf_counter() - begun)
    text, loaded = done.stdout.split("LOADED")
    assert json.loads(text)["cores"] <= (os.cpu_count() or 1)
    heavy = {"torch", "lightgbm", "numpy", "pandas", "polars", "numba", "sklearn"}
    assert not {name.split(".")[0] for name in loaded.split()} & heavy
    assert min(seconds) < 1.0
