"""A study of quantiles from bars to live forecasts, with every file written and read on the way."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barstack import Run, Study, load, run
from barstack.cli._show import forecast_lines, leaderboard_table
from barstack.core.errors import ConfigError
from barstack.core.forecast import LEVELS, Target, Task
from barstack.ensembles import ENSEMBLES
from barstack.ensembles.average import Average
from barstack.experiments import compare_runs
from barstack.reports import render
from barstack.testing import walk

MEMBERS = {"naive_mean": {}, "knn": {}, "trees": {"model": "lightgbm", "trees": 20}}
CHANGES: dict[str, Any] = {"label": {"label": "quantiles", "horizons": [1, 4]}, "members": MEMBERS}


@pytest.fixture(scope="module")
def quantiles(study_file: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("quantiles")
    return run(study_file(folder, **CHANGES), runs=folder / "runs")


def test_levels_are_kept_wherever_forecasts_are(quantiles: Run) -> None:
    target = Target("quantiles", ("1bars", "4bars"), LEVELS)
    assert quantiles.artifact.target == target
    assert load(quantiles.folder).trained.target == target
    manifest = json.loads((quantiles.folder / "artifact" / "manifest.json").read_text())
    assert manifest["levels"] == list(LEVELS)
    assert quantiles.evaluation.levels == list(LEVELS)
    assert {each.name for each in quantiles.evaluation.coverages} == {
        *("nnls", "average", *MEMBERS, "best_so_far", "past_quantiles")
    }


def test_other_levels_are_another_study() -> None:
    base: dict[str, Any] = {"bars": "sample", "members": ["knn"]}
    labels: list[dict[str, Any]] = [
        {"label": "quantiles", "horizons": ["4h"]},
        {"label": "quantiles", "horizons": ["4h"], "levels": [0.1, 0.5, 0.9]},
        {"label": "return", "horizons": ["4h"]},
    ]
    assert len({Study(**base, label=label).id for label in labels}) == 3
    assert Study(**base, label=labels[1]).label.target.levels == (0.1, 0.5, 0.9)
    with pytest.raises(ConfigError, match=r"quantiles\.levels: .*0\.5 among them"):
        Study(**base, label=labels[1] | {"levels": [0.1, 0.9]})


def test_a_second_run_reads_what_the_first_wrote(quantiles: Run) -> None:
    again = run(
        quantiles.study, folder=quantiles.folder.parent.parent, runs=quantiles.folder.parent
    )
    how = {step.name: step.how for step in again.steps}
    stored = ("labels", *(f"member {name}" for name in MEMBERS), "ensemble nnls", "evaluation")
    assert {how[name] for name in (*stored, "artifact")} == {"reused"}
    assert again.evaluation == quantiles.evaluation


def test_live_quantiles_are_those_of_the_batch(quantiles: Run) -> None:
    predictor, newer = load(quantiles.folder), walk(1000)
    batch = predictor.forecasts(newer)["nnls"].values[-50:]
    stream = predictor.stream(newer[:-50])
    live = [stream.update(newer[row : row + 1]) for row in range(950, 1000)]
    values = np.array([each.values[0] for each in live if each is not None])
    assert np.abs(values - batch).max() <= 1e-5 * batch.std()
    frame = predictor.predict(newer)
    assert {"q05_1bars", "q95_4bars", "trees.q50_1bars"} <= set(frame.columns)


def test_medians_are_compared_as_returns_are(quantiles: Run) -> None:
    one, four = compare_runs([quantiles.folder])
    scores = {(each.name, each.horizon): each for each in quantiles.evaluation.scores}
    assert {each.name for each in one.entries} == {"nnls", "average", *MEMBERS}
    for found in (one, four):
        stack = next(each for each in found.entries if each.name == "nnls")
        assert stack.ic == pytest.approx(scores["nnls", found.horizon].ic)


def test_they_are_said_in_the_terminal(quantiles: Run) -> None:
    newest = load(quantiles.folder).forecasts(walk(1000))["nnls"]
    (line,) = forecast_lines(newest)
    told = " ".join(rf"{name} [+-]\d\.\d{{3}}" for name in newest.target.outputs)
    assert re.fullmatch(f"WALK at .* UTC: 1bars {told} %, 4bars {told} %", line)
    table = leaderboard_table(quantiles.evaluation, quantiles.verdict.trials)
    headings = [str(column.header) for column in table.columns]
    assert "skill %" in headings


def test_the_report_shows_shares_and_a_fan_only_where_there_are_quantiles(quantiles: Run) -> None:
    facts = {"title": "t", "run_id": "r", "facts": [], "steps": []}
    page = render(quantiles.evaluation, quantiles.verdict, **facts)  # type: ignore[arg-type]  # facts of many types
    assert 'id="shares"' in page
    assert 'id="fan"' in page
    assert "90 % interval" in page
    plain = replace(quantiles.evaluation, levels=[], shares=[], coverages=[], fans=[])
    assert 'id="shares"' not in render(plain, quantiles.verdict, **facts)  # type: ignore[arg-type]


def test_an_ensemble_that_cannot_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: tuple[Task, ...] = ("return",)
    monkeypatch.setattr(Average, "tasks", tasks)
    with pytest.raises(ConfigError, match=r"'average' combines return, not quantiles.*: .*nnls"):
        Study(bars="sample", label=CHANGES["label"], members=["knn"], ensembles=["average"])
    assert ENSEMBLES.parse("average").tasks == tasks


def test_a_member_that_cannot_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match=r"'ridge' does return, not quantiles.*: .*lightgbm"):
        Study(bars="sample", label=CHANGES["label"], members=["ridge"])
