"""Every registered ensemble, for every task."""

from collections.abc import Callable

import pytest
from tests.online import Discounted

from barstack.core.forecast import EVERY_TASK, Task
from barstack.ensembles import ENSEMBLES, Ensemble
from barstack.testing import ENSEMBLE_CHECKS


@pytest.mark.parametrize("task", EVERY_TASK)
@pytest.mark.parametrize("check", ENSEMBLE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", ENSEMBLES.names())
def test_ensemble(name: str, check: Callable[[Ensemble, Task], None], task: Task) -> None:
    ensemble = ENSEMBLES.get(name)()
    if check.__name__ in ensemble.exempt:
        pytest.skip(ensemble.exempt[check.__name__])
    if task in ensemble.tasks:
        check(ensemble, task)


@pytest.mark.parametrize("check", ENSEMBLE_CHECKS, ids=lambda check: check.__name__)
def test_one_that_learns_on(check: Callable[[Ensemble, Task], None]) -> None:
    check(Discounted(), "return")
