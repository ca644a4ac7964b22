"""Tuning: nothing depends on when trials end, each is counted, and held-back folds stay unseen."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.experiments.sweep_kills import Sweeping

import barstack as bs
from barstack.core.errors import ConfigError
from barstack.evaluation import plain_scores
from barstack.experiments import Study, TuneResult, TuneWatch, Tuning, plan_tuning, run_tune
from barstack.experiments._tune_search import MemberSearch, TrialLoss
from barstack.models import LSTM, LightGBM, NaiveZero, Ridge, Transformer
from barstack.testing import small_study, walk
from barstack.tracking import ExperimentTracker, SqliteStore

SPACE = {"ridge": {"penalty": {"low": 1e-3, "high": 1e3, "log": True}}}


def study_of(folder: Path, **changes: Any) -> Study:
    content = small_study(folder).content()
    content["label"] = {"label": "return", "horizons": [1, 4]}
    content["split"] = {"split": "walk_forward", "folds": 6}
    content["tune"] = {"trials": 12, "at_once": 4}
    return Study(**(content | changes))


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TuneResult]:
    folder = tmp_path_factory.mktemp("tuned")
    study = study_of(folder)
    return folder, run_tune(study, folder=folder, runs=folder / "runs", engine="serial")


def figures(found: TuneResult) -> str:
    return json.dumps(found.to_json() | {"seconds": 0, "notes": []}, sort_keys=True)


def test_worker_processes_find_the_same(tuned: tuple[Path, TuneResult]) -> None:
    folder, expected = tuned
    found = run_tune(study_of(folder), folder=folder, runs=folder / "local", workers=2)
    assert figures(found) == figures(expected)


def test_more_trials_begin_with_the_same_ones(tuned: tuple[Path, TuneResult]) -> None:
    folder, expected = tuned
    found = run_tune(
        study_of(folder), folder=folder, runs=folder / "more", trials=16, engine="serial"
    )
    assert found.id == expected.id
    assert found.rows()[:12] == expected.rows()


def test_every_trial_is_counted_and_tracked(tuned: tuple[Path, TuneResult]) -> None:
    folder, found = tuned
    (member,) = found.members
    held_back = 2 if member.improved else 0  # the best and the study's own, on all folds
    made = len({json.dumps(row["penalty"]) for row in found.rows()})
    store = SqliteStore(folder / "runs")
    assert len(store.trials()) == (made + held_back) * 2  # horizons
    assert found.counted == len(store.trials())
    assert all(store.has(str(each.forecasts)) for each in store.trials())
    tracker = ExperimentTracker(folder / "runs")
    statuses = [each.status for each in member.trials]
    pruned = [each for each in tracker.experiments(found.id) if each.status == "pruned"]
    assert len(pruned) == statuses.count("pruned") * 2 > 0
    assert {each.metrics["folds"] for each in pruned} == {2}
    assert tracker.get_statistics()["running"] == 0
    assert tracker.get_statistics()["pruned"] == len(pruned)
    (size,) = ExperimentTracker(folder / "runs").sweeps()
    assert (size.sweep_id, size.experiments) == (found.id, 12 * 2)


def test_the_loss_is_that_of_a_run_on_the_same_folds(tuned: tuple[Path, TuneResult]) -> None:
    """1 less R² against the historical mean, from an ordinary run's forecasts of these folds."""
    folder, found = tuned
    run = bs.run(study_of(folder), folder=folder, runs=folder / "run")
    engine = run._engine
    out_of_fold = engine.value("member ridge").out_of_fold
    labels = engine.value("labels").judged(engine.value("split"))
    early = out_of_fold.forecast.take(np.flatnonzero(out_of_fold.fold < found.folds))
    r2 = [plain_scores(early, labels, horizon)["r2"] for horizon in ("1bars", "4bars")]
    (member,) = found.members
    assert found.folds == 4
    assert member.before.loss == pytest.approx(np.mean([1.0 - float(each or 0) for each in r2]))


def test_folds_held_back_change_no_choice(tuned: tuple[Path, TuneResult]) -> None:
    folder, expected = tuned
    other = folder / "other"
    other.mkdir()
    study = study_of(other)
    table = pl.read_parquet(other / "WALK.parquet")
    late = pl.int_range(pl.len()) > 0.84 * pl.len()  # the latest fifth is held back
    prices = ["open", "high", "low", "close"]
    table.with_columns(pl.when(late).then(pl.col(prices) * 1.17).otherwise(pl.col(prices))).select(
        table.columns
    ).write_parquet(other / "WALK.parquet")
    found = run_tune(study, folder=other, runs=other / "runs", engine="serial")
    assert found.rows() == expected.rows()
    ours, theirs = found.members[0].held_back, expected.members[0].held_back
    assert ours != theirs


