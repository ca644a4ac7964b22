"""The best experiments again with more features: unbiased, counted, and found where they help."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from barstack.cli._root import app
from barstack.core.errors import ConfigError
from barstack.evaluation.sweeps import answer_sweep, contrasts_against, sweep_table
from barstack.experiments import Engine, FeaturePhase, Sweep, run_sweep, sweep_findings
from barstack.experiments._further import best_of
from barstack.reports import sweep_markdown, write_sweep_report
from barstack.testing import small_sweep_series, walk
from barstack.tracking import ExperimentTracker, SqliteStore

BEST = 3


def phase_sweep(folder: Path, **changes: Any) -> Sweep:
    """Ridge with many penalties on returns that news tell, and noise does not."""
    content: dict[str, Any] = {
        "study": {
            "bars": {"provider": "files", "path": "WALK.parquet", "bar": "30min"},
            "features": ["rsi", "body"],
            "split": {"split": "walk_forward", "folds": 3},
        },
        "grid": {"model": ["ridge"], "horizon": [1], "model.penalty": [0.1, 1, 10, 100, 1000]},
        "feature_phase": {
            "best": BEST,
            "add": {
                "multi_timeframe": {"features": [{"feature": "rsi", "timeframe": "2h"}]},
                "news": {"series": {"news": {"path": "news.csv", "columns": ["mood"]}}},
            },
        },
    }
    return Sweep(**(content | changes))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phase")
    bars = walk(2400)
    frame = bars.to_frame()
    frame.to_parquet(folder / "WALK.parquet")
    close = bars.records["close"]
    rng = np.random.default_rng(0)
    following = np.append(close[1:] / close[:-1] - 1.0, 0.0)
    news = pd.DataFrame(
        {
            "known_at": pd.to_datetime(bars.closed_at, utc=True),
            "symbol": "WALK",
            "mood": following + rng.normal(0.0, 3.7 * following.std(), len(following)),
        }
    )
    news.to_csv(folder / "news.csv", index=False)
    run_sweep(phase_sweep(folder), folder=folder, runs=folder / "runs", engine="serial")
    return folder


def test_what_helps_is_found_and_what_does_not_is_not(ran: Path) -> None:
    found = sweep_findings(phase_sweep(ran), folder=ran, runs=ran / "runs")
    (answer,) = [each for each in found.answers.answers if each.key == "more_features"]
    levels = {each.level: each for each in answer.levels}
    assert answer.outcome == "found"
    assert levels["news"].differs
    assert 0.0 < levels["news"].effect < 0.07  # news tell a fifteenth of the variance
    assert not levels["multi_timeframe"].differs
    assert answer.sentence.startswith("news helps, by +")
    assert [row["more_features"] for row in found.further] == ["multi_timeframe", "news"] * BEST
    assert (found.failed, found.left) == (0, 0)


def test_the_best_are_chosen_by_decisions_that_do_not_judge_them(ran: Path) -> None:
    """From stored forecasts alone: squared errors by half, without what chose and compared."""
    sweep = phase_sweep(ran)
    found = sweep_findings(sweep, folder=ran, runs=ran / "runs")
    errors, times = {}, None
    for each in sweep.experiments:
        engine = Engine(each.study, ran / "runs", ran)
        labels = engine.value("labels").judged(engine.value("split"))
        member = engine.value("member ridge").out_of_fold.forecast
        rows = labels.decisions.find(member.decisions)
        y = labels.values[rows, 0]
        known = ~np.isnan(y)
        times = member.decisions.decided_at[known]
        errors[each.name] = (y[known] - member.values[known, 0, 0]) ** 2
    assert times is not None
    half = len(times) // 2
    order = sorted(errors, key=lambda name: errors[name][:half].mean())
    chosen = list(dict.fromkeys(row["name"].partition(" +")[0] for row in found.further))
    assert chosen == order[:BEST]
    (answer,) = [each for each in found.answers.answers if each.key == "more_features"]
    assert f"on {len(times) - half - 1:,} later decisions" in answer.note  # one label between


def test_all_are_counted_tracked_and_made_once(ran: Path) -> None:
    sweep = phase_sweep(ran)
    again = run_sweep(sweep, folder=ran, runs=ran / "runs", engine="serial")
    assert [each.result and each.result["how"] for each in again.outcomes] == ["reused"] * (
        5 + 2 * BEST
    )
    tried = {(each.id, each.data) for each in SqliteStore(ran / "runs").trials()}
    further = [each for each in again.outcomes if "more_features" in each.experiment.settings]
    assert len(further) == 2 * BEST
    for each in further:
        assert each.result is not None
        assert (each.result["trial"]["id"], each.result["trial"]["data"]) in tried
    (size,) = [
        each for each in ExperimentTracker(ran / "runs").sweeps() if each.sweep_id == sweep.id
    ]
    assert size.experiments == 5 + 2 * BEST
    assert sweep.id == phase_sweep(ran, feature_phase=None).id


def test_the_report_answers_and_lists_them(ran: Path, tmp_path: Path) -> None:
    found = sweep_findings(phase_sweep(ran), folder=ran, runs=ran / "runs")
    text = sweep_markdown(found)
    assert "## Do more features help the best?" in text
    files = {each.name: each for each in write_sweep_report(found, tmp_path / "out")}
    assert "more_features.svg" in files
    assert "+news" in files["experiments.csv"].read_text()


def test_the_command_takes_names_of_sets(ran: Path) -> None:
    file = ran / "sweep.yaml"
    file.write_text(phase_sweep(ran, feature_phase=None).to_yaml())
    options = ["--features", "multi_timeframe", "--runs", str(ran / "runs"), "--json"]
    runner = CliRunner()
    done = runner.invoke(app, ["sweep", str(file), "--engine", "serial", *options])
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["experiments"] == 10
    told = runner.invoke(app, ["report", str(file), "--out", str(ran / "out"), *options])
    assert told.exit_code == 0, told.stderr
    assert json.loads(told.stdout)["further"] == 5


def test_a_sweep_that_has_not_ended_waits_with_it(ran: Path) -> None:
    sweep = phase_sweep(ran)
    found = run_sweep(sweep, folder=ran, runs=ran / "some", engine="serial", limit=3)
    assert len(found.outcomes) == 3


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        ({"add": []}, "Cannot read what to add"),
        ({"add": ["mulit_timeframe"]}, "Unknown feature set 'mulit_timeframe'. Did you mean"),
        ({"add": {"none": {"features": ["rsi"]}}}, "Name 'none'"),
        ({"add": {"more": {}}}, "Nothing is added"),
        ({"add": {"more": {"features": ["rsi", "rsii"]}}}, "Unknown feature 'rsii'"),
        ({"best": 0, "add": ["core107"]}, "greater than or equal to 1"),
    ],
)
def test_mistakes_in_the_file_are_named(ran: Path, phase: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        phase_sweep(ran, feature_phase=phase)


def test_an_addition_that_adds_nothing_is_named(ran: Path) -> None:
    sweep = phase_sweep(ran, feature_phase={"add": {"same": {"features": ["body"]}}})
    with pytest.raises(ConfigError, match="same adds nothing to 'ridge"):
        run_sweep(sweep, folder=ran, runs=ran / "runs", engine="serial")


def test_each_addition_is_held_against_itself_without() -> None:
    grid = {"model": ("gru", "tcn"), "horizon": ("1h",), "more_features": ("none", "a", "b")}
    series = small_sweep_series(grid=grid, better={"more_features": "a"}, seed=3)
    table = sweep_table(series)
    found = contrasts_against(table.settings, "more_features", "none")
    assert found is not None
    assert found.levels == ("a", "b")
    by_name = {
        (each["model"], each["more_features"]): place for place, each in enumerate(table.settings)
    }
    expected = [
        np.mean(
            [
                table.skill[:, by_name[model, level]] - table.skill[:, by_name[model, "none"]]
                for model in ("gru", "tcn")
            ]
        )
        for level in ("a", "b")
    ]
    answers = answer_sweep(table, further=table).answers
    (answer,) = [each for each in answers if each.key == "more_features"]
    np.testing.assert_allclose([each.effect for each in answer.levels], expected)
    assert [each.differs for each in answer.levels] == [True, False]


def test_too_few_decisions_leave_the_question_open() -> None:
    table = sweep_table(small_sweep_series())
    answers = answer_sweep(table, further="There are 3 decision times.").answers
    (answer,) = [each for each in answers if each.key == "more_features"]
    assert (answer.outcome, answer.p_value) == ("open", None)


def test_choosing_the_best_takes_the_first_half_alone() -> None:
    table = sweep_table(small_sweep_series())
    sweep = Sweep(
        study={"bars": "sample"},
        grid={"model": ["ridge"], "horizon": ["1h"], "model.penalty": list(range(1, 9))},
    )
    names = [each.name for each in sweep.experiments]
    from dataclasses import replace  # noqa: PLC0415

    table = replace(table, names=tuple(names))
    phase = FeaturePhase(best=2, add=["core107"])
    chosen = [each.name for each in best_of(phase, sweep.experiments, table)]
    later = table.skill.copy()
    later[len(later) // 2 :] *= -5.0
    again = best_of(phase, sweep.experiments, replace(table, skill=later))
    assert [each.name for each in again] == chosen
