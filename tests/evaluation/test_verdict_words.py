"""What a verdict says in words: costs, break-even, folds, symbols, and how alike trials are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import barstack as bs
from barstack import Run
from barstack.evaluation import Evaluation, Family, adjusted_p_value, family_of, judge

TIME = np.datetime64("2026-01-05", "us") + np.arange(3000) * np.timedelta64(1, "h")


@pytest.fixture(scope="module")
def at_costs(tmp_path_factory: pytest.TempPathFactory, study_file: Any) -> Any:
    """The same study at other costs; forecasts are stored once."""
    folder: Path = tmp_path_factory.mktemp("costs")

    def run(cost_bps: float) -> Run:
        file = study_file(folder, f"at_{cost_bps:.6f}.yaml", cost_bps=cost_bps)
        return bs.run(file, runs=folder / "runs")

    return run


def test_twice_the_costs_and_break_even_are_those_of_a_study_at_such_costs(at_costs: Any) -> None:
    one, two = at_costs(1.0).evaluation, at_costs(2.0).evaluation
    for place, found in enumerate(one.earnings):
        assert found.net_edge_twice_bps == pytest.approx(two.evidence[place].net_edge_bps)
        assert found.break_even_bps is not None
        if found.break_even_bps > 0.0:
            even = at_costs(round(found.break_even_bps, 6)).evaluation
            assert abs(even.evidence[place].net_edge_bps) < 1e-4
            break
    else:
        assert all(each.net_edge_bps < 0.0 for each in one.evidence)


def test_parts_add_up_to_the_whole(two_symbols: Run) -> None:
    found = two_symbols.evaluation
    for evidence, earned in zip(found.evidence, found.earnings, strict=True):
        parts = [each for each in earned.parts if each.of == "fold"]
        assert sum(each.n_bars for each in parts) == evidence.n_bars
        total = sum(each.n_bars * each.net_edge_bps for each in parts) / evidence.n_bars
        assert total == pytest.approx(evidence.net_edge_bps)
        names = [each.name for each in earned.parts if each.of == "symbol"]
        assert names == ["OTHER", "WALK"]


def test_figures_survive_json(finished: Run) -> None:
    found = finished.evaluation
    assert Evaluation.from_json(found.to_json()) == found
    older = found.to_json()
    del older["earnings"], older["family"]
    read = Evaluation.from_json(older)
    assert (read.earnings, read.family) == ([], None)
    assert judge(read, trials=10).words == []


def test_the_words_have_the_figures(finished: Run) -> None:
    verdict = finished.verdict
    tried, best, costs, *_ = verdict.words
    assert f"{verdict.trials:,} things were tried" in tried
    assert "after costs" in best
    assert "at twice that" in costs
    page = (finished.folder / "report.html").read_text()
    assert all(words.split(":")[0] in page for words in verdict.words)


def alike(rho: float, size: int, seed: int = 0) -> list[Any]:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal(len(TIME))
    return [
        np.sqrt(rho) * common + np.sqrt(1 - rho) * rng.standard_normal(len(TIME))
        for _ in range(size)
    ]


@pytest.mark.parametrize("rho", [0.3, 0.8, 0.95])
def test_the_count_is_that_of_the_joint_normal_distribution(rho: float) -> None:
    """Against numerical integration; a little above it, as correlations are taken lower."""
    size, p = 8, 0.01
    family = family_of([TIME] * size, alike(rho, size))
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    threshold = stats.norm.isf(p)
    below = stats.norm.cdf((threshold - np.sqrt(rho) * nodes) / np.sqrt(1 - rho)) ** size
    exact = np.log(weights @ below / weights.sum()) / np.log1p(-p)
    assert exact * 0.95 < family.count_at(p) < exact * 1.25


def test_copies_count_as_one_and_steady_ones_whole() -> None:
    one = np.random.default_rng(0).standard_normal(len(TIME))
    assert family_of([TIME] * 5, [one] * 5).count_at(0.01) < 1.15
    assert family_of([TIME] * 5, [one, one, *[0 * one] * 3]).count_at(0.01) > 3.9
    assert family_of([TIME[:50]] * 5, [one[:50]] * 5).count_at(0.01) == 5.0  # too few blocks


def test_other_trials_count_whole() -> None:
    family = Family(4, [0.1, 0.001], [1.0, 1.0])
    assert adjusted_p_value(0.01, 4, family) == pytest.approx(0.01)
    assert adjusted_p_value(0.01, 10, family) == pytest.approx(1 - 0.99**7)
    assert adjusted_p_value(0.0001, 10, family) == pytest.approx(1 - 0.9999**10)
