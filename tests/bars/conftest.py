"""Fixtures that the tests of fetching share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.bars.vendor import Vendor, environment

PointAt = Callable[[Vendor], None]


@pytest.fixture
def point_at(monkeypatch: pytest.MonkeyPatch) -> PointAt:
    """Points every client at a vendor."""

    def point(vendor: Vendor) -> None:
        for name, value in environment(vendor).items():
            monkeypatch.setenv(name, value)

    return point


@pytest.fixture(scope="session")
def yahoo_forgets(tmp_path_factory: pytest.TempPathFactory) -> None:
    """yfinance keeps what it learns of symbols in a folder of these tests, not in the user's."""
    import yfinance  # noqa: PLC0415 (heavy, and only where it is used)

    yfinance.set_tz_cache_location(str(tmp_path_factory.mktemp("yfinance")))
