"""A horizon is one value however it is written."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barstack.core.errors import ConfigError
from barstack.core.horizon import Horizon
from barstack.core.spec import Spec
from barstack.experiments import Study

UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
EXAMPLES = Path(__file__).parents[2] / "examples"


class Plan(Spec):
    ahead: Horizon
    others: tuple[Horizon, ...] = ()


def plan(**fields: Any) -> Plan:
    return Plan(**fields)


@given(count=st.integers(1, 999_999), unit=st.sampled_from(sorted(UNITS)))
def test_durations_are_equal_where_their_lengths_are(count: int, unit: str) -> None:
    written, length_s = Horizon.parse(f"{count}{unit}"), count * UNITS[unit]
    assert written == Horizon("us", length_s * 1_000_000)
    assert hash(written) == hash(Horizon.parse(written.name))
    assert (written < Horizon.parse("1d")) == (length_s < UNITS["d"])


@pytest.mark.parametrize(
    ("written", "name", "content"),
    [
        (12, "12bars", 12),
        ("12", "12bars", 12),
        ("1bars", "1bars", 1),
        ("60min", "1h", "1h"),
        ("1 sessions", "1session", "1session"),
        ("2session", "2sessions", "2sessions"),
    ],
)
def test_name_and_content_read_back_as_the_same_horizon(
    written: str | int, name: str, content: str | int
) -> None:
    horizon = Horizon.parse(written)
    assert (horizon.name, str(horizon), horizon.content()) == (name, name, content)
    assert Horizon.parse(name) == Horizon.parse(content) == Horizon.parse(horizon) == horizon


def test_only_horizons_of_one_unit_are_ordered() -> None:
    names = ["4h", "30min", "1d"]
    assert [each.name for each in sorted(map(Horizon.parse, names))] == ["30min", "4h", "1d"]
    assert Horizon.parse("2sessions") > Horizon.parse("1session")
    with pytest.raises(TypeError):
        _ = Horizon.parse(1) < Horizon.parse("1h")
    assert Horizon.parse(1) != Horizon.parse("1session")


@pytest.mark.parametrize(
    "value", [0, -1, True, 1.5, None, [1], "0h", "0sessions", "0bars", "4 hours", "", "9" * 19]
)
def test_what_is_no_horizon_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError):
        Horizon.parse(value)


def test_a_spec_holds_horizons_and_is_identified_by_their_plain_form() -> None:
    one, other = (
        plan(ahead=4, others=["60min", "1session"]),
        plan(ahead="4bars", others=["1h", "1sessions"]),
    )
    assert one == other
    assert one.id == other.id
    assert one.content() == {"ahead": 4, "others": ["1h", "1session"]}
    assert json.loads(one.model_dump_json()) == one.content()
    with pytest.raises(
        ConfigError, match=r"plan\.others\.1: A horizon of 0 bars does not lie ahead"
    ):
        plan(ahead=4, others=["1h", 0])


@pytest.mark.parametrize(
    ("file", "label_id"),
    [
        ("aapl_daily_direction", "6283bc79136990c4"),
        ("aapl_spread_hourly", "3b2ad10d01b39e1c"),
        ("btc_direction_5min", "7b16029f14a41f25"),
        ("daily_88", "6510bddfa09f68ef"),
        ("es_three_class_5min", "442a54217c9660bd"),
        ("spy_aapl_nvda_30min", "2c4945bbe9e5c0ec"),
    ],
)
def test_ids_of_labels_stay_those_of_version_0_1(file: str, label_id: str) -> None:
    assert Study.from_yaml(EXAMPLES / f"{file}.yaml").label.id == label_id
