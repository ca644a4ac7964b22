"""What is made, what is reused, and what happens when what is stored is not whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from barstack import Run, run
from barstack.bars import Bars
from barstack.core.errors import BarstackError, ConfigError, DataError, StorageError
from barstack.experiments import STAGES, Operation, Study, Task, tasks_of
from barstack.experiments._study import NAIVE
from barstack.testing import walk

StudyFile = Callable[..., Path]


def made(done: Run) -> set[str]:
    """Tasks that were computed; bars are read afresh each time."""
    return {step.name for step in done.steps if step.how == "made"} - {"bars"}


@pytest.fixture
def first(tmp_path: Path, finished: Run) -> Path:
    """A folder with the study, its bars and its runs, to change as a test likes."""
    source = finished.folder.parents[1]
    shutil.copytree(source, tmp_path / "work")
    return tmp_path / "work"


def test_a_second_run_makes_nothing(first: Path, finished: Run) -> None:
    again = run(first / "study.yaml", runs=first / "runs")
    assert made(again) == set()
    assert again.id == finished.id
    assert again.evaluation == finished.evaluation


def test_a_title_makes_nothing_again(first: Path, study_file: StudyFile, finished: Run) -> None:
    again = run(study_file(first, title="Another name"), runs=first / "runs")
    assert made(again) == set()
    assert "Another name" in (again.folder / "report.html").read_text("utf-8")
    assert again.id == finished.id
    assert "Another name" in (again.folder / "study.yaml").read_text()


def test_one_changed_member_is_fitted_and_no_other(first: Path, study_file: StudyFile) -> None:
    members = {"ridge": {}, "strong": {"model": "ridge", "penalty": 20.0}}
    again = run(study_file(first, members=members), runs=first / "runs")
    results = {"ensemble nnls", "ensemble average", "evaluation", "artifact", "tables"}
    assert made(again) == {"member strong", *results}


def test_a_change_of_cost_fits_nothing(first: Path, study_file: StudyFile) -> None:
    again = run(study_file(first, cost_bps=3.0), runs=first / "runs")
    assert made(again) == {"evaluation", "artifact", "tables"}


def test_one_other_price_makes_everything_again(first: Path) -> None:
    file = first / "bars" / "WALK.parquet"
    table = pl.read_parquet(file)
    high = table["high"].to_list()
    high[200] *= 1.01
    table.with_columns(high=pl.Series(high)).write_parquet(file)
    again = run(first / "study.yaml", runs=first / "runs")
    assert {step.name for step in again.steps if step.how == "reused"} == set()


def test_the_same_bars_in_another_folder_are_the_same(first: Path) -> None:
    (first / "bars").rename(first / "elsewhere")
    file = first / "study.yaml"
    file.write_text(file.read_text().replace("path: bars", "path: elsewhere"))
    again = run(file, runs=first / "runs")
    assert made(again) == {"artifact", "tables"}  # which hold the study


def test_naive_names_are_kept_free(finished: Run) -> None:
    found = {score.name for score in finished.evaluation.scores if score.role == "naive"}
    assert found == {*NAIVE} - {"past_quantiles"}  # which is there for quantiles alone


def test_trials_add_up_and_count_once(first: Path, study_file: StudyFile) -> None:
    def trials(file: Path) -> int:
        return run(file, runs=first / "runs").verdict.trials

    file = first / "study.yaml"
    n_horizons, n_tried = 2, 4  # two members, two ensembles
    assert trials(file) == trials(file) == n_horizons * n_tried
    other = study_file(first, "other.yaml", members={"ridge": {"penalty": 7.0}})
    assert trials(other) == n_horizons * (n_tried + 3)
    # The first study is now judged among all that was tried since.
    assert trials(file) == n_horizons * (n_tried + 3)


def damage_file(file: Path, damage: str) -> None:
    """Change the middle byte, cut off the second half, or take it away."""
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    if damage == "gone":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(content[:middle])
    else:
        content[middle] ^= 1
        file.write_bytes(content)


# A change to the study that makes the run load what is stored of each step.
OTHER = {"members": {"other": {"model": "ridge", "penalty": 3.0}}}
LOADS: dict[str, dict[str, Any]] = {
    "checks": {"label": {"label": "return", "horizons": [2]}},
    "features": OTHER,
    "labels": OTHER,
    "split": {},
    "audit": {},
    "fit": {},
    "member": {"cost_bps": 4.0},
    "ensemble": {"cost_bps": 4.0},
    "evaluation": {},
    "artifact": {},
    "tables": {},
}


@pytest.mark.parametrize("step", LOADS)
@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_a_damaged_step_is_named(
    first: Path, study_file: StudyFile, step: str, damage: str
) -> None:
    """Never a fault, never other numbers: a sentence with the folder to delete."""
    stored = first / "runs" / ".store" / step
    for file in [each for each in stored.rglob("*") if each.is_file()]:
        damage_file(file, damage)
    if step == "fit":  # which is read only where the forecasts of a member are not there
        shutil.rmtree(first / "runs" / ".store" / "member")
    file = study_file(first, **LOADS[step])
    with pytest.raises(StorageError, match=rf"task '{step}.*is damaged: .* Delete .*{step}/"):
        run(file, runs=first / "runs")
    shutil.rmtree(stored)
    reported = "member" if step == "fit" else step
    assert reported in {name.split()[0] for name in made(run(file, runs=first / "runs"))}


@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_damaged_forecasts_are_named(first: Path, damage: str, study_file: StudyFile) -> None:
    stored = first / "runs" / ".store" / "forecasts"
    for file in stored.glob("*.parquet"):
        damage_file(file, damage)
    with pytest.raises(StorageError, match=r"forecasts/.* missing or not what was saved\. Delete"):
        run(study_file(first, ensembles=["average"]), runs=first / "runs")


def test_a_ledger_that_is_none(first: Path) -> None:
    ledger = first / "runs" / ".ledger.sqlite"
    for file in ledger.parent.glob(".ledger.sqlite*"):
        file.unlink()
    ledger.write_text("not a database, and long enough to be looked at as one" * 20)
    with pytest.raises(StorageError, match=r"ledger of trials .*restore it from a copy"):
        run(first / "study.yaml", runs=first / "runs")


def test_a_runs_folder_that_cannot_be_written(tmp_path: Path, study_file: StudyFile) -> None:
    file = study_file(tmp_path)
    (tmp_path / "runs").write_text("a file in the way")
    with pytest.raises(StorageError, match=r"Cannot write .*runs.*Check that the folder"):
        run(file, runs=tmp_path / "runs")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_runs_folder(tmp_path: Path, study_file: StudyFile) -> None:
    file = study_file(tmp_path)
    (tmp_path / "runs").mkdir(mode=0o555)
    with pytest.raises(StorageError, match=r"Cannot write .*Permission denied"):
        run(file, runs=tmp_path / "runs")


@pytest.mark.parametrize(
    ("bars", "changes", "said"),
    [
        (10, {}, r"within the warm-up of feature 'rsi_14'"),
        (40, {"label": {"label": "return", "horizons": [60]}}, r"too short for horizon 60"),
        (40, {"label": {"label": "return", "horizons": ["20d"]}}, r"too short for horizon 20d"),
        (20, {"split": {"split": "walk_forward", "folds": 8}}, r"too few|Give more bars"),
        (60, {"label": {"label": "return", "horizons": [30]}}, r"more bars"),
        (60, {"label": {"label": "return", "horizons": ["1min"]}}, r"shorter than a bar"),
        (200, {"split": {"split": "walk_forward", "embargo": "300d"}}, r"smaller embargo"),
    ],
)
def test_too_few_bars(
    tmp_path: Path, study_file: StudyFile, bars: int, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises((DataError, ConfigError), match=said):
        run(study_file(tmp_path, n_bars=bars, **changes), runs=tmp_path / "runs")


def test_tasks_that_do_not_exist_or_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study(bars="sample", label={"label": "return", "horizons": [1]}, members=["ridge"])
    one = Operation("one", lambda workspace, value: value)

    def extra(study: Study, n_folds: int) -> list[Task]:
        return [Task("one", one, ("two",))]

    monkeypatch.setitem(STAGES._entries, "extra", extra)
    with pytest.raises(ConfigError, match=r"No stage makes 'two', which 'one' needs; there are"):
        tasks_of(study, 2)
    monkeypatch.setitem(STAGES._entries, "extra", lambda study, n: [Task("bars", one)])
    with pytest.raises(ConfigError, match="Two stages make 'bars'"):
        tasks_of(study, 2)


def test_all_of_it_is_one_family_of_errors() -> None:
    for error in (ConfigError, DataError, StorageError):
        assert issubclass(error, BarstackError)


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({}, 0),
        ({"title": "again"}, 0),
        ({"cost_bps": 3.0}, 0),  # the same forecasts, judged again
        ({"bars": {"provider": "files", "path": "bars", "end": "2026-02-20"}}, 8),
        ({"bars": {"provider": "files", "path": "bars", "resample": "1h"}}, 8),
        ({"bars": {"provider": "files", "path": "bars", "calendar": "XNYS"}}, 8),
        ({"seed": 1}, 8),
    ],
)
def test_what_counts_as_another_trial(
    tmp_path: Path, study_file: StudyFile, change: dict[str, Any], more: int
) -> None:
    before = run(study_file(tmp_path), runs=tmp_path / "runs").verdict.trials
    after = run(study_file(tmp_path, "next.yaml", **change), runs=tmp_path / "runs").verdict.trials
    # Two members and two ensembles at two horizons.
    assert (before, after) == (8, 8 + more)


def test_each_look_at_grown_bars_is_counted_and_told(
    tmp_path: Path, study_file: StudyFile, table: Callable[[Bars], pl.DataFrame]
) -> None:
    file = study_file(tmp_path)
    found = []
    for bars in (walk(400), walk(420)[:401], walk(400, seed=7)):  # the same, grown, another's
        table(bars).write_parquet(tmp_path / "bars" / "WALK.parquet")
        found.append(run(file, runs=tmp_path / "runs").verdict)
    assert [verdict.trials for verdict in found] == [8, 16, 24]
    assert [verdict.looks for verdict in found] == [1, 2, 3]
    again = run(file, runs=tmp_path / "runs").verdict
    assert (again.trials, again.looks) == (24, 3)


PLUGIN = """
from barstack.models.classical.ridge import Ridge
from barstack.models import register

@register("{name}", family="plugin", tasks=("return",))
class {name}(Ridge):
    def predict(self, learned, inputs, target):
        return {factor} * super().predict(learned, inputs, target)
"""


@pytest.mark.slow
def test_an_edited_plugin_is_fitted_again_and_is_another_trial(
    tmp_path: Path, study_file: StudyFile
) -> None:
    """In processes of their own, as one that runs goes on with what it has imported."""
    file = study_file(tmp_path, members=["ridge", "theirs"], ensembles=["average"])
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import some_plugin; "
        f"from barstack import run; found = run({str(file)!r}, runs={str(tmp_path / 'runs')!r}); "
        "print(found.verdict.trials, *sorted(s.name for s in found.steps if s.how == 'made'))"
    )
    said = []
    for factor in ("1.0", "1.0", "0.5"):
        (tmp_path / "some_plugin.py").write_text(PLUGIN.format(name="theirs", factor=factor))
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout.split())
    edited = said[-1]
    made_each = ["theirs" in each for each in said]
    assert made_each == [True, False, True]
    assert "features" not in edited
    # Two members and an ensemble at two horizons; the edited member, and the ensemble that has it.
    assert [each[0] for each in said] == ["6", "6", "10"]
