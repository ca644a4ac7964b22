"""Meta-labels: sides by rule, against the feature and the base label put together by hand."""

from typing import Any

import numpy as np
import pytest

from barstack.core.errors import ConfigError, DataError
from barstack.features import Feature, FeatureSet
from barstack.labels import LABELS, TripleBarrier
from barstack.testing import walk

BARS = walk(600, missing=0.05)
RULE = {"feature": "rsi", "params": {"window": 10}, "above": 60, "below": 40}


def parse(**settings: Any) -> Any:
    return LABELS.parse({"label": "meta", "horizons": [4, "1d"], "side": RULE} | settings)


def sides() -> Any:
    rsi = Feature(feature="rsi", params={"window": 10})
    values = FeatureSet(features=(rsi,)).compute(BARS).values[:, 0]
    return np.select([values > 60, values < 40], [1, -1], 0)


def test_a_side_that_earns_more_than_it_costs_is_one() -> None:
    table = parse(cost_bps=15).compute(BARS)
    base = LABELS.parse({"label": "return", "horizons": [4, "1d"]}).compute(BARS)
    side = sides()[:, None]
    assert set(side.ravel()) == {-1, 0, 1}
    earned = np.where(side == 0, np.nan, side * base.returns)
    np.testing.assert_array_equal(table.returns, earned)
    known = ~np.isnan(earned)
    np.testing.assert_array_equal(table.values[known], earned[known] > 0.0015)
    np.testing.assert_array_equal(np.isnan(table.values), ~known)
    np.testing.assert_array_equal(table.known_at[known], base.known_at[known])
    np.testing.assert_array_equal(table.eligible, sides() != 0)


def test_against_takes_the_other_side() -> None:
    with_, against = (
        parse(side=RULE | {"against": against}).compute(BARS).returns for against in (False, True)
    )
    np.testing.assert_array_equal(with_, -against)


def test_a_short_side_has_the_barriers_of_a_short_holding() -> None:
    settings: dict[str, Any] = {"upper": 0.8, "lower": 0.4, "span": 20}
    table = parse(base={"label": "triple_barrier", **settings}).compute(BARS)
    base = TripleBarrier(horizons=(4, "1d"), **settings)
    for column, horizon in enumerate(base.horizons):
        long, short = base.outcome(BARS, horizon), base.outcome_short(BARS, horizon)
        for side, held in ((1, long), (-1, short)):
            rows = sides() == side
            np.testing.assert_array_equal(table.returns[rows, column], side * held.returns[rows])
            np.testing.assert_array_equal(table.known_at[rows, column], held.known_at[rows])
    assert not table.eligible[:20].any()


def test_the_base_label_shares_the_horizons() -> None:
    named, written = parse(base="return"), parse(base={"label": "return", "horizons": [4, "1d"]})
    assert named == written
    assert LABELS.parse(named.content()) == named


def test_a_rule_that_never_takes_a_side_is_refused() -> None:
    with pytest.raises(DataError, match=r"never takes a side on .*: rsi is not above 100.0"):
        parse(side={"feature": "rsi", "above": 100, "below": 0}).compute(BARS)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"base": "genetic_barriers"}, "genetic_barriers, is fitted. Choose return or"),
        ({"base": {"label": "meta", "side": RULE}}, "meta, is one of its own kind"),
        ({"base": {"label": "return", "horizons": [3]}}, "has horizons 3bars, not 4bars, 1d"),
        ({"base": "nothing"}, "Unknown label 'nothing'"),
        ({"side": {"feature": "rsi", "above": 1, "below": 2}}, "must not lie under below"),
        ({"side": {"feature": "rsj"}}, "Did you mean 'rsi'"),
        ({"side": {"feature": "beta"}}, "'beta' looks at other symbols, which a side cannot"),
        ({"side": None}, "meta.side"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(**wrong)