def test_noise_wants_the_largest_penalty(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = walk(600).to_frame()
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, len(frame))))
    for name, factor in {"open": 1.0, "high": 1.001, "low": 0.999, "close": 1.0}.items():
        frame[name] = close * factor
    frame.to_parquet(tmp_path / "WALK.parquet")
    study = study_of(
        tmp_path,
        features=["rsi", "body", "atr", "macd"],
        members={"ridge": {"penalty": 1e-6}},
        tune={"trials": 8, "space": {"ridge": {"penalty": [1e-6, 1e-3, 1.0, 1e5]}}},
    )
    found = run_tune(study, folder=tmp_path, runs=tmp_path / "runs", engine="serial")
    (member,) = found.members
    assert member.best.settings == {"penalty": 1e5}
    assert found.study.members["ridge"] == Ridge(penalty=1e5)


def test_the_tuned_study_is_locked_and_runs(tmp_path: Path) -> None:
    study = study_of(tmp_path, members=["ridge", "naive_zero"])
    (tmp_path / "study.yaml").write_text(study.to_yaml())
    runs = tmp_path / "runs"
    found = bs.tune(tmp_path / "study.yaml", runs=runs, engine="serial")
    assert found.file == tmp_path / "study_tuned.yaml"
    assert Study.from_yaml(found.file) == found.study
    assert found.study.members["naive_zero"] == NaiveZero()
    assert "Left as they are: naive_zero." in found.notes
    text = found.file.read_text()
    assert text.startswith("# Tuned by barstack tune: the best of 12 trials on the first 4 of 6")
    assert "# 1.0 before" in text
    run = bs.run(found.file, runs=runs)
    how = {step.name: step.how for step in run.steps}
    assert how["member ridge"] == "reused"  # judged on all folds to compare what was held back
    assert run.verdict.trials > found.counted
    found.file.write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        bs.tune(tmp_path / "study.yaml", runs=runs, engine="serial")


def test_a_budget_that_is_over_leaves_the_study_as_it_is(tmp_path: Path) -> None:
    class Heard(TuneWatch):
        ended_ = 0

        def ended(self, trial: Any) -> None:
            self.ended_ += 1

    watch = Heard()
    study = study_of(tmp_path)
    found = run_tune(
        study,
        folder=tmp_path,
        runs=tmp_path / "runs",
        engine="serial",
        time_budget=1e-3,
        watch=watch,
    )
    assert watch.ended_ == 1
    assert not found.members[0].improved
    assert found.study == study


