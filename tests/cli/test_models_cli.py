"""`barstack models` as people and scripts meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

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


def barstack(*arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "barstack", "models", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "80"},
    )
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


def test_list() -> None:
    rows: list[dict[str, Any]] = json.loads(barstack("list", "--json"))["models"]
    assert [row["name"] for row in rows] == MODELS.names()
    sizes = {row["name"]: row["parameters"] for row in rows}
    assert {name: sizes[name] for name in REFERENCE} == pytest.approx(REFERENCE, rel=0.1)
    assert sizes["ridge"] is None
    shown = barstack("list")
    assert f"{sizes['lstm']:,}" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_list_of_some() -> None:
    found = json.loads(barstack("list", "--family", "boosting", "--task", "direction", "--json"))
    assert {row["family"] for row in found["models"]} == {"boosting"}
    assert "Did you mean 'neural'" in barstack("list", "--family", "neurl", code=2)
    assert "Known: " in barstack("list", "--task", "levitation", code=2)


@pytest.mark.parametrize("name", ["gru", "sklearn"])
def test_show(name: str) -> None:
    facts = json.loads(barstack("show", name, "--json"))
    assert set(facts["settings"]) == set(MODELS.get(name).model_fields)
    shown = barstack("show", name)
    assert all(setting in shown for setting in facts["settings"])
    assert max(map(len, shown.splitlines())) <= 80


def test_show_of_another_size() -> None:
    usual, wide = (
        json.loads(barstack("show", "lstm", "--features", n, "--json"))["parameters"]
        for n in ("52", "85")
    )
    assert wide - usual == (85 - 52) * 4 * 64
    assert "Did you mean 'lstm'" in barstack("show", "lstmm", code=2)
