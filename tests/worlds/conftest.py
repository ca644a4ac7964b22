"""Worlds whose simulated figures cost little."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from barstack.worlds import _truth


@pytest.fixture(scope="package", autouse=True)
def _coarse_simulation() -> Iterator[None]:
    """Standard errors of 0.001, which the scores take into account."""
    patch = pytest.MonkeyPatch()
    patch.setattr(_truth, "_GOOD_ENOUGH", 1e-3)
    yield
    patch.undo()
    _truth._figures.cache_clear()
