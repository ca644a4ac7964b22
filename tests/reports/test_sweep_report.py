"""A small sweep is run, and its report is read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import barstack.cli  # noqa: F401 (registers its commands)
from barstack.cli._root import app
from barstack.core.errors import ConfigError
from barstack.experiments import Sweep, SweepFindings, run_sweep, sweep_findings
from barstack.reports import render_sweep, sweep_markdown, write_sweep_report


@pytest.fixture(scope="module")
def swept(
    tmp_path_factory: pytest.TempPathFactory, study_file: Any
) -> tuple[Path, Sweep, SweepFindings]:
    """Two models at two horizons, two histories."""
    folder = tmp_path_factory.mktemp("swept")
    study_file(folder)
    sweep = Sweep(
        title="Small <sweep>",
        study={
            "bars": {"provider": "files", "path": "bars"},
            "features": ["rsi", "body"],
            "split": {"split": "hold_out", "test": 0.5},
        },
        grid={
            "model": ["ridge", "elastic_net"],
            "horizon": [1, 2],
            "split.train_times": {"short": 60, "long": 120},
        },
        list=[{"features": ["rsi", "body"]}, {"features": ["rsi"]}],
    )
    run_sweep(sweep, folder=folder, runs=folder / "runs", engine="serial")
    return folder, sweep, sweep_findings(sweep, folder=folder, runs=folder / "runs")


def test_all_experiments_are_compared_and_scored_as_the_sweep_did(
    swept: tuple[Path, Sweep, SweepFindings],
) -> None:
    folder, sweep, found = swept
    assert len(found.experiments) == 16
    assert not found.failed
    assert not found.left
    assert found.answers.luck.trials == 16
    outcomes = {each.key: each.outcome for each in found.answers.answers}
    answered = {"architecture", "horizon", "history", "features", "combining"}
    assert "open" not in {outcomes[key] for key in answered}
    assert outcomes["settings"] == "open"
    rows = run_sweep(sweep, folder=folder, runs=folder / "runs", engine="serial").to_frame()
    ours = pd.DataFrame(found.experiments).set_index("name")["ic"]
    assert np.allclose(ours, rows.set_index("name")["ic"].loc[ours.index], rtol=1e-12)


def test_the_report_holds_every_answer_and_its_tables(
    swept: tuple[Path, Sweep, SweepFindings], tmp_path: Path
) -> None:
    _, _, found = swept
    files = write_sweep_report(found, tmp_path / "report")
    names = {file.name for file in files}
    assert {"report.html", "report.md", "experiments.csv", "architecture.svg"} <= names
    html, text = render_sweep(found), sweep_markdown(found)
    assert "Small &lt;sweep&gt;" in html
    assert "src=" not in html.split("<script>")[0]
    for answer in found.answers.answers:
        assert answer.sentence in text
        if answer.levels:
            (table,) = (f for f in files if f.suffix == ".csv" and f.stem.startswith(answer.key))
            read = pd.read_csv(table)
            assert list(read["effect"]) == pytest.approx([each.effect for each in answer.levels])
            assert read["p_adjusted"].min() == pytest.approx(answer.p_adjusted)
    assert len(pd.read_csv(tmp_path / "report/experiments.csv")) == 16
    with pytest.raises(ConfigError, match="is a file"):
        write_sweep_report(found, tmp_path / "report/report.md")


def test_the_command_line_writes_it_and_prints_the_answers(
    swept: tuple[Path, Sweep, SweepFindings], tmp_path: Path
) -> None:
    folder, sweep, found = swept
    file = folder / "sweep.yaml"
    file.write_text(sweep.to_yaml())
    call = ["report", str(file), "--runs", str(folder / "runs"), "--out", str(tmp_path / "out")]
    shown = CliRunner().invoke(app, call)
    assert shown.exit_code == 0, shown.output
    assert "by luck alone" in shown.output
    assert (tmp_path / "out/report.html").is_file()
    printed = json.loads(CliRunner().invoke(app, [*call, "--json"]).output)
    assert printed["luck"]["best"] == found.answers.luck.best
    assert printed["gate"]["edge"] == found.gate.edge


def test_failed_and_left_experiments_are_counted(
    swept: tuple[Path, Sweep, SweepFindings],
) -> None:
    folder, sweep, _ = swept
    wider = Sweep(
        title="Wider",
        study=sweep.study,
        grid={"model": ["ridge"], "horizon": [1, 2]},
        list=[
            {"split.train_times": 60},
            {"split.train_times": 2},
            {"split.train_times": 61},
        ],
    )
    runs = folder / "runs"
    done = run_sweep(wider, folder=folder, runs=runs, engine="serial", limit=4)
    found = sweep_findings(wider, folder=folder, runs=runs)
    assert len(found.experiments) == 6
    assert found.failed == len(done.failed)
    assert found.left == 2


def test_a_sweep_that_was_never_run_says_so(tmp_path: Path, study_file: Any) -> None:
    study_file(tmp_path)
    sweep = Sweep(
        study={"bars": {"provider": "files", "path": "bars"}, "features": ["rsi"]},
        grid={"model": ["ridge"], "horizon": [1]},
    )
    with pytest.raises(ConfigError, match="No experiment of this sweep has completed"):
        sweep_findings(sweep, folder=tmp_path, runs=tmp_path / "runs")
