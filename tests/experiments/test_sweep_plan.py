"""A sweep file: each experiment is a study, mistakes are sentences, ids follow the content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from barstack.core.errors import ConfigError
from barstack.experiments import Study, Sweep
from barstack.experiments._sweep_plan import study_at
from barstack.labels import LABELS
from barstack.models import MODELS
from barstack.splits import HoldOut, WalkForward

EXAMPLES = Path(__file__).parents[2] / "examples"
BASE: dict[str, Any] = {"bars": "sample", "features": ["rsi", "body"]}
GRID: dict[str, Any] = {"model": ["ridge"], "horizon": ["1h", "4h"], "model.penalty": [1, 10]}


def sweep(**changes: Any) -> Sweep:
    return Sweep(**({"study": BASE, "grid": GRID} | changes))


def test_an_experiment_is_the_study_that_one_would_write() -> None:
    each = sweep().experiments[3]
    written = Study(**BASE, horizons=["4h"], members={"ridge": {"penalty": 10}})
    assert each.study == written
    assert (each.name, each.horizon, each.number) == ("ridge 4h penalty=10", "4h", 3)


def test_paths_reach_every_part_of_a_study() -> None:
    grid = {
        "model": [{"model": "lstm", "hidden": 8}],
        "horizon": ["4h"],
        "split.train_times": {"short": 200},
        "label.label": ["direction"],
        "features": ["fast25"],
        "scaler": ["robust"],
        "bars.resample": ["2h"],
        "seed": [7],
    }
    (each,) = Sweep(study=BASE | {"split": "hold_out"}, grid=grid).experiments
    study = each.study
    assert study.split == HoldOut(train_times=200)
    assert study.members["lstm"] == MODELS.parse({"model": "lstm", "hidden": 8})
    assert study.label == LABELS.parse({"label": "direction", "horizons": ["4h"]})
    assert (study.features, study.seed, study.bars.resample) == ("fast25", 7, "2h")
    assert each.name.startswith("lstm hidden=8 4h short label=direction")


def test_a_path_into_what_the_study_leaves_out_begins_with_the_default() -> None:
    (each,) = sweep(grid={"model": ["ridge"], "horizon": ["1h"], "split.folds": [3]}).experiments
    assert each.study.split == WalkForward(folds=3)


def test_several_horizons_learned_together_are_scored_one_by_one() -> None:
    both = sweep(
        grid={"model": ["ridge"], "horizon": ["1h", "4h"]},
        when=[{"if": {"model": "ridge"}, "set": {"horizons": ["1h", "4h"]}}],
    ).experiments
    assert both[0].study == both[1].study
    assert [each.horizon for each in both] == ["1h", "4h"]
    with pytest.raises(ConfigError, match="horizon 1d is not among the label's horizons 1h, 4h"):
        sweep(grid={"model": ["ridge"], "horizon": ["1d"], "horizons": {"two": ["1h", "4h"]}})


def test_the_id_is_of_the_experiments_and_of_nothing_else() -> None:
    one = sweep()
    turned = {name: list(reversed(values)) for name, values in reversed(GRID.items())}
    listed = [
        {"model": {"model": "ridge", "penalty": penalty}, "horizon": horizon}
        for penalty in (1, 10)
        for horizon in ("60min", "4h")
    ]
    assert sweep(grid=turned).id == one.id
    assert sweep(title="Another").id == one.id
    assert sweep(grid={}, list=listed).id == one.id
    assert sweep(grid=GRID | {"model.penalty": [1, 11]}).id != one.id
    assert Sweep(**one.content()).id == one.id


def test_points_that_mean_the_same_are_one_experiment() -> None:
    found = sweep(grid=GRID | {"horizon": ["60min", "1h"]}).experiments
    assert [each.name for each in found] == ["ridge 60min penalty=1", "ridge 60min penalty=10"]


def test_names_are_unique() -> None:
    found = sweep(
        grid={"model": [{"model": "ridge", "penalty": 1}, "ridge"], "horizon": ["1h", "4h"]}
    ).experiments
    assert len({each.name for each in found}) == len(found) == 2


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"grid": GRID | {"model.penatly": [1]}}, "key ridge.penatly. Did you mean 'penalty'?"),
        ({"grid": GRID | {"splti.folds": [3]}}, "setting splti.folds. Did you mean 'split'?"),
        ({"grid": GRID | {"split.fodls": [3]}}, "Unknown key walk_forward.fodls"),
        ({"grid": GRID | {"model": ["rigde"]}}, "Unknown model 'rigde'. Did you mean 'ridge'?"),
        ({"grid": GRID | {"horizon": ["4x"]}}, "'4x' is not a duration"),
        ({"grid": {"horizon": ["1h"]}}, "Nothing says which model"),
        ({"study": BASE | {"seed": 3}, "grid": GRID | {"seed.x": [1]}}, "seed.x: seed is 3"),
        ({"study": BASE | {"members": ["ridge"]}}, "An experiment has one model"),
        ({"grid": GRID | {"members": [["ridge"]]}}, "an experiment has one model"),
        ({"when": [{"if": {"model": "ridge"}, "skip": True}]}, "skips every point"),
        ({"study": BASE | {"label": {"label": "return", "horizons": [1, 2]}},
          "grid": {"model": ["ridge"]}}, "scored at one"),
    ],
)  # fmt: skip
def test_mistakes_are_sentences(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sweep(**changes)
    assert sentence in str(caught.value)


def test_a_mistake_that_many_experiments_have_is_told_once() -> None:
    with pytest.raises(ConfigError) as caught:
        sweep(grid=GRID | {"model.penalty": [-1, 1, -2]})
    text = str(caught.value)
    assert "(Experiment 'ridge 1h penalty=-1' and 1 more.)" in text
    assert text.count("\n") == 1  # one line for each of the two values


def test_a_file_is_read_back_and_a_study_is_recognised(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(sweep().to_yaml())
    assert Sweep.from_yaml(file) == sweep()
    file.write_text("bars: sample\nmembers: [ridge]\n")
    with pytest.raises(ConfigError, match="looks like a study"):
        Sweep.from_yaml(file)
    with pytest.raises(ConfigError, match="There is no sweep file"):
        Sweep.from_yaml(tmp_path / "none.yaml")


def test_the_reference_grid() -> None:
    found = Sweep.from_yaml(EXAMPLES / "reference_grid.yaml").experiments
    assert len(found) == 1620
    assert len({each.name for each in found}) == 1620
    assert len({each.model for each in found}) == 9
    assert found[0].name == "lstm 15min 3mo batch=32 learning_rate=0.0001 weight_decay=0.001"
    # One data set for each horizon and history, and one of all horizons for each history.
    assert len({each.group for each in found}) == 3 * 5 + 3


def test_the_first_sweep() -> None:
    assert len(Sweep.from_yaml(EXAMPLES / "first_sweep.yaml").experiments) == 10


def test_a_misspelt_setting_is_named_with_what_was_meant() -> None:
    with pytest.raises(ConfigError, match=r"Unknown setting horizn\. Did you mean 'horizon'\?"):
        sweep(grid={"model": ["ridge"], "horizn": ["1h"]})


def test_files_of_sweeps_and_of_studies_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(sweep().to_yaml())
    with pytest.raises(ConfigError, match=r"looks like a sweep\. Run it with: barstack sweep"):
        Study.from_yaml(file)


def test_parts_that_were_checked_before_make_the_same_studies() -> None:
    """Each experiment's study is, to its id and its text, the one made from plain data alone."""
    sweep = Sweep(
        study={"bars": "sample", "label": "direction", "split": {"split": "hold_out"}},
        grid={
            "horizon": ["1h", "4h"],
            "model": ["logistic", {"model": "lightgbm", "trees": 50}],
            "split.test": [0.1, 0.2],
            "scaler": ["standard", {"scaler": "robust"}],
            "seed": [0, 1],
        },
        when=[{"if": {"model": "logistic"}, "grid": {"model.penalty": [0.1, 1]}}],
    )
    points = [study_at(sweep.study, point.settings)[0] for point in sweep.points()]
    assert len(sweep.experiments) == len(points) == 48
    for each, plain in zip(sweep.experiments, points, strict=True):
        assert each.study == plain
        assert each.study.to_yaml() == plain.to_yaml()
    by_group: dict[str, set[str]] = {}
    for each in sweep.experiments:
        own = each.study
        key = f"{own.label.id} {own.split.id} {own.scaler.id} {own.seed}"
        by_group.setdefault(each.group, set()).add(key)
    assert len(by_group) == 16
    assert all(len(keys) == 1 for keys in by_group.values())
