from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barstack.core.errors import ConfigError
from barstack.core.times import NEVER, format_duration, iso, parse_duration


@given(st.integers(1, 10_000), st.sampled_from(["s", "min", "h", "d", "w"]))
def test_durations_survive_their_text(count: int, unit: str) -> None:
    length = parse_duration(f"{count}{unit}")
    assert parse_duration(format_duration(length)) == length


@pytest.mark.parametrize(
    "text", ["", "4", "h", "-1h", "0h", "1.5h", "4hours", "4H", "1m", "None", "9999999999w"]
)
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is not a duration\. Write a whole number and a unit"):
        parse_duration(text)


def test_iso_of_never() -> None:
    assert iso(NEVER) == "never"
