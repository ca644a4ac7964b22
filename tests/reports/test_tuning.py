"""The report of a tuning shows every trial, and nothing of it is a tag that a name brought in."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from barstack.experiments import Study, TuneResult, run_tune
from barstack.reports import render_tuning, write_tuning_report
from barstack.testing import small_study


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> TuneResult:
    folder = tmp_path_factory.mktemp("tuning")
    content = small_study(folder).content()
    content |= {"title": "<b>Mine</b>", "members": ["elastic_net"], "tune": {"trials": 30}}
    return run_tune(Study(**content), folder=folder, runs=folder / "runs", engine="serial")


def test_every_trial_is_in_the_table_and_in_the_picture(found: TuneResult, tmp_path: Path) -> None:
    page, table = write_tuning_report(found, tmp_path / "out")
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["loss"]) for row in rows] == [row["loss"] for row in found.rows()]
    figures = re.findall(r'application/json">(\{.*?\})</script>', page.read_text())
    history = json.loads(figures[0])["data"]
    drawn = [x for trace in history if trace.get("mode") == "markers" for x in trace["x"]]
    assert sorted(drawn) == list(range(30))
    assert len(figures) == 2  # and which settings mattered


def test_text_is_escaped_and_the_sentence_is_there(found: TuneResult) -> None:
    text = render_tuning(found)
    assert "<b>Mine</b>" not in text
    assert "&lt;b&gt;Mine&lt;/b&gt;" in text
    assert found.members[0].sentence.split(":")[0] in text
    assert "http://" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
