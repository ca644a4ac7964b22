"""Every registered world keeps the promises of worlds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from barstack.testing import WORLD_CHECKS
from barstack.worlds import WORLDS, World


@pytest.mark.parametrize("check", WORLD_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", WORLDS.names())
def test_world(kind: str, check: Callable[[World], None]) -> None:
    check(WORLDS.parse({"world": kind, "bars": 5000, "horizons": [1, "1h"], "seed": 3}))


@pytest.mark.parametrize(
    "clock",
    [
        {"calendar": "XNYS", "bar": "1h", "horizons": [1, "1d"]},
        {"calendar": "XNYS", "bar": "1d", "horizons": [1, "1w"], "start": "1980-01-01"},
        {"calendar": "CMES", "bar": "15min", "horizons": [1, "1d"]},
        {"calendar": "24/7", "bar": "1h", "horizons": [1, "1d"]},
        {"calendar": "24/7", "bar": "1w", "horizons": [1, 4], "start": "1970-01-01"},
    ],
    ids=lambda clock: f"{clock['calendar']} {clock['bar']}",
)
@pytest.mark.parametrize("check", WORLD_CHECKS, ids=lambda check: check.__name__)
def test_calendars(clock: dict[str, object], check: Callable[[World], None]) -> None:
    noise = {"seasonality": 1.0, "overnight": 0.4}
    check(WORLDS.parse({"world": "linear", "bars": 5000, "noise": noise} | clock))
