"""`barstack models` as people and scripts meet it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conftest import Barstack

from barstack.models import MODELS

# What the architectures of the reference sweep have, within a tenth.
REFERENCE = {
    "lstm": 64_000,
    "gru": 64_000,
    "transformer": 65_000,
    "cnn_lstm": 76_000,
    "multitask_lstm": 65_000,
    "attention_lstm": 66_000,
    "mixture_of_experts": 193_000,
    "tft": 143_000,
}


def test_list(barstack: Barstack) -> None:
    rows: list[dict[str, Any]] = barstack("models", "list", "--json", code=0).json["models"]
    assert [row["name"] for row in rows] == MODELS.names()
    sizes = {row["name"]: row["parameters"] for row in rows}
    assert {name: sizes[name] for name in REFERENCE} == pytest.approx(REFERENCE, rel=0.1)
    assert sizes["ridge"] is None
    shown = barstack("models", "list", code=0).out
    assert f"{sizes['lstm']:,}" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_list_of_some(barstack: Barstack) -> None:
    found = barstack(
        "models", "list", "--family", "boosting", "--task", "direction", "--json", code=0
    ).json
    assert {row["family"] for row in found["models"]} == {"boosting"}
    assert "Did you mean 'neural'" in barstack("models", "list", "--family", "neurl", code=2).err
    assert "Known: " in barstack("models", "list", "--task", "levitation", code=2).err


@pytest.mark.parametrize("name", ["gru", "sklearn"])
def test_show(barstack: Barstack, name: str) -> None:
    facts = barstack("models", "show", name, "--json", code=0).json
    assert set(facts["settings"]) == set(MODELS.get(name).model_fields)
    shown = barstack("models", "show", name, code=0).out
    words = shown.split()
    for setting in facts["settings"]:
        assert setting in words
        assert set(facts["meanings"][setting].split()) <= set(words)
    assert max(map(len, shown.splitlines())) <= 80


def test_every_setting_says_what_it_means() -> None:
    """A comment beside the field would not reach who runs `barstack models show`."""
    ours = [MODELS.get(name) for name in MODELS.names()]
    silent = [
        f"{model.__name__}.{key}"
        for model in ours
        if model.__module__.startswith("barstack.")
        for key, info in model.model_fields.items()
        if not info.description
    ]
    assert silent == []


def test_choices_are_listed(barstack: Barstack) -> None:
    meanings = barstack("models", "show", "lstm", "--json", code=0).json["meanings"]
    assert meanings["schedule"].endswith("(constant, cosine, one_cycle)")


def test_show_of_another_size(barstack: Barstack) -> None:
    usual, wide = (
        barstack("models", "show", "lstm", "--features", n, "--json", code=0).json["parameters"]
        for n in ("52", "85")
    )
    assert wide - usual == (85 - 52) * 4 * 64
    assert "Did you mean 'lstm'" in barstack("models", "show", "lstmm", code=2).err
