"""Ensembles of ensembles."""

from dataclasses import replace

import numpy as np
import pytest
from tests.online import Discounted

from barstack.core.errors import ConfigError
from barstack.ensembles import ENSEMBLES, FittedEnsemble, Layers
from barstack.testing import small_stacked

STACKED = small_stacked("return")
LATER = np.arange(400, 500)


def layers() -> Layers:
    """An online ensemble of two members, and an average of it and another member."""
    few = replace(
        STACKED.take(np.arange(400)),
        members=("fair", "poor"),
        forecasts=STACKED.forecasts[:400, [1, 2]],
    )
    online = FittedEnsemble.fit(Discounted(), few)
    both = replace(few, members=("good", "online"))
    average = FittedEnsemble.fit(ENSEMBLES.parse("average"), both)
    return Layers(STACKED.members, {"online": online, "top": average})


def test_each_layer_combines_what_it_names() -> None:
    found = layers().predict(STACKED.take(LATER))
    assert list(found) == ["online", "top"]
    weights = layers().fitted["online"].weight_matrix(STACKED.target)
    assert weights is not None
    lower = np.einsum("hm,nmhk->nhk", weights, STACKED.forecasts[LATER][:, [1, 2]])
    np.testing.assert_allclose(found["online"], lower)
    good = STACKED.forecasts[LATER][:, 0]
    np.testing.assert_allclose(found["top"], (good + lower) / 2, atol=1e-15)


def test_a_layer_learns_on_from_what_it_combined_at_the_decision() -> None:
    made, rows = layers(), STACKED.take(LATER)
    kept = made.with_ensembles(rows, made.predict(rows))
    assert kept.members == (*STACKED.members, "online")
    assert made.updates
    after = made.update(replace(kept, y=rows.y, known_at=rows.known_at))
    few = replace(rows, members=("fair", "poor"), forecasts=rows.forecasts[:, [1, 2]])
    alone = made.fitted["online"].update(few)
    for one, two in zip(after.fitted["online"].learned, alone.learned, strict=True):
        np.testing.assert_array_equal(one, two)
    assert after.fitted["top"] is made.fitted["top"]
    assert after.trained_through == alone.trained_through


def test_what_is_combined_comes_before() -> None:
    fitted = layers().fitted
    with pytest.raises(ConfigError, match="'top' combines 'online', which is no member"):
        Layers(STACKED.members, {"top": fitted["top"], "online": fitted["online"]})
    with pytest.raises(ConfigError, match="Two forecasters are called 'good'"):
        Layers(STACKED.members, {"good": fitted["online"]})
