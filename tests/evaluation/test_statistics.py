"""Scores and errors against closed forms, other libraries, and markets without any edge."""

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics

from barstack.core.arrays import Floats
from barstack.evaluation import _metrics as metrics
from barstack.evaluation import adjusted_p_value
from barstack.evaluation._scores import ic_se
from barstack.evaluation._standard_errors import (
    TimeBlocks,
    blocks_of,
    jackknife_se,
    jackknife_se_by_rows,
    p_value_of,
)

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(2, 500))


def test_metrics_agree_with_scikit_learn_and_scipy() -> None:
    constant = np.full(500, Y.mean())
    assert metrics.r2(X, Y, constant) == pytest.approx(sklearn.metrics.r2_score(Y, X))
    assert metrics.ic(X, Y) == pytest.approx(scipy.stats.pearsonr(X, Y).statistic)
    assert metrics.rank_ic(X, Y) == pytest.approx(scipy.stats.spearmanr(X, Y).statistic)
    up, came = 1 / (1 + np.exp(-X)), (Y > 0).astype(float)
    ours = metrics.log_losses(up[:, None], came).mean()
    assert ours == pytest.approx(sklearn.metrics.log_loss(came, up))
    shares = scipy.special.softmax(RNG.normal(size=(500, 3)), axis=1)
    classes = RNG.integers(0, 3, 500).astype(float)
    ours = metrics.log_losses(shares, classes).mean()
    assert ours == pytest.approx(sklearn.metrics.log_loss(classes, shares))


def test_directional_accuracy_counts_abstention_half_and_still_bars_not() -> None:
    signal = np.array([1.0, -1.0, 0.0, 1.0, 1.0])
    returns = np.array([0.01, 0.01, -0.01, 0.0, 0.02])
    assert metrics.directional_accuracy(signal, returns) == pytest.approx(2.5 / 4)
    assert np.isnan(metrics.directional_accuracy(signal, np.zeros(5)))


def test_constants_have_no_correlation() -> None:
    assert np.isnan(metrics.ic(np.ones(50), Y[:50]))
    assert np.isnan(metrics.rank_ic(np.full(50, 0.1), Y[:50]))


def mean_se(values: Floats, blocks: TimeBlocks) -> float | None:
    return jackknife_se(metrics.mean_of_sums, metrics.mean_terms(values), blocks)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_leaving_out_sums_is_leaving_out_rows(n_classes: int) -> None:
    blocks = TimeBlocks(RNG.integers(0, 12, 500), 12)
    realised, predicted = RNG.integers(0, n_classes, (2, 500))
    returns = np.where(RNG.random(500) < 0.1, 0.0, 1e-3 * Y)
    forecast, past = 1e-4 * X + 0.01, np.full(500, 1e-4)

    def matrix(sums: Floats) -> Floats:
        return np.array([metrics.macro_f1(each.reshape(n_classes, n_classes)) for each in sums])

    squares = np.stack([(returns - forecast) ** 2, (returns - past) ** 2], axis=1)
    terms = metrics.confusion_terms(realised, predicted, n_classes)
    by_sums = (
        mean_se(metrics.hits(forecast - 0.01, returns), blocks),
        ic_se(forecast, returns, blocks),
        jackknife_se(metrics.skill_of_sums, squares, blocks),
        jackknife_se(matrix, terms, blocks),
    )
    by_rows = (
        lambda rows: metrics.directional_accuracy(forecast[rows] - 0.01, returns[rows]),
        lambda rows: metrics.ic(forecast[rows], returns[rows]),
        lambda rows: metrics.r2(forecast[rows], returns[rows], past[rows]),
        lambda rows: metrics.macro_f1(
            metrics.confusion_matrix(realised[rows], predicted[rows], n_classes)
        ),
    )
    for ours, statistic in zip(by_sums, by_rows, strict=True):
        assert ours == pytest.approx(jackknife_se_by_rows(statistic, blocks), rel=1e-9)


def test_a_column_that_varies_in_one_block_alone_has_no_error_of_its_correlation() -> None:
    blocks = TimeBlocks(np.arange(500) // 50, 10)
    constant = np.where(blocks.of_row == 3, X, 0.7)
    assert ic_se(constant, Y, blocks) is None
    barely = constant + 1e-9 * X  # but it may be told exactly
    assert ic_se(barely, Y, blocks) == pytest.approx(
        jackknife_se_by_rows(lambda rows: metrics.ic(barely[rows], Y[rows]), blocks)
    )


def test_jackknife_of_single_rows_is_the_textbook_error_of_a_mean() -> None:
    se = mean_se(X[:200], TimeBlocks(np.arange(200), 200))
    assert se == pytest.approx(X[:200].std(ddof=1) / np.sqrt(200))


def test_jackknife_allows_for_overlap() -> None:
    # Means of 12 neighbours: independent errors would be too small by a factor near sqrt(12).
    times = np.arange(4000).astype("datetime64[h]").astype("datetime64[us]")
    ratios = []
    for seed in range(40):
        noise = np.random.default_rng(seed).normal(size=4011)
        smooth = np.convolve(noise, np.ones(12) / 12, "valid")
        se = mean_se(smooth, blocks_of(times, 12))
        assert se is not None
        ratios.append(se * np.sqrt(4000))
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.1)
    assert np.mean(ratios) > 3.0 * np.std(smooth)


def test_too_few_blocks_have_no_error() -> None:
    times = np.arange(50).astype("datetime64[h]").astype("datetime64[us]")
    assert blocks_of(times, 12).count == 1
    assert mean_se(X[:50], blocks_of(times, 12)) is None


def test_rows_of_one_moment_share_a_block() -> None:
    times = np.repeat(np.arange(100).astype("datetime64[h]").astype("datetime64[us]"), 3)
    blocks = blocks_of(times, 1)
    assert (blocks.of_row.reshape(100, 3) == blocks.of_row[::3, None]).all()
    assert (np.bincount(blocks.of_row) == 15).all()


def test_without_edge_luck_is_called_luck() -> None:
    """Random positions, fat tails and clustered volatility: p-values below 5 % about 5 % often."""
    times = np.arange(1500).astype("datetime64[h]").astype("datetime64[us]")
    blocks = blocks_of(times, 8)
    found = 0
    for seed in range(600):
        rng = np.random.default_rng(seed)
        swings = np.exp(0.6 * np.convolve(rng.normal(size=1539), np.ones(40) / 6.3, "valid"))
        returns = swings * rng.standard_t(4, 1500)
        position = np.sign(np.convolve(rng.normal(size=1507), np.ones(8), "valid"))
        timing = position * returns - position.mean() * returns
        se = mean_se(timing, blocks)
        assert se is not None
        found += p_value_of(timing.mean() / se, blocks.count) < 0.05
    assert 0.02 < found / 600 < 0.08


def test_best_of_many_worthless_trials_is_priced() -> None:
    best = np.random.default_rng(0).uniform(size=(20_000, 30)).min(axis=1)
    adjusted = np.array([adjusted_p_value(p, 30) for p in best])
    assert (adjusted < 0.05).mean() == pytest.approx(0.05, abs=0.005)
