"""Simulated figures of short worlds: right, and found with bounded work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from barstack.worlds import WORLDS, World, _truth
from barstack.worlds._candles import Components


@pytest.mark.parametrize("kind", ["lead_lag", "decaying"])
def test_rounds_are_as_good_as_separate_worlds(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nights fall at other bars in each of the few sessions, and `decaying` fades from the first.

    So figures of rounds that were cut in the wrong places would differ.
    """
    fields = {"world": kind, "bars": 150, "noise": "market", "horizons": [3, "1d"], "r2": 0.1}
    world = WORLDS.parse(fields | ({"half_life_bars": 60} if kind == "decaying" else {}))
    in_rounds = [accuracy for _, accuracy, _ in _truth.figures_of(world)]
    monkeypatch.setattr(_truth, "_LONG_ENOUGH", 0)
    monkeypatch.setattr(_truth, "_MOST_BARS", 300_000)
    _truth._figures.cache_clear()
    separate = [accuracy for _, accuracy, _ in _truth.figures_of(world)]
    _truth._figures.cache_clear()
    for one, other in zip(in_rounds, separate, strict=True):
        assert one.how == other.how == "simulated"
        assert one.value != other.value
        assert abs(one.value - other.value) < 3.5 * np.hypot(one.se, other.se)


def test_few_bars_take_few_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beginning a world takes far longer than three more bars of it."""
    begun = 0
    components_of = World.components_of

    def counted(*arguments: Any) -> Components:
        nonlocal begun
        begun += 1
        return components_of(*arguments)

    monkeypatch.setattr(_truth, "_MOST_BARS", 2_000_000)
    monkeypatch.setattr(World, "components_of", counted)
    world = WORLDS.parse({"world": "linear", "bars": 3, "noise": "market", "seed": 3})
    figures = _truth.figures_of(world)
    assert begun <= 200
    assert all(accuracy.se < 0.005 for _, accuracy, _ in figures)
