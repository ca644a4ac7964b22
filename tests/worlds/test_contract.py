"""Every registered world keeps the promises of worlds."""

from __future__ import annotations

from barstack.testing import BoundCheck, parametrize_with_checks
from barstack.worlds import WORLDS, World


@parametrize_with_checks(
    WORLDS.parse({"world": kind, "bars": 5000, "horizons": [1, "1h"], "seed": 3})
    for kind in WORLDS.names()
)
def test_world(part: World, check: BoundCheck) -> None:
    check(part)


NOISE = {"seasonality": 1.0, "overnight": 0.4}


@parametrize_with_checks(
    WORLDS.parse({"world": "linear", "bars": 5000, "noise": NOISE} | clock)
    for clock in (
        {"calendar": "XNYS", "bar": "1h", "horizons": [1, "1d"]},
        {"calendar": "XNYS", "bar": "1d", "horizons": [1, "1w"], "start": "1980-01-01"},
        {"calendar": "CMES", "bar": "15min", "horizons": [1, "1d"]},
        {"calendar": "24/7", "bar": "1h", "horizons": [1, "1d"]},
        {"calendar": "24/7", "bar": "1w", "horizons": [1, 4], "start": "1970-01-01"},
    )
)
def test_calendars(part: World, check: BoundCheck) -> None:
    check(part)
