"""What is too good is not supported; what real markets show always may be."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm
from tests.evaluation.evaluations import SUPPORTED, evaluation_with

from barstack.evaluation import Doubt, Verdict, judge
from barstack.evaluation._plausible import plausible_ic
from barstack.evaluation._verdict import bars_to_prove

DOUBT = Doubt("ridge", "1h", "correlation", 0.95, 0.2, "news.leak", 0.94)


def judged(doubts: list[Doubt], expected: str = "", leaks: int = 0) -> Verdict:
    """The verdict on bars that support an edge beyond all luck."""
    found = evaluation_with([SUPPORTED], doubts)
    return judge(found, trials=10, expected=expected, leaks=leaks)


def test_what_is_too_good_is_not_supported_and_the_leak_is_named() -> None:
    assert judged([]).edge == "supported"
    found = judged([DOUBT])
    assert found.edge == "unproven"
    assert "too good to be true" in found.sentence
    assert "news.leak" in found.sentence
    unexplained = replace(DOUBT, column=None, column_skill=None)
    assert "look first at the label" in judged([unexplained]).sentence


def test_after_a_leak_that_is_allowed_nothing_is_supported() -> None:
    found = judged([], leaks=2)
    assert found.edge == "unproven"
    assert "found 2 leaks, which this study allows" in found.sentence


def test_a_study_may_say_why_so_large_an_effect_is_expected() -> None:
    why = "a world with a planted signal"
    found = judged([DOUBT], expected=why)
    assert found.edge == "supported"
    assert why in found.sentence
    assert judged([], expected=why).expected == ""


@pytest.mark.parametrize("labels_a_year", [100_000, 19_656, 1764, 252, 52, 12, 1])
def test_signals_of_real_markets_are_plausible_at_any_horizon(labels_a_year: float) -> None:
    assert np.sqrt(0.03) < plausible_ic(labels_a_year) <= 0.9


def test_the_range_of_bars_holds_the_true_number_nine_times_in_ten() -> None:
    rng = np.random.default_rng(0)
    size, n_bars, trials = 3.5, 1000, 21  # of the edge, in standard errors
    single = 1.0 - (1.0 - 0.05) ** (1 / trials)
    needed = n_bars * ((norm.isf(single) + norm.isf(0.2)) / size) ** 2 - n_bars
    held = []
    for seen in size + rng.normal(size=4000):
        told = bars_to_prove(float(norm.sf(seen)), n_bars, trials, 0.05)
        held.append(told is not None and told[0] <= max(np.ceil(needed), 1) <= told[1])
    assert 0.87 < np.mean(held) < 0.96


def test_noise_is_seldom_told_how_many_bars_it_takes() -> None:
    seen = np.random.default_rng(0).normal(size=4000)
    told = [bars_to_prove(float(norm.sf(each)), 1000, 21, 0.05) is not None for each in seen]
    assert np.mean(told) < 0.07
