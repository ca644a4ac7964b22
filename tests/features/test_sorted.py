"""Sorted windows and treaps against `sorted`, over values chosen to be awkward."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barstack.features.pieces import sorted as pieces
from barstack.features.pieces import treap

# Ties, one-way runs, repeats, jumps.
RUNS = st.lists(
    st.tuples(st.sampled_from([-1.0, 0.0, 1.0, 7.0]), st.integers(1, 60)), min_size=1, max_size=12
)
WINDOWS = st.integers(1, 40)


def values_of(runs: list[tuple[float, int]]) -> npt.NDArray[np.float64]:
    return np.cumsum([step for step, length in runs for _ in range(length)])


def check_sorted(values: npt.NDArray[np.float64], window: int) -> None:
    state = np.zeros(pieces.sorted_memory(window))
    last: deque[float] = deque(maxlen=window)
    for x in values:
        last.append(x)
        assert pieces.sort_in(state, x, window) == (len(last) == window)
        if len(last) < window:
            continue
        expected = sorted(last)
        for n in {0, window // 3, window // 2, window - 1}:
            assert pieces.nth(state, n, window) == expected[n]
        for share in (0.0, 0.1, 0.5, 1.0):
            got = pieces.quantile(state, share, window)
            assert got == pytest.approx(np.quantile(expected, share), abs=1e-12)


def check_treap(values: npt.NDArray[np.float64], window: int) -> None:
    state = np.zeros(treap.treap_memory(window))
    last: deque[float] = deque(maxlen=window)
    for x in values:
        last.append(x)
        assert treap.treap_replace(state, x, window) == (len(last) == window)
        expected = sorted(last)
        for n in {0, len(last) // 3, len(last) - 1}:
            assert treap.treap_select(state, n) == expected[n]
        for limit in (x, x - 0.5, x + 1.0):
            assert treap.treap_count_at_most(state, limit) == sum(v <= limit for v in last)


def check_rank(values: npt.NDArray[np.float64], window: int) -> None:
    state = np.zeros(pieces.rank_memory(window))
    for row, x in enumerate(values):
        got = pieces.rolling_rank(state, x, window)
        last = values[max(0, row - window + 1) : row + 1]
        if len(last) < window:
            assert math.isnan(got)
        elif window > 1:
            others = (last < x).sum() + 0.5 * ((last == x).sum() - 1)
            assert got == pytest.approx(others / (window - 1))


@given(RUNS, WINDOWS)
@settings(max_examples=40, deadline=None)
def test_array(runs: list[tuple[float, int]], window: int) -> None:
    check_sorted(values_of(runs), window)
    check_rank(values_of(runs), window)


@given(RUNS, WINDOWS)
@settings(max_examples=40, deadline=None)
def test_treap(runs: list[tuple[float, int]], window: int) -> None:
    check_treap(values_of(runs), window)


@pytest.mark.parametrize("window", [1, 2, 3, 64, 333, 1000])
def test_long_windows(window: int) -> None:
    rng = np.random.default_rng(window)
    run = np.repeat(rng.integers(-3, 4, 60), 40).cumsum() + rng.integers(0, 2, 2400)
    for values in (run.astype(float), np.arange(2400.0), -np.arange(2400.0), np.zeros(2400)):
        check_treap(values[:: 1 if window > 100 else 4], window)
        check_sorted(values[:: 1 if window > 100 else 4], window)


def test_windows_beyond_the_array_are_treaps() -> None:
    window = pieces.LONGEST_ARRAY + 1
    values = np.random.default_rng(0).integers(0, 500, window + 300).astype(float)
    state, ranks = (np.zeros(size(window)) for size in (pieces.sorted_memory, pieces.rank_memory))
    for row, x in enumerate(values):
        full = pieces.sort_in(state, x, window)
        rank = pieces.rolling_rank(ranks, x, window)
        assert full == (row >= window - 1) == (not math.isnan(rank))
        if full and row % 50 == 0:
            last = values[row - window + 1 : row + 1]
            assert pieces.quantile(state, 0.3, window) == pytest.approx(np.quantile(last, 0.3))
            others = (last < x).sum() + 0.5 * ((last == x).sum() - 1)
            assert rank == pytest.approx(others / (window - 1))


@pytest.mark.parametrize("window", [10, 100, 1000, 5000])
def test_a_treap_stays_shallow(window: int) -> None:
    """Also where values come in order, which makes a plain search tree a list."""
    rng = np.random.default_rng(0)
    for values in (np.arange(2.0 * window), -np.arange(2.0 * window), rng.normal(size=2 * window)):
        state = np.zeros(treap.treap_memory(window))
        deepest = 0
        for row, x in enumerate(values):
            treap.treap_replace(state, x, window)
            if row >= window and row % (window // 5) == 0:
                deepest = max(deepest, _depth(state))
        assert deepest <= 3.5 * math.log2(window) + 2


def _depth(state: npt.NDArray[np.float64]) -> int:
    nodes, level = state[3:].reshape(-1, 4), [int(state[2])]
    depth = 0
    while level:
        depth += 1
        level = [int(child) for node in level for child in nodes[node, 1:3] if child]
    return depth
