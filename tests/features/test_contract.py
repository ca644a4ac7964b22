"""Every registered feature, on its own bars and on a higher timeframe, with bars missing."""

import pytest

from barstack.core.errors import ConfigError
from barstack.features import FEATURES, Feature
from barstack.testing import BoundCheck, parametrize_with_checks, walk
from barstack.testing._features import check_marks_only_its_warmup

BARS = walk(1200, missing=0.03)


CASES = [
    Feature(feature=name, timeframe=timeframe)
    for name in FEATURES.names()
    for timeframe in ((None,) if Feature(feature=name).needs_market else (None, "1d"))
]


@parametrize_with_checks(CASES)
def test_feature(part: Feature, check: BoundCheck) -> None:
    check(part)


@pytest.mark.parametrize("name", FEATURES.names())
def test_the_smallest_parameters_work(name: str) -> None:
    """Every whole parameter at its least, one at a time: warm-up exact, no NaN after it."""
    kernel = FEATURES.get(name)
    for parameter, usual in kernel.params.items():
        if isinstance(usual, int):
            feature = Feature(feature=name, params={parameter: kernel.least})
            check_marks_only_its_warmup(feature, BARS)
            with pytest.raises(ConfigError, match=f"whole number of at least {kernel.least}"):
                Feature(feature=name, params={parameter: kernel.least - 1})
