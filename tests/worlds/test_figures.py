"""Simulated figures of short worlds: right, and found with bounded work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from barstack.worlds import WORLDS, World, _figures
from barstack.worlds._candles import Parts


@pytest.mark.parametrize("kind", ["lead_lag", "decaying"])
def test_rounds_are_as_good_as_worlds_apart(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nights fall at other bars in each of the few sessions, and `decaying` fades from the first.

    So figures of rounds that were cut in the wrong places would differ.
    """
    fields = {"world": kind, "bars": 150, "noise": "market", "horizons": [3, "1d"], "r2": 0.1}
    world = WORLDS.parse(fields | ({"half_life_bars": 60} if kind == "decaying" else {}))
    in_rounds = [accuracy for _, accuracy, _ in _figures.figures_of(world)]
    monkeypatch.setattr(_figures, "_LONG_ENOUGH", 0)
    monkeypatch.setattr(_figures, "_MOST_BARS", 300_000)
    _figures._figures.cache_clear()
    apart = [accuracy for _, accuracy, _ in _figures.figures_of(world)]
    _figures._figures.cache_clear()
    for one, other in zip(in_rounds, apart, strict=True):
        assert one.how == other.how == "simulated"
        assert one.value != other.value
        assert abs(one.value - other.value) < 3.5 * np.hypot(one.se, other.se)


def test_few_bars_take_few_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beginning a world takes far longer than three more bars of it."""
    begun = 0
    parts_of = World.parts_of

    def counted(*arguments: Any) -> Parts:
        nonlocal begun
        begun += 1
        return parts_of(*arguments)

    monkeypatch.setattr(_figures, "_MOST_BARS", 2_000_000)
    monkeypatch.setattr(World, "parts_of", counted)
    world = WORLDS.parse({"world": "linear", "bars": 3, "noise": "market", "seed": 3})
    figures = _figures.figures_of(world)
    assert begun <= 200
    assert all(accuracy.se < 0.005 for _, accuracy, _ in figures)
