"""What every detector of regimes holds to: no later bar changes a word, and no bar breaks it."""

from __future__ import annotations

import numpy as np
import pytest
from tests.models.regimes.detectors import NAMES, detected, detector_of
from tests.models.regimes.simulated import market, priced

from barstack.core.errors import ArtifactError, ConfigError
from barstack.core.forecast import REGIMES
from barstack.datasets import Dataset, Inputs
from barstack.labels import regime_labels
from barstack.models import (
    DetectedRegimes,
    OneRow,
    RegimeHMM,
    RegimeRules,
    Ridge,
    detect_regime,
    train,
)
from barstack.models.regimes._segments import stretches
from barstack.testing import regime_dataset, small_dataset, training_rows, walk

with_each = pytest.mark.parametrize("name", NAMES)


@with_each
def test_no_later_bar_changes_what_was_said(name: str) -> None:
    """To the bit, from the bars on, wherever they end."""
    detector, (bars, _) = detector_of(name), market(bars=3_000)
    found, table, rows = detected(detector, bars)
    whole = found.probabilities(table, rows)
    for end in (1_800, 2_201, 2_999):
        earlier = detector.feature_set.compute(bars[:end])
        known = rows[rows < end]
        assert len(known) > 100
        np.testing.assert_array_equal(found.probabilities(earlier, known), whole[: len(known)])


@with_each
def test_a_row_by_itself_is_as_in_a_batch(name: str) -> None:
    """To the bit, also from a stream's rows, of which there may be more than it looks back."""
    found, table, rows = detected(detector_of(name), market(bars=2_000)[0])
    whole, one = found.probabilities(table, rows), OneRow.fast(found.fitted)
    lookback = found.detector.lookback_bars
    for place, row in enumerate(rows[:60]):
        for extra in (0, 7):
            own = table.values[row - lookback + 1 - extra : row + 1]
            np.testing.assert_array_equal(one.predict(own)[0], whole[place])


@with_each
def test_it_knows_its_own_regimes(name: str) -> None:
    """Beyond training, each state of the market is held for what it is more than another is."""
    bars, state = market(seed=1)
    found, table, rows = detected(detector_of(name), bars)
    chance, true = found.probabilities(table, rows), state[rows]
    for place, regime in enumerate(("bull_trend", "bear_trend", "high_volatility")):
        own = chance[:, REGIMES.index(regime)]
        assert own[true == place].mean() > own[true != place].mean() + 0.2, regime


@with_each
def test_states_are_what_the_named_regimes_come_from(name: str) -> None:
    found, table, rows = detected(detector_of(name), market(bars=3_000)[0])
    states, chance = found.states(table, rows), found.probabilities(table, rows)
    np.testing.assert_allclose(states.sum(axis=1), 1.0, atol=1e-12)
    # In the order of REGIMES, whichever the fit found first.
    assert found.state_names == tuple(each for each in REGIMES if each in found.state_names)
    assert len(found.state_names) == states.shape[1]
    for place, regime in enumerate(found.state_names):
        np.testing.assert_array_equal(chance[:, REGIMES.index(regime)], states[:, place])
    others = [each for each in REGIMES if each not in found.state_names]
    assert not chance[:, [REGIMES.index(each) for each in others]].any()


@with_each
@pytest.mark.parametrize("trained_flat", [True, False])
def test_prices_that_stand_still_give_probabilities(name: str, trained_flat: bool) -> None:
    detector, bars = detector_of(name), walk(1_500)
    still = priced(bars, np.full((1_500, 2), 100.0))
    found, table, rows = detected(detector, still if trained_flat else bars)
    for asked in (still, bars):
        chance = found.probabilities(detector.feature_set.compute(asked), rows)
        assert np.isfinite(chance).all()
        np.testing.assert_allclose(chance.sum(axis=1), 1.0, atol=1e-12)
    assert len(found.states(table, rows))


@with_each
def test_wild_features_give_probabilities(name: str) -> None:
    """A million deviations away, either way, for the whole window and one row of it."""
    found, table, _ = detected(detector_of(name), market(bars=2_000)[0])
    lookback = found.detector.lookback_bars
    rows = np.array([lookback - 1])
    for size in (1e-12, 1e3, 1e6):
        for sign in (-1.0, 1.0):
            values = np.full((lookback, table.values.shape[1]), sign * size)
            inputs = Inputs(values, rows, found.fitted.scaler, rows + 1)
            states = found.detector.states(found.fitted.learned, inputs)
            assert np.isfinite(states).all()
            assert abs(states.sum() - 1.0) < 1e-12


@with_each
def test_the_regime_of_the_newest_row(name: str) -> None:
    found, table, rows = detected(detector_of(name), market(bars=1_500)[0])
    regime, confidence = found.detect_regime(table)
    chance = found.probabilities(table, rows[-1:])[0]
    assert (regime, confidence) == (REGIMES[chance.argmax()], chance.max())
    assert detect_regime(found.fitted, table) == (regime, confidence)


def test_a_model_that_detects_nothing_is_refused() -> None:
    dataset = small_dataset("return")
    fitted = train(Ridge(), dataset, training_rows(dataset), seed=0)
    with pytest.raises(ConfigError, match="A Ridge detects no regimes"):
        DetectedRegimes(fitted)


def test_other_columns_are_refused() -> None:
    table = small_dataset("return").features
    dataset = Dataset(table, regime_labels(table.decisions))
    with pytest.raises(ArtifactError, match="trained on 3 features is given 5"):
        train(RegimeRules(), dataset, np.arange(300, 500), seed=0)


def test_a_gap_ends_what_is_learned_and_said() -> None:
    """No window of training reaches over a gap, and each side of it is a stretch of its own."""
    detector = RegimeHMM(lookback=20)
    dataset = regime_dataset(detector, bars=400)
    rows = training_rows(dataset, 1.0)
    kept = dataset.with_history(rows, 20)
    hole = kept[(kept < 150) | (kept > 200)]
    samples = dataset.samples(hole, dataset.fit_scaler(hole), np.ones(1))
    table, begins = stretches(samples, 20)
    # Windows after the hole begin within it, at the first row that the row after it looks back to.
    first = int(dataset.usable.argmax())
    spans = [(first, 150), (182, 400), (400 + first, 800)]
    np.testing.assert_array_equal(np.diff(begins), [end - begin for begin, end in spans])
    np.testing.assert_array_equal(
        table, np.concatenate([dataset.features.values[begin:end] for begin, end in spans])
    )