def test_a_preset_is_tuned_too(tmp_path: Path) -> None:
    content = study_of(tmp_path).content()
    del content["members"]
    plan = plan_tuning(Study(**content, preset="quick"), folder=tmp_path)
    assert list(plan.spaces) == ["ridge", "elastic_net"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"members": ["naive_zero"]}, "Member 'naive_zero' .* has no space of settings to search"),
        ({"tune": {"space": {"rigde": {}}}}, "'rigde' is no member. Did you mean 'ridge'"),
        ({"tune": {"space": {"ridge": {"penatly": [1, 2]}}}}, "no setting 'penatly'. Did you mean"),
        ({"tune": {"space": {"ridge": {"penalty": {"low": 2, "high": 1}}}}}, "cannot draw"),
        ({"tune": {"space": {"ridge": {"penalty": []}}}}, "cannot read choices"),
        ({"tune": {"held_back": 6}}, "6 folds are held back, and the split has 6"),
        ({"tune": {"trails": 3}}, "Unknown key .*trails. Did you mean 'trials'"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        run_tune(study_of(tmp_path, **changes), folder=tmp_path, runs=tmp_path / "r")


def test_a_member_that_is_named_must_have_a_space(tmp_path: Path) -> None:
    study = study_of(tmp_path, members=["ridge", "naive_zero"])
    with pytest.raises(ConfigError, match=r"'naive_zero'.*tune other members with --member"):
        plan_tuning(study, members=["naive_zero"])


def test_what_is_said_on_tuning_changes_no_id(tmp_path: Path) -> None:
    one, other = study_of(tmp_path), study_of(tmp_path, tune=Tuning(trials=99))
    assert one.id == other.id
    assert "tune" not in study_of(tmp_path, tune=None).content()


def searched(
    model: Any, space: dict[str, Any], loss: Any, trials: int = 24, folds: int = 4
) -> MemberSearch:
    """A search whose losses are a function of the trial and the number of folds."""
    search = MemberSearch(
        "m", model, space, folds=folds, trials=trials, at_once=4, prune=True, seed=0
    )
    steps = search.steps(lambda: True)
    requests = next(steps, None)
    while requests is not None:
        answers = [loss(each.trial, each.folds) for each in requests]
        try:
            requests = steps.send(answers)
        except StopIteration:
            requests = None
    return search


def test_it_finds_the_bottom_of_a_bowl() -> None:
    def bowl(trial: Any, _: int) -> TrialLoss:
        rate = np.log10(trial.settings["learning_rate"])
        return TrialLoss(float((rate + 1.5) ** 2 + 0.01 * (trial.settings["depth"] - 5) ** 2))

    space = {
        "learning_rate": {"low": 1e-3, "high": 1.0, "log": True},
        "depth": {"low": 2, "high": 8},
    }
    search = searched(LightGBM(), space, bowl, trials=60)
    best = min(
        (each for each in search.trials if each.status == "completed"),
        key=lambda each: each.loss or 0.0,
    )
    assert best.loss is not None
    assert best.loss < 0.05
    importance = search.importance()
    assert next(iter(importance)) == "learning_rate"
    assert sum(importance.values()) == pytest.approx(1.0)


def test_the_worse_half_is_given_up_at_each_rung_and_closed_once() -> None:
    seen: list[tuple[int, int, bool]] = []

    def loss(trial: Any, folds: int) -> TrialLoss:
        return TrialLoss(float(trial.settings["penalty"]))

    search = MemberSearch(
        "m", Ridge(), SPACE["ridge"], folds=8, trials=21, at_once=10, prune=True, seed=0
    )
    steps = search.steps(lambda: True)
    requests = next(steps)
    while True:
        seen += [(each.trial.number, each.folds, each.ended) for each in requests]
        try:
            requests = steps.send([loss(each.trial, each.folds) for each in requests])
        except StopIteration:
            break
    ended = [number for number, _, ended in seen if ended]
    assert sorted(ended) == list(range(21))  # each exactly once
    pruned = [each for each in search.trials if each.status == "pruned"]
    assert {each.folds for each in pruned} == {4}
    completed = [each for each in search.trials[1:] if each.status == "completed"]
    assert np.mean([each.loss for each in completed]) < np.mean([each.loss for each in pruned])


def test_settings_that_a_model_refuses_are_failed_trials() -> None:
    space = {"width": [10, 16], "heads": [4]}
    search = searched(Transformer(), space, lambda *_: TrialLoss(1.0), trials=12)
    failed = [each for each in search.trials if each.status == "failed"]
    assert failed
    assert all(each.settings["width"] == 10 and each.error for each in failed)


def test_lists_and_whole_numbers_stay_what_they_are() -> None:
    space = {"hidden": {"low": 8, "high": 16}, "schedule": ["constant", "cosine"]}
    search = searched(LSTM(hidden=8), space, lambda *_: TrialLoss(1.0), trials=9)
    assert {type(each.settings["hidden"]) for each in search.trials} == {int}
    assert {each.settings["schedule"] for each in search.trials} == {"constant", "cosine"}


@pytest.mark.slow
def test_ray_finds_the_same_and_fits_no_more_folds(tuned: tuple[Path, TuneResult]) -> None:
    pytest.importorskip("ray")
    folder, expected = tuned
    found = run_tune(study_of(folder), folder=folder, runs=folder / "ray", engine="ray", workers=2)
    assert figures(found) == figures(expected)
    ray, serial = (
        {each.name for each in (folder / runs / ".store/fit").iterdir()} for runs in ("ray", "runs")
    )
    assert ray == serial


@pytest.mark.slow
def test_a_killed_search_goes_on_and_finds_the_same(tmp_path: Path) -> None:
    study = study_of(tmp_path)
    (tmp_path / "study.yaml").write_text(study.to_yaml())

    def begun(**more: Any) -> Sweeping:
        return Sweeping(tmp_path, tmp_path / "study.yaml", "--json", verb="tune", slow=0.05, **more)

    calm = begun(runs=tmp_path / "calm")
    code, out, err = calm.ended()
    assert code == 0, err
    expected = json.loads(out)
    for enough in (5, 20):
        killed = begun()
        deadline = time.monotonic() + 120
        fits = tmp_path / "runs/.store/fit"
        while len(list(fits.glob("[!.]*"))) < enough:
            assert time.monotonic() < deadline
            assert killed.process.poll() is None
            time.sleep(0.02)
        killed.process.kill()
        killed.ended()
    code, out, err = begun().ended()
    assert code == 0, err
    # Checks that were made before a kill are not noted again.
    other = {"seconds": 0, "notes": [], "files": []}
    found = json.loads(out)
    assert found | other == expected | other
    tables = [Path(each["files"][1]).read_bytes() for each in (found, expected)]
    assert tables[0] == tables[1]
    assert len(SqliteStore(tmp_path / "runs").trials()) == expected["trials_counted"]
    SqliteStore(tmp_path / "runs").verify()
