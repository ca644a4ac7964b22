"""What is said of parts of other packages that break their contract."""

from __future__ import annotations

import numpy as np
import pytest

from barstack.core.errors import DataError, PluginError
from barstack.core.forecast import Target
from barstack.core.parts import Calling, forecasts, numbers, part_name
from barstack.core.spec import Spec


class Odd(Spec):
    registered_as = ("model", "odd")


class Own(Spec):
    __module__ = "barstack.models.own"


NAMED = "^Model 'odd' of package tests"


class MuteError(Exception):
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    "error",
    [KeyError("x"), RecursionError(), MemoryError(), SystemExit(0), GeneratorExit(), MuteError()],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_part_raises_names_it(error: BaseException) -> None:
    said = rf"{NAMED}: fit raises {type(error).__name__}"
    with pytest.raises(PluginError, match=said), Calling(Odd(), "fit"):
        raise error


def test_an_interrupt_stays_one_and_errors_of_barstack_keep_their_class() -> None:
    with pytest.raises(KeyboardInterrupt), Calling(Odd(), "fit"):
        raise KeyboardInterrupt
    with pytest.raises(DataError, match=rf"{NAMED}, fit: No rows\."), Calling(Odd(), "fit"):
        raise DataError("No rows.")
    with pytest.raises(KeyError), Calling(Own(), "fit"):
        raise KeyError("a fault of barstack is seen whole")


def test_a_part_is_named_once_however_deep_it_lies() -> None:
    with pytest.raises(PluginError) as caught, Calling(Odd(), "predict"), Calling(Odd(), "fit"):
        raise ValueError("no")
    assert str(caught.value).count("'odd'") == 1


@pytest.mark.parametrize(
    "found",
    [
        np.zeros(3) + 1j,
        np.array(["1", "2", "3"]),
        [1.0, None, 2.0],
        [[1.0], [1.0, 2.0], [3.0]],
        np.zeros(4),
        np.zeros((3, 1)),
        np.zeros(3, "datetime64[us]"),
        None,
    ],
)
def test_only_real_numbers_of_the_shape_are_taken(found: object) -> None:
    with pytest.raises(PluginError, match=rf"{NAMED}: weights returns "):
        numbers(Odd(), "weights", found, (3,))


def test_numbers_of_any_real_kind_become_floats() -> None:
    for found in ([1, 2, 3], np.arange(3, dtype=np.float32), np.array([True, False, True])):
        assert numbers(Odd(), "weights", found, (3,)).dtype == np.float64


def test_probabilities_lie_between_0_and_1_and_sum_to_1() -> None:
    up, three = Target("direction", ("1h",)), Target("three_class", ("1h",))
    fine = np.full((2, 1, 3), 1 / 3)
    np.testing.assert_array_equal(forecasts(Odd(), "predict", fine, 2, three), fine)
    for values, target, said in (
        (np.full((2, 1, 1), 1.5), up, "from 1.5 to 1.5"),
        (np.full((2, 1, 1), np.nan), up, "finite"),
        (np.full((2, 1, 3), 0.5), three, "sum to 1"),
    ):
        with pytest.raises(PluginError, match=said):
            forecasts(Odd(), "predict", values, 2, target)


def test_the_name_of_a_class_and_of_its_instance_are_one() -> None:
    assert part_name(Odd) == part_name(Odd())
