"""The format of bars: what a provider says of it, and its form in manifests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.bars.filled import filled_table

from barstack.bars import PROVIDERS, BarFormat
from barstack.core.errors import ConfigError
from barstack.testing import walk

JSON = {
    "length_us": 300_000_000, "symbols": ["A", "B"], "calendar": "XNYS", "hours": "regular",
    "stamp": "close", "timezone": "UTC", "bar": "5min", "day_zone": None, "resample": None,
    "history_bars": 300, "began_at": {"A": "2026-01-05T14:30:00"},
}  # fmt: skip


def test_json_form_is_the_manifests() -> None:
    bar_format = BarFormat.from_json(json.loads(json.dumps(JSON)))
    assert json.dumps(bar_format.to_json()) == json.dumps(JSON)
    assert BarFormat.from_json(bar_format.to_json() | {"later": 1}) == bar_format


def test_entries_that_older_manifests_lack_stay_unknown() -> None:
    older = {name: JSON[name] for name in JSON if name not in ("history_bars", "began_at")}
    bar_format = BarFormat.from_json(older)
    assert bar_format.history_bars is None
    assert not bar_format.began_at
    assert bar_format.to_json() == older


def test_settings_are_those_of_a_provider() -> None:
    settings = BarFormat.from_json(JSON).settings()
    provider = PROVIDERS.parse({"provider": "files", "path": "any.csv"} | settings)
    assert provider.bar_format(Path()).settings() == settings


def test_unknown_calendars_and_zones_are_refused() -> None:
    BarFormat.from_json(JSON).check()
    for name, value in (("calendar", "XNOWHERE"), ("timezone", "Mars"), ("day_zone", "Moon")):
        with pytest.raises(ConfigError, match=value):
            BarFormat.from_json(JSON | {name: value}).check()


def test_a_table_is_read_as_the_format_says() -> None:
    table = filled_table("XNYS", days=3, minutes=30)
    bars = BarFormat(calendar="XNYS", bar="30min").read(table, "A")
    assert (bars.calendar, bars.length_us) == ("XNYS", 1_800_000_000)
    one = BarFormat(calendar="XNYS").read(table[:1], "A", length_us=1_800_000_000)
    assert (one.records == bars.records[:1]).all()


def test_loaded_bars_show_length_symbols_and_beginnings() -> None:
    bars = walk(bars=30)
    found = BarFormat().of({bars.symbol: bars})
    assert (found.length_us, found.symbols) == (bars.length_us, (bars.symbol,))
    assert found.began_at == {bars.symbol: str(bars.opened_at[0])}
