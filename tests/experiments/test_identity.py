"""What is the same configuration, and what is another one."""

from __future__ import annotations

from typing import Any

import pytest

from barstack.experiments import Study

STUDY: dict[str, Any] = {
    "bars": {"provider": "sample", "resample": "60min"},
    "features": ["rsi", {"feature": "body", "timeframe": "1d"}],
    "label": {"label": "return", "horizons": ["1h"]},
    "split": {"split": "walk_forward", "embargo": "1d"},
    "max_gap": "5d",
    "members": ["ridge"],
    "series": {"macro": {"path": "macro.csv", "columns": ["rate"], "max_age": "1w"}},
}


@pytest.mark.parametrize(
    "written",
    [
        {"label": {"label": "return", "horizons": ["60min"]}},
        {"bars": {"provider": "sample", "resample": "1h"}},
        {"features": ["rsi", {"feature": "body", "timeframe": "24h"}]},
        {"split": {"split": "walk_forward", "embargo": "24h"}},
        {"max_gap": "120h"},
        {"series": {"macro": {"path": "macro.csv", "columns": ["rate"], "max_age": "7d"}}},
        {"features": [{"feature": "rsi", "params": {"window": 14}}, STUDY["features"][1]]},
        {"title": "another"},
    ],
    ids=lambda written: next(iter(written)),
)
def test_the_same_study_written_otherwise_is_the_same(written: dict[str, Any]) -> None:
    assert Study(**(STUDY | written)).id == Study(**STUDY).id
