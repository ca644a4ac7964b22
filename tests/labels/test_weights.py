"""Sample weights: by hand, and against counting holdings one bar at a time."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barstack.core.errors import ConfigError, DataError
from barstack.labels import LABELS, LabelTable, SampleWeights, TripleBarrier, uniqueness
from barstack.labels._weights import attributed_return
from barstack.testing import walk


def table(horizons: list[Any], n_bars: int = 60, symbols: str = "A") -> LabelTable:
    panel = {
        name: walk(n_bars, seed=seed, symbol=name, missing=0.1) for seed, name in enumerate(symbols)
    }
    return LABELS.parse({"label": "return", "horizons": horizons, "max_gap": "9d"}).compute(panel)


def slow_uniqueness(labels: LabelTable, rows: Any) -> list[float]:
    """For every bar of every holding, count the holdings of that symbol that are open in it."""
    decisions = labels.decisions
    spans = []
    for row in rows:
        begin, end = decisions.decided_at[row], labels.known_at[row].max()
        own = decisions.decided_at[decisions.symbol_code == decisions.symbol_code[row]]
        bars = [(decisions.symbol[row], time) for time in own if begin < time <= end]
        spans.append(bars)
    parts = []
    for span in spans:
        shared = [1 / sum(bar in other for other in spans) for bar in span]
        parts.append(sum(shared) / len(shared))
    return parts


def slow_attribution(labels: LabelTable, rows: Any) -> list[float]:
    """Snippet 4.10 of the book: each bar's log return in equal parts to the holdings open in it."""
    assert labels.close is not None
    decisions, spans = labels.decisions, []
    for row in rows:
        begin, end = decisions.decided_at[row], labels.known_at[row].max()
        own = decisions.symbol_code == decisions.symbol_code[row]
        inside = own & (decisions.decided_at > begin) & (decisions.decided_at <= end)
        spans.append(set(np.flatnonzero(inside).tolist()))
    log_close = np.log(labels.close)
    return [
        sum(
            (log_close[bar] - log_close[bar - 1]) / sum(bar in other for other in spans)
            for bar in span
        )
        for span in spans
    ]


def test_by_hand() -> None:
    """Holdings of two bars: the first two share one bar, the third has both for itself."""
    labels = table([2])
    rows = np.array([0, 1, 10])
    unique = uniqueness(labels, rows)
    np.testing.assert_allclose(unique, [0.75, 0.75, 1.0])
    np.testing.assert_allclose(
        SampleWeights(by="uniqueness").compute(labels, rows), unique / unique.mean()
    )
    assert labels.close is not None
    moves = np.diff(np.log(labels.close))  # of bars 1, 2, 3 ...
    own = np.abs([moves[0] + moves[1] / 2, moves[1] / 2 + moves[2], moves[10] + moves[11]])
    np.testing.assert_allclose(SampleWeights(by="return").compute(labels, rows), own / own.mean())
    # Gathered uniqueness is 0.75, 1.5 and 2.5: of the way to the newest 0, 3/7 and 1.
    fading = np.array([0.3, 0.3 + 0.7 * 3 / 7, 1.0])
    np.testing.assert_allclose(
        SampleWeights(oldest=0.3).compute(labels, rows), fading / fading.mean()
    )


def test_of_several_horizons_the_longest_counts() -> None:
    labels, rows = table([7, 2]), np.arange(20)
    own = np.abs(slow_attribution(labels, rows))
    np.testing.assert_allclose(SampleWeights(by="return").compute(labels, rows), own / own.mean())


def test_uniform_is_ones() -> None:
    np.testing.assert_array_equal(SampleWeights().compute(table([2]), np.arange(20)), 1.0)
    assert len(SampleWeights(by="uniqueness").compute(table([2]), np.arange(0))) == 0


@given(
    st.lists(st.integers(0, 149), min_size=1, unique=True),
    st.sampled_from([[1], [4], ["3h"], ["1session", 2], [7, "1d"]]),
)
@settings(max_examples=30, deadline=None)
def test_uniqueness_is_that_of_counting(rows: list[int], horizons: list[Any]) -> None:
    labels = table(horizons, symbols="ABC")
    chosen = np.array([row for row in rows if not np.isnat(labels.all_known_at[row])], np.int64)
    expected = slow_uniqueness(labels, chosen)
    np.testing.assert_allclose(uniqueness(labels, chosen), expected, rtol=1e-9)
    expected = slow_attribution(labels, chosen)
    np.testing.assert_allclose(attributed_return(labels, chosen), expected, rtol=1e-9, atol=1e-12)


def test_a_holding_alone_is_attributed_its_whole_return() -> None:
    labels = table([5], symbols="AB")
    own = attributed_return(labels, np.array([3]))
    np.testing.assert_allclose(own, np.log1p(labels.returns[[3], 0]))


def test_labels_without_closes_say_what_is_missing() -> None:
    labels = replace(table([2]), close=None)
    with pytest.raises(ConfigError, match="weigh by uniqueness"):
        SampleWeights(by="return").compute(labels, np.arange(9))


def test_holdings_of_uneven_length() -> None:
    bars = walk(300)
    labels = TripleBarrier(horizons=(20,), span=10).compute(bars)
    rows = np.flatnonzero(~np.isnat(labels.all_known_at))[::3]
    np.testing.assert_allclose(uniqueness(labels, rows), slow_uniqueness(labels, rows), rtol=1e-9)


@pytest.mark.parametrize("by", ["uniform", "uniqueness", "return"])
@pytest.mark.parametrize("oldest", [0.0, 0.4, 1.0])
def test_weights_have_mean_one_and_follow_their_rows(by: Any, oldest: float) -> None:
    labels = table([5], symbols="AB")
    rows = np.flatnonzero(~np.isnat(labels.all_known_at))
    weights = SampleWeights(by=by, oldest=oldest).compute(labels, rows)
    assert (weights >= 0).all()
    assert weights.mean() == pytest.approx(1.0)
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = SampleWeights(by=by, oldest=oldest).compute(labels, rows[order])
    np.testing.assert_allclose(shuffled, weights[order], rtol=1e-9)


def test_the_oldest_weighs_what_was_asked() -> None:
    labels = table([5], symbols="AB")
    rows = np.flatnonzero(~np.isnat(labels.all_known_at))
    weights = SampleWeights(oldest=0.25).compute(labels, rows)
    times = labels.decisions.decided_at[rows]
    assert weights[times.argmin()] / weights[times.argmax()] == pytest.approx(0.25)
    assert (np.diff(weights[np.argsort(times, kind="stable")]) >= -1e-12).all()


def test_only_the_rows_themselves_matter() -> None:
    """Holdings outside the training rows take nothing away."""
    labels = table([5], n_bars=200)
    rows = np.arange(20, 60)
    rest = np.ones(200, bool)[: len(labels.decisions)]
    rest[rows] = False
    other = LabelTable(**(vars(labels) | {"known_at": labels.known_at.copy()}))
    other.known_at[rest] = np.datetime64("NaT")
    for weights in (SampleWeights(by="uniqueness"), SampleWeights(by="return", oldest=0.5)):
        np.testing.assert_array_equal(weights.compute(labels, rows), weights.compute(other, rows))


def test_a_row_that_is_not_known_is_refused() -> None:
    labels = table([5])
    with pytest.raises(DataError, match=r"label of A decided at .* is not known"):
        SampleWeights(by="uniqueness").compute(labels, np.arange(len(labels.decisions)))
