"""Search spaces: every model accepts what its space holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from barstack.core.errors import ConfigError
from barstack.experiments._space import choices_of, is_range
from barstack.experiments._tune_search import with_settings
from barstack.models import MODELS, Model, search_space


def corners(values: Any) -> list[Any]:
    """The ends of a range, or all choices."""
    if not is_range(values):
        return [choice.value for choice in choices_of("", values)]
    return [values["low"], values["high"]]


def made(name: str) -> Model | None:
    try:
        return MODELS.get(name)()
    except ConfigError:  # it has settings without a default
        return None


@pytest.mark.parametrize("name", MODELS.names())
def test_a_model_takes_every_value_of_its_space(name: str) -> None:
    model = made(name)
    if model is None:
        return
    for setting, values in search_space(model).items():
        for value in corners(values):
            changed: Any = with_settings(model, {setting: value})
            for part in setting.split("."):
                changed = getattr(changed, part)
            assert changed == value
            assert type(changed) is type(value) or isinstance(changed, float)


@pytest.mark.parametrize("family", ["boosting", "neural"])
def test_families_that_need_tuning_have_a_space(family: str) -> None:
    models = [made(name) for name in MODELS.names() if MODELS.get(name).family == family]
    assert models
    assert all(model is not None and search_space(model) for model in models)


def test_a_plugin_declares_its_own() -> None:
    from barstack.models import Ridge  # noqa: PLC0415

    class Own(Ridge):
        search: ClassVar[Mapping[str, Any]] = {"penalty": [1.0, 2.0]}

    assert dict(search_space(Own())) == {"penalty": [1.0, 2.0]}
