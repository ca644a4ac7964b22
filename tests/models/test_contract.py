"""Every registered model, for every task it does."""

from collections.abc import Callable
from functools import cache

import pytest

from barstack.core.forecast import Task
from barstack.datasets import Dataset
from barstack.models import MODELS, Model
from barstack.testing import MODEL_CHECKS, small_dataset

dataset_for: Callable[[Task], Dataset] = cache(small_dataset)
CASES = [(name, task) for name in MODELS.names() for task in MODELS.get(name).tasks]


@pytest.mark.parametrize("check", MODEL_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("name", "task"), CASES, ids=[f"{n}-{t}" for n, t in CASES])
def test_model(name: str, task: Task, check: Callable[[Model, Dataset], None]) -> None:
    check(MODELS.get(name)(), dataset_for(task))
