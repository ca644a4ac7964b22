"""Text that moves a cursor or hides what it says is neither accepted nor shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barstack import Study
from barstack.core.errors import ConfigError
from barstack.core.text import forbidden_character, printable


@given(st.text())
def test_what_is_shown_is_harmless(text: str) -> None:
    shown = printable(text)
    assert forbidden_character(shown) is None
    assert (shown == text) == (forbidden_character(text) is None)
    shown.encode()  # also what no encoding can write


@pytest.mark.parametrize("text", ["", "SPY", "Zürich 日本 é", "a\nb\tc", "می\u200cخواهم"])
def test_ordinary_text_stays(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    "field",
    [
        {"title": "\x1b[2J"},
        {"bars": {"provider": "files", "path": "a\x07.csv"}},
        {"members": {"rid\u202ege": {"model": "ridge"}}},
        {"features": ["rsi", "bo\x00dy"]},
        {"seed": 2**63},
        {"cost_bps": 1e308},
        {"members": {"one": {"model": "ridge", "penalty": 1e-300}}},
        {"members": {"one": {"model": "ridge", "penalty": 10**40}}},
    ],
    ids=str,
)
def test_no_spec_holds_it(field: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        "bars": "sample",
        "label": {"label": "return", "horizons": [1]},
        "members": ["ridge"],
    }
    with pytest.raises(ConfigError) as refused:
        Study(**(given | field))
    assert forbidden_character(str(refused.value)) is None
