"""Tasks are plain values: keyed by content alone, rebuilt anywhere, stale for no other study."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from barstack import Run, Study, run
from barstack.core import source
from barstack.experiments import Engine, tasks_of

StudyFile = Callable[..., Path]


def computed(done: Run) -> set[str]:
    return {step.name for step in done.steps if step.how == "made"} - {"bars"}


def stored(runs: Path) -> dict[str, bytes]:
    """All files of finished tasks and forecasts, and of artifacts, by name."""
    below = runs / ".store"
    return {
        str(file.relative_to(below)): file.read_bytes()
        for file in sorted(below.rglob("*"))
        if file.is_file()
    }


def test_tasks_can_be_sent_anywhere(tmp_path: Path, study_file: StudyFile) -> None:
    study = Study.from_yaml(study_file(tmp_path))
    for task in tasks_of(study, 3).values():
        assert pickle.loads(pickle.dumps(task)).key(["a", "b"]) == task.key(["a", "b"])  # noqa: S301


def test_running_another_study_makes_nothing_stale(tmp_path: Path, study_file: StudyFile) -> None:
    one = study_file(tmp_path)
    two = study_file(tmp_path, "two.yaml", members={"ridge": {"penalty": 3.0}})
    before = run(one, runs=tmp_path / "runs")
    run(two, runs=tmp_path / "runs")
    again = run(one, runs=tmp_path / "runs")
    assert computed(again) == set()
    assert again.verdict.trials > before.verdict.trials  # which is a view of the ledger


def test_the_order_of_studies_changes_no_byte(tmp_path: Path, study_file: StudyFile) -> None:
    one = study_file(tmp_path)
    two = study_file(tmp_path, "two.yaml", members={"ridge": {"penalty": 3.0}, "strong": "ridge"})
    for name, order in {"forth": (one, two), "back": (two, one)}.items():
        for study in order:
            run(study, runs=tmp_path / name)
    assert stored(tmp_path / "forth") == stored(tmp_path / "back")


def test_a_member_of_another_name_is_not_fitted_again(
    tmp_path: Path, study_file: StudyFile
) -> None:
    run(study_file(tmp_path), runs=tmp_path / "runs")
    members = {"first": {"model": "ridge"}, "second": {"model": "ridge", "penalty": 10.0}}
    renamed = run(study_file(tmp_path, members=members), runs=tmp_path / "runs")
    assert computed(renamed) == {"evaluation", "artifact", "tables"}  # which hold the names
    assert set(renamed.evaluation.weights[0].weights) == {"first", "second"}


def test_an_ensemble_of_another_name_is_not_fitted_again(
    tmp_path: Path, study_file: StudyFile
) -> None:
    run(study_file(tmp_path), runs=tmp_path / "runs")
    ensembles = {"blend": {"ensemble": "nnls"}, "loose": {"ensemble": "nnls", "weight_spread": 2}}
    content = yaml.safe_load(study_file(tmp_path).read_text()) | {"ensembles": ensembles}
    file = tmp_path / "named.yaml"
    file.write_text(yaml.safe_dump(content | {"judged": "loose"}))
    done = run(file, runs=tmp_path / "runs")
    assert computed(done) == {"ensemble loose", "evaluation", "artifact", "tables"}
    assert done.verdict.ensemble == "loose"


@pytest.mark.parametrize(
    ("edited", "fits_again"),
    [
        ("cli/_root.py", False),
        ("reports/_page.py", False),
        ("forecasting/_artifact.py", False),
        ("evaluation/_evaluate.py", False),
        ("models/_model.py", True),
    ],
)
def test_code_counts_by_room_and_without_comments(
    tmp_path: Path, study_file: StudyFile, edited: str, fits_again: bool
) -> None:
    """A copy of the package is edited and asked for the keys of a study's tasks."""
    package = tmp_path / "barstack"
    shutil.copytree(
        Path(source.__file__).parents[1], package, ignore=shutil.ignore_patterns("__pycache__")
    )
    study = study_file(tmp_path / "work")
    script = (
        "from barstack.experiments import Engine, Study; "
        f"engine = Engine(Study.from_yaml({str(study)!r}), {str(tmp_path / 'runs')!r}, "
        f"{str(study.parent)!r}); "
        "names = ('features', 'fit ridge 0', 'artifact', 'evaluation'); "
        "print(*map(engine.key, names))"
    )

    def keys() -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONPATH": str(tmp_path), "PATH": "", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    before, file = keys(), package / edited
    text = file.read_text()
    file.write_text(f"{text}\n# A comment.\n")
    assert keys() == before
    file.write_text(f"{text}\nOTHER = 1\n")
    features, fit, artifact, evaluation = keys()
    assert features == before[0]
    assert (fit != before[1]) == fits_again
    room = edited.partition("/")[0]
    assert (artifact != before[2]) == (room in ("forecasting", "models"))
    assert (evaluation != before[3]) == (room in ("evaluation", "models"))


ALONE = """
import sys
from barstack.experiments import Engine, Study

study, runs, folder, name = sys.argv[1:]
Engine(Study.from_yaml(study), runs, folder).run([name])
"""


@pytest.mark.slow
def test_each_task_alone_in_a_fresh_process_gives_the_same_bytes(
    tmp_path: Path, study_file: StudyFile
) -> None:
    """Rebuilt from the study and the task's name, where what it needs is stored already."""
    split = {"split": "walk_forward", "folds": 2}
    members: dict[str, Any] = {"ridge": {}, "trees": {"model": "lightgbm", "trees": 5}}
    study, runs = study_file(tmp_path, split=split, members=members), tmp_path / "runs"
    run(study, runs=runs, workers=1)
    expected = stored(runs)
    engine = Engine(Study.from_yaml(study), runs, tmp_path)
    engine.run()
    names = [
        name
        for name, task in engine.tasks.items()
        if task.operation.save is not None and not task.on_demand
    ]
    assert {"features", "split", "fit ridge 0", "fit trees final", "artifact"} <= {*names}
    for name in names:
        shutil.rmtree(engine.place(name).folder)
        done = subprocess.run(
            [sys.executable, "-c", ALONE, study, runs, tmp_path, name],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{name}: {done.stderr}"
    assert stored(runs) == expected


def test_what_two_members_have_in_common_is_fitted_once(
    tmp_path: Path, study_file: StudyFile
) -> None:
    members = {"one": "ridge", "other": "ridge"}
    done = run(study_file(tmp_path, members=members), runs=tmp_path / "runs", workers=1)
    how = {step.name: step.how for step in done.steps}
    assert (how["member one"], how["member other"]) == ("made", "reused")
    assert len(list((tmp_path / "runs" / ".store" / "fit").iterdir())) == 3  # one for each fold
    scores = {s.name: s.ic for s in done.evaluation.scores if s.role == "member"}
    assert scores["one"] == scores["other"]
