"""Progress in a notebook, in a real kernel: one output, replaced, that ends with what was done."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from barstack.core.notebook_progress import NotebookProgress, progress_here
from barstack.core.progress import Progress

RUN = """
import polars as pl
import barstack as bs
from barstack.testing import walk

bars = walk(400)
columns = {name: bars.records[name] for name in ("open", "high", "low", "close", "volume")}
frame = pl.DataFrame({"timestamp": bars.opened_at} | columns)
frame = frame.with_columns(pl.col("timestamp").dt.replace_time_zone("UTC"))
how = dict(calendar="24/7", stamp="open", symbol="WALK", features=["body"], members=["ridge"])
run = bs.run(frame, horizons=[1], **how)
"""
QUIET = """
from barstack.core.progress import Progress
run = bs.run(frame, horizons=[1], progress=Progress(), **how)
"""


def executed(folder: Path, *cells: str) -> tuple[list[Any], list[dict[str, Any]]]:
    """The outputs of each cell, and every message that drew something."""
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    drawn: list[dict[str, Any]] = []

    class Client(nbclient.NotebookClient):  # type: ignore[misc,name-defined]
        def process_message(self, msg: dict[str, Any], *others: Any) -> Any:
            if msg["header"]["msg_type"] in ("display_data", "update_display_data"):
                drawn.append(msg["content"])
            return super().process_message(msg, *others)

    new = nbformat.v4
    book = new.new_notebook(cells=[new.new_code_cell(cell) for cell in cells])
    Client(book, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return [cell.outputs for cell in book.cells], drawn


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the kernel's client
def test_a_kernel_shows_one_output_that_is_replaced(tmp_path: Path) -> None:
    cells = (RUN, QUIET, "run", "bs.plots.equity(run)")
    (first, quiet, shown, plotted), drawn = executed(tmp_path, *cells)
    (output,) = first
    html = output["data"]["text/html"]
    assert "Tasks: " in output["data"]["text/plain"]
    assert "member ridge" in html
    assert "artifact" in html
    assert "<progress" not in html  # nothing is under way any more
    assert quiet == []
    pages = [each for each in drawn if "Tasks: " in each["data"].get("text/plain", "")]
    assert any('<progress value="' in each["data"]["text/html"] for each in pages)
    assert len({each["transient"]["display_id"] for each in pages}) == 1
    assert "Verdict on" in shown[0]["data"]["text/html"]
    assert any("plotly" in kind for each in plotted for kind in each["data"])


def test_nothing_is_drawn_outside_a_kernel(capsys: pytest.CaptureFixture[str]) -> None:
    assert type(progress_here()) is Progress
    with progress_here().step("fits", 2) as step:
        step.advance()
    assert capsys.readouterr() == ("", "")


class Drawn(NotebookProgress):
    """Keeps what it would draw."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: list[str] = []

    def _draw(self) -> None:
        self.pages.append(self._repr_html_())


def advance(step: Progress, times: int) -> None:
    for _ in range(times):
        step.advance()


def test_bars_of_several_threads() -> None:
    progress = Drawn()
    with progress.step("fits", 400) as fits, progress.step("audit", 1):
        threads = [threading.Thread(target=advance, args=(fits, 100)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert progress._repr_html_().count("<progress") == 2
        assert 'value="1.0000" max="1"' in progress._repr_html_()
        assert "fits 400 of 400" in progress._repr_html_()
    progress.done("fits", "made", 1.234)
    assert "<progress" not in progress.pages[-1]
    assert "1.23" in progress.pages[-1]


def test_text_of_others_is_escaped() -> None:
    progress = Drawn()
    with progress.step("<b>", 0):
        progress.note("<script>\x1b[2J")
        progress.done("<i>", "<u>", 0.0)
    for page in progress.pages:
        assert not any(tag in page for tag in ("<b>", "<script>", "<i>", "<u>", "\x1b"))
