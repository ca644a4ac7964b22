"""Every model but networks, for every task it does, and for data in which nothing happens."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.models.cases import dataset_of, model_of

from barstack.core.errors import DataError
from barstack.core.forecast import Task
from barstack.datasets import Dataset
from barstack.models import MODELS, FittedModel, Model, train
from barstack.testing import (
    BoundCheck,
    ForTask,
    parametrize_with_checks,
    small_dataset,
    training_rows,
)

# Networks of full size take minutes; `test_neural_contract.py` has small ones, and
# `test_timesfm.py` a checkpoint.
FAMILIES = {MODELS.get(name).family for name in MODELS.names()} - {"neural", "pretrained"}
NAMES = [name for name in MODELS.names() if MODELS.get(name).family in FAMILIES]
CASES = [(name, task) for name in NAMES for task in MODELS.get(name).tasks]


@parametrize_with_checks([ForTask(model_of(name, task), task) for name, task in CASES])
def test_model(part: Model, check: BoundCheck) -> None:
    check(part)


@pytest.mark.parametrize(("name", "task"), CASES, ids=[f"{n}-{t}" for n, t in CASES])
def test_labels_that_never_differ(name: str, task: Task) -> None:
    if "labels that never differ" in MODELS.get(name).exempt:
        pytest.skip(f"{name} is exempt")
    model = model_of(name, task)
    dataset = dataset_of(model, task)
    known = ~np.isnan(dataset.labels.values)
    still = replace(dataset.labels, values=np.where(known, 1.0, np.nan))
    rows = training_rows(dataset)
    fitted = train(model, Dataset(dataset.features, still), rows, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        fitted.save(Path(folder) / "model")
        loaded = FittedModel.load(Path(folder) / "model")
    values = loaded.predict(dataset.features, rows[-50:])
    assert np.isfinite(values).all()
    likeliest = values.argmax(axis=2) if task == "three_class" else values[:, :, 0].round()
    assert (likeliest == 1.0).all()


@pytest.mark.parametrize(("name", "task"), CASES, ids=[f"{n}-{t}" for n, t in CASES])
def test_features_that_never_differ(name: str, task: Task) -> None:
    model = model_of(name, task)
    dataset = dataset_of(model, task)
    flat = replace(dataset.features, values=np.ones_like(dataset.features.values))
    rows = training_rows(dataset)
    fitted = train(model, Dataset(flat, dataset.labels), rows, seed=0)
    one = rows[dataset.decisions.symbol_code[rows] == 0]  # what differs is the ticker at most
    values = fitted.predict(flat, one[-50:])
    assert np.isfinite(values).all()
    np.testing.assert_allclose(values, values[:1].repeat(50, axis=0))


def test_a_lookback_beyond_the_training_rows_is_named() -> None:
    dataset = small_dataset("return")
    model = MODELS.parse({"model": "lstm", "lookback": 500})
    with pytest.raises(DataError, match=r"0 rows are too few .* looks back 500 bars"):
        train(model, dataset, training_rows(dataset)[:300], seed=0)
