"""Spaces of settings: order, conditions, draws, and what is refused."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from barstack.core.errors import ConfigError
from barstack.experiments._space import Space


def settings(space: Space) -> list[dict[str, Any]]:
    return [{path: each.value for path, each in point.settings.items()} for point in space.points()]


def test_a_grid_is_the_product_with_the_first_setting_slowest() -> None:
    axes: dict[str, list[Any]] = {"a": [1, 2], "b": ["x", "y", "z"], "c": [0.5]}
    expected = [dict(zip(axes, each, strict=True)) for each in product(*axes.values())]
    assert settings(Space(grid=axes)) == expected


def test_each_entry_of_a_list_meets_each_combination() -> None:
    space = Space(list=[{"a": 1, "b": 2}, {"a": 3}], grid={"c": [7, 8]})
    found = settings(space)
    assert found == [
        {"a": 1, "b": 2, "c": 7},
        {"a": 1, "b": 2, "c": 8},
        {"a": 3, "c": 7},
        {"a": 3, "c": 8},
    ]


def test_conditions_add_change_and_skip() -> None:
    space = Space(
        grid={"model": ["ridge", "lstm", "tcn"], "horizon": ["1h", "1d"]},
        when=[
            {"if": {"model": "ridge"}, "grid": {"model.penalty": [1, 10]}},
            {"if": {"model": ["lstm", "tcn"], "horizon": "1d"}, "skip": True},
            {"if": {"model": "lstm"}, "set": {"model.hidden": 8}, "priority": 3},
        ],
    )
    found = list(space.points())
    kept = [
        (point.settings["model"].value, point.settings["horizon"].value, point.priority)
        for point in found
    ]
    assert kept == [
        *([("ridge", "1h", 0)] * 2),
        *([("ridge", "1d", 0)] * 2),
        ("lstm", "1h", 3),
        ("tcn", "1h", 0),
    ]
    assert found[4].settings["model.hidden"].value == 8


def test_conditions_nest() -> None:
    inner = {"if": {"b": 1}, "grid": {"c": [1, 2, 3]}}
    space = Space(
        grid={"a": [0, 1]}, when=[{"if": {"a": 1}, "grid": {"b": [0, 1]}, "when": [inner]}]
    )
    assert settings(space) == [
        {"a": 0},
        {"a": 1, "b": 0},
        *({"a": 1, "b": 1, "c": each} for each in (1, 2, 3)),
    ]


def test_draws_repeat_and_lie_within_their_bounds() -> None:
    space = {
        "rate": {"low": 1e-4, "high": 1e-2, "log": True},
        "hidden": {"low": 16, "high": 64, "step": 16},
        "kind": ["a", "b"],
    }
    one, again = (settings(Space(random={"draws": 200, "space": space})) for _ in range(2))
    assert one == again
    assert settings(Space(random={"draws": 200, "seed": 1, "space": space})) != one
    assert all(1e-4 <= each["rate"] <= 1e-2 for each in one)
    # Of a logarithmic range half lies below the geometric mean.
    assert 70 < sum(each["rate"] < 1e-3 for each in one) < 130
    assert {each["hidden"] for each in one} == {16, 32, 48, 64}
    assert all(isinstance(each["hidden"], int) for each in one)


def test_a_further_setting_changes_no_draw_of_the_others() -> None:
    def drawn(names: list[str]) -> list[Any]:
        space = {name: {"low": 0, "high": 1} for name in names}
        return [each["b"] for each in settings(Space(random={"draws": 5, "space": space}))]

    assert drawn(["b"]) == drawn(["a", "b"]) == drawn(["b", "c"])


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        ({"grid": {"a": 3}}, "a: cannot read choices from 3. Write a list"),
        ({"grid": {"a": []}}, "cannot read choices from []"),
        ({"grid": {"a": [1, 1]}}, "a: 1 stands there twice"),
        ({"gird": {"a": [1]}}, "Unknown key space.gird. Did you mean 'grid'?"),
        ({"random": {"space": {"a": {"low": 2, "high": 1}}}}, "low lies below high"),
        ({"random": {"space": {"a": {"low": 0, "high": 1, "log": True}}}}, "with log both are"),
        ({"random": {"space": {"a": {"low": 0, "high": 1, "lgo": 1}}}}, "and no lgo"),
        ({"when": [{"skip": True}]}, "Say where it holds: if: {SETTING: VALUE}"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(space: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Space(**space)
    assert sentence in str(caught.value)


def test_a_condition_on_what_nothing_sets_is_refused() -> None:
    space = Space(grid={"model": ["ridge"]}, when=[{"if": {"modle": "ridge"}, "skip": True}])
    with pytest.raises(ConfigError, match=r"condition on 'modle'.*Did you mean 'model'"):
        list(space.points())


def test_too_many_points_are_refused_at_once() -> None:
    axes = {name: list(range(100)) for name in "abcd"}
    with pytest.raises(ConfigError, match="100,000,000 combinations"):
        next(Space(grid=axes).points())
