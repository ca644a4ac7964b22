"""Every registered ensemble, for every task."""

from collections.abc import Callable

import pytest

from barstack.core.forecast import OUTPUTS, Task
from barstack.ensembles import ENSEMBLES, Ensemble
from barstack.testing import ENSEMBLE_CHECKS


@pytest.mark.parametrize("task", OUTPUTS)
@pytest.mark.parametrize("check", ENSEMBLE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", ENSEMBLES.names())
def test_ensemble(name: str, check: Callable[[Ensemble, Task], None], task: Task) -> None:
    check(ENSEMBLES.get(name)(), task)
