from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from barstack import Study
from barstack.core.errors import ConfigError
from barstack.models import MODELS, Model

LABEL = {"label": "return", "horizons": ["4h"]}


def study(**changes: Any) -> Study:
    return Study(**({"bars": "sample", "label": LABEL, "members": ["ridge"]} | changes))


def test_id_is_the_same_in_every_process() -> None:
    code = (
        "from barstack import Study; print(Study(bars='sample', members=['ridge', 'lightgbm'], "
        "label={'label': 'return', 'horizons': ['4h']}, features=['rsi', 'body']).id)"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    here = study(members=["ridge", "lightgbm"], features=["rsi", "body"])
    assert elsewhere.stdout.strip() == here.id


def test_equal_content_is_one_value() -> None:
    in_full = study(
        members={"ridge": {"model": "ridge", "penalty": 1.0}},
        split={"split": "walk_forward", "folds": 6},
        ensembles=["inverse_variance", {"ensemble": "nnls"}],
    )
    assert in_full == study()
    assert in_full.id == study().id
    assert len({in_full, study()}) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"cost_bps": 2.0},
        {"features": ["rsi"]},
        {"members": {"ridge": {"penalty": 2.0}}},
        {"members": {"other": {"model": "ridge"}}},
        {"label": {"label": "return", "horizons": ["5h"]}},
        {"split": {"split": "walk_forward", "embargo": "1d"}},
        {"ensembles": ["nnls", "inverse_variance"]},
        {"bars": {"provider": "sample", "calendar": "24/7"}},
    ],
    ids=str,
)
def test_any_change_changes_the_id(change: dict[str, Any]) -> None:
    assert study(**change).id != study().id
    assert study(**change) != study()


def test_different_kinds_differ_though_their_fields_agree() -> None:
    xgboost, lightgbm = MODELS.parse("xgboost"), MODELS.parse("lightgbm")
    assert xgboost.id != lightgbm.id


def test_frozen() -> None:
    made = study()
    with pytest.raises(ValidationError, match="frozen"):
        made.seed = 1  # type: ignore[misc]  # what is to be refused
    ridge: Any = made.members["ridge"]
    with pytest.raises(ValidationError, match="frozen"):
        ridge.penalty = 2.0


def test_what_a_spec_holds_is_frozen_too() -> None:
    whole = study()
    with pytest.raises(TypeError, match="cannot be changed"):
        whole.members["other"] = MODELS.parse("lightgbm")
    with pytest.raises(TypeError, match="cannot be changed"):
        whole.members.update({})
    with pytest.raises(TypeError, match="cannot be changed"):
        whole.members.pop("ridge")
    assert list(whole.members) == ["ridge"]


def test_a_study_without_features_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs at least one feature"):
        study(features=[])
    with pytest.raises(ConfigError, match="given twice: rsi_14"):
        study(features=["rsi", {"feature": "rsi", "params": {"window": 14}}])


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"split": {"split": "walk_forward", "embargo": "x"}}, "study.split.*walk_forward.embargo"),
        ({"bars": {"provider": "sample", "resample": "xx"}}, "study.bars.*sample.resample"),
        ({"bars": {"provider": "sample", "bar": "5"}}, "study.bars.*sample.bar"),
        ({"bars": {"provider": "sample", "start": "soon"}}, "study.bars.*sample.start"),
    ],
)
def test_texts_that_mean_nothing_are_refused_at_once(change: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigError, match=where):
        study(**change)


def test_a_copy_with_changes_is_checked_and_has_its_own_id() -> None:
    made = study()
    before = made.id
    assert made.model_copy(update={"seed": 1}).id == study(seed=1).id != before
    with pytest.raises(ConfigError, match="cost_bps"):
        made.model_copy(update={"cost_bps": -1.0})


def pickled(spec: Study) -> Any:
    return pickle.loads(pickle.dumps(spec))  # noqa: S301 (bytes of our own)


@pytest.mark.parametrize("same", [copy.copy, copy.deepcopy, pickled])
def test_copies_are_equal(same: Any) -> None:
    assert same(study()) == study()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sed": 1}, r"Unknown key study\.sed\. Did you mean 'seed'\?"),
        ({"members": {"ridge": {"penalti": 1}}}, r"ridge\.penalti\. Did you mean 'penalty'\?"),
        ({"members": {"ridge": {"penalty": "much"}}}, r"penalty: .*number.*got 'much'"),
        ({"members": {"ridge": {"penalty": -1}}}, r"penalty: .*greater than or equal to 0"),
        ({"members": {"ridge": {"penalty": float("nan")}}}, r"penalty: .*finite"),
        ({"cost_bps": float("inf")}, r"study\.cost_bps: .*finite"),
        ({"members": {"a": "ridg"}}, r"Unknown model 'ridg'\. Did you mean 'ridge'\?"),
        ({"members": {"ridge": 5}}, r"Cannot read a model from 5"),
        ({"members": {"ridge": {5: 1}}}, r"Unknown key ridge\.5"),
        ({"split": {"split": "walk_forward", "folds": 1}}, r"split.*folds.*2, got 1"),
        ({"split": {"split": "walk_forward", "first_train": 1.5}}, r"between 0 and 1, got 1\.5"),
        ({"label": {"label": "return"}}, r"horizons is missing"),
        ({"label": {"label": "return", "horizons": []}}, r"at least one horizon"),
        ({"label": {"label": "return", "horizons": ["4 hours"]}}, r"'4 hours' is not a duration"),
        ({"features": ["rsii"]}, r"Unknown feature 'rsii'\. Did you mean 'rsi'\?"),
        ({"features": "fast26"}, r"Unknown feature set 'fast26'\. Did you mean 'fast25'\?"),
    ],
)
def test_mistakes_get_a_sentence(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        study(**change)


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as found:
        study(sed=1, cost_bps=-1)
    assert "sed" in str(found.value)
    assert "cost_bps" in str(found.value)


def test_content_makes_an_equal_spec() -> None:
    for name in MODELS.names():
        spec: Model = MODELS.get(name)()
        assert MODELS.parse(spec.content()) == spec
