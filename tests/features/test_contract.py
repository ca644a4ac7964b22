"""Every registered feature, on its own bars and on a higher timeframe, with bars missing."""

from collections.abc import Callable

import pytest

from barstack.bars import Bars
from barstack.core.errors import ConfigError
from barstack.features import FEATURES, Feature
from barstack.testing import FEATURE_CHECKS, walk
from barstack.testing._features import check_marks_only_its_warmup

BARS = walk(1200, missing=0.03)


CASES = [
    pytest.param(name, timeframe, id=f"{name}@{timeframe}" if timeframe else name)
    for name in FEATURES.names()
    for timeframe in ((None,) if Feature(feature=name).needs_market else (None, "1d"))
]


@pytest.mark.parametrize("check", FEATURE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("name", "timeframe"), CASES)
def test_feature(name: str, check: Callable[[Feature, Bars], None], timeframe: str | None) -> None:
    check(Feature(feature=name, timeframe=timeframe), BARS)


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
