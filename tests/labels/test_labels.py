"""Labels against plain pandas, and the contract for every registered one."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from barstack.bars import Bars
from barstack.core.errors import ConfigError, DataError
from barstack.labels import LABELS, Label
from barstack.testing import LABEL_CHECKS, walk

BARS = walk(400, missing=0.05)


@pytest.mark.parametrize("check", LABEL_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("horizons", [(1, 7), ("30min", "2h", "1d")], ids=str)
@pytest.mark.parametrize("name", LABELS.names())
def test_label(
    name: str, horizons: tuple[str | int, ...], check: Callable[[Label, Bars], None]
) -> None:
    check(LABELS.parse({"label": name, "horizons": horizons}), BARS)


def test_bars_ahead_is_a_shift() -> None:
    table = LABELS.parse({"label": "return", "horizons": [5]}).compute(BARS)
    close = pd.Series(BARS.close)
    np.testing.assert_allclose(table.values[:, 0], close.shift(-5) / close - 1)


def test_clock_ahead_is_the_first_close_that_late_or_later() -> None:
    table = LABELS.parse({"label": "return", "horizons": ["2h"]}).compute(BARS)
    closed_at = pd.Series(BARS.closed_at)
    for row in range(0, 380, 13):
        later = closed_at[closed_at >= closed_at[row] + pd.Timedelta("2h")]
        assert table.known_at[row, 0] == later.iloc[0]
        assert table.values[row, 0] == BARS.close[later.index[0]] / BARS.close[row] - 1


def test_classes_follow_the_return() -> None:
    returns = LABELS.parse({"label": "return", "horizons": [3]}).compute(BARS).values
    up = LABELS.parse({"label": "direction", "horizons": [3]}).compute(BARS).values
    spec = {"label": "three_class", "horizons": [3], "threshold_bps": 30.0}
    three = LABELS.parse(spec).compute(BARS).values
    known = ~np.isnan(returns)
    np.testing.assert_array_equal(up[known], returns[known] > 0)
    expected = np.select([returns > 0.003, returns < -0.003], [2.0, 0.0], 1.0)
    np.testing.assert_array_equal(three[known], expected[known])
    assert set(np.unique(three[known])) == {0.0, 1.0, 2.0}


def test_horizon_shorter_than_a_bar_is_refused() -> None:
    with pytest.raises(ConfigError, match="5min is shorter than a bar of WALK"):
        LABELS.parse({"label": "return", "horizons": ["5min"]}).compute(BARS)


def test_bars_too_few_for_the_horizon_are_refused() -> None:
    with pytest.raises(DataError, match="too short for horizon 500"):
        LABELS.parse({"label": "return", "horizons": [500]}).compute(BARS)


def test_horizon_behind_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not lie ahead"):
        LABELS.parse({"label": "return", "horizons": [0]})


@pytest.mark.parametrize("horizons", [[4, 4], ["60min", "1h"]])
def test_a_horizon_given_twice_is_refused(horizons: list[str | int]) -> None:
    with pytest.raises(ConfigError, match="would count its trials twice"):
        LABELS.parse({"label": "return", "horizons": horizons})


def test_truth_is_no_horizon() -> None:
    with pytest.raises(ConfigError, match="write durations or numbers of bars"):
        LABELS.parse({"label": "return", "horizons": [True]})
