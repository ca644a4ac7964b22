"""Notebooks are committed without output and run when the pages are built."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.docs.doc_pages import ROOT

NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))
FIRST = ROOT / "docs" / "notebooks" / "first_study.ipynb"


def cells(notebook: Path, kind: str) -> list[dict[str, Any]]:
    book: dict[str, Any] = json.loads(notebook.read_text("utf-8"))
    return [cell for cell in book["cells"] if cell["cell_type"] == kind]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.name)
def test_a_notebook_is_committed_without_output(notebook: Path) -> None:
    for cell in cells(notebook, "code"):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


def test_the_three_lines_are_in_the_first_notebook() -> None:
    code = "".join("".join(cell["source"]) for cell in cells(FIRST, "code"))
    for line in ("bs.run(", "run.verdict", "run.predict("):
        assert line in code


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    done = subprocess.run(
        [*command, "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_the_built_page_shows_what_the_notebook_printed(site: Path) -> None:
    page = (site / "notebooks" / "first_study.html").read_text("utf-8")
    assert "Verdict on inverse_variance" in page
    assert page.count("Plotly.newPlot(") == 2
    assert 'class="dataframe"' in page
    assert "output notebooks/" not in page  # each output took its place
    assert "../assets/plotly.js" in page
    assert (site / "assets" / "plotly.js").stat().st_size > 1_000_000
    assert (site / "notebooks" / "first_study.ipynb").is_file()


@pytest.mark.slow
def test_the_reference_shows_signatures_settings_and_examples(site: Path) -> None:
    page = (site / "api" / "models.html").read_text("utf-8")
    ridge = page[page.index('id="barstack.models.Ridge"') :]
    ridge = ridge[: ridge.index('id="barstack.models.ScikitLearn"')]
    assert "L2, per row" in ridge  # of the field's description
    assert "penalty" in ridge
    assert "values" not in ridge  # pydantic's own signature
