"""Each difference between two runs is attributed to the link of the path that was changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from barstack.bars import Bars
from barstack.simulation import Simulation, Targets, explain_difference, simulate_targets
from barstack.testing import walk

BARS = walk(bars=120)
ROWS = np.arange(10, 110, 10)
SIDES = np.tile([1.0, -1.0], 5)


def run(
    bars: Bars = BARS, position: Any = SIDES, settings: dict[str, Any] | None = None
) -> Simulation:
    given = {"unit": "units"} | (settings or {})
    return simulate_targets(bars, Targets.of("WALK", bars.closed_at[ROWS], position), given)


def test_the_same_has_no_difference() -> None:
    assert explain_difference(run(), run()).found == ()


@pytest.mark.parametrize(
    ("settings", "cause"),
    [
        ({"limits": {"max_order": 0.001}}, "risk"),
        ({"costs": {"commission_bps": 1}}, "costs"),
        ({"costs": {"latency_ms": 4e6}}, "latency"),
        ({"limits": {"collar": 1e-9}}, "risk"),
    ],
)
def test_settings(settings: dict[str, Any], cause: str) -> None:
    found = explain_difference(run(), run(settings=settings))
    assert found.found[0].cause == cause
    assert cause in str(found)


def test_another_decision_is_the_forecasts() -> None:
    changed = SIDES.copy()
    changed[4] = 0.5
    found = explain_difference(run(), run(position=changed))
    assert found.found[0].cause == "forecast"
    assert found.found[0].at == int(BARS.closed_at[ROWS[4]].astype(np.int64))


def test_other_bars_explain_what_follows() -> None:
    records = BARS.records.copy()
    for name in ("open", "high", "low", "close"):
        records[name][50:] *= 1.01
    found = explain_difference(run(), run(Bars("WALK", BARS.length_us, records)))
    assert found.found[0].cause == "bars"
    assert set(found.counts) == {"bars"}
    assert found.found[0].at == int(BARS.closed_at[50].astype(np.int64))
