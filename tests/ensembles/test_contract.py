"""Every registered ensemble, for every task."""

from tests.online import Discounted

from barstack.ensembles import ENSEMBLES, Ensemble
from barstack.testing import BoundCheck, ForTask, parametrize_with_checks


@parametrize_with_checks(ENSEMBLES.get(name)() for name in ENSEMBLES.names())
def test_ensemble(part: Ensemble, check: BoundCheck) -> None:
    check(part)


@parametrize_with_checks([ForTask(Discounted(), "return")])
def test_one_that_learns_on(part: Ensemble, check: BoundCheck) -> None:
    check(part)
