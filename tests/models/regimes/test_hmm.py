"""The hidden Markov model: its filter and its EM beside independent ones, and states' meaning."""

from __future__ import annotations

import numpy as np
import pytest
from hmmlearn.hmm import GaussianHMM
from scipy.special import logsumexp
from scipy.stats import norm
from tests.models.regimes.detectors import detected, rows_of
from tests.models.regimes.simulated import MARKET, market

from barstack.core.arrays import Floats
from barstack.core.forecast import REGIMES
from barstack.datasets import StandardScaler
from barstack.models import RegimeHMM, train
from barstack.models.regimes._hmm_kernels import expected, filtered, likelihoods
from barstack.models.regimes.hmm import _expect, _first_guess, _improve, _moves_of, _stationary
from barstack.testing import regime_filter_share
from barstack.worlds import WORLDS

Parameters = tuple[Floats, Floats, Floats, Floats]


def drawn(seed: int, n_states: int, n_rows: int = 300) -> tuple[Floats, Parameters]:
    """Observations, some of them far from every state, and means, variances, moves, start."""
    rng = np.random.default_rng(seed)
    observed = rng.standard_t(2, (n_rows, 2)) * 2.0
    mean, variance = rng.normal(size=(n_states, 2)), rng.uniform(0.01, 2.0, (n_states, 2))
    moves = rng.dirichlet(np.full(n_states, 0.3), n_states) + 1e-9
    moves /= moves.sum(axis=1, keepdims=True)
    return observed, (mean, variance, moves, _stationary(moves))


def log_forward(observed: Floats, parameters: Parameters) -> Floats:
    """(n_rows, n_states) ln P(state, rows so far), by the definition, in logarithms."""
    mean, variance, moves, start = parameters
    each = np.asarray(norm.logpdf(observed[:, None], mean, np.sqrt(variance)))
    density = each.sum(axis=2)
    alpha = [np.log(start) + density[0]]
    for row in density[1:]:
        alpha.append(logsumexp(alpha[-1][:, None] + np.log(moves), axis=0) + row)
    return np.array(alpha)


def our_filter(observed: Floats, parameters: Parameters, rows: np.ndarray, lookback: int) -> Floats:
    mean, variance, moves, start = parameters
    likelihood = np.empty((len(observed), len(mean)))
    likelihoods(observed, mean, variance, likelihood, np.empty(len(observed)))
    found = np.empty((len(rows), len(mean)))
    filtered(likelihood, rows, lookback, start, moves, found)
    return found


@pytest.mark.parametrize("n_states", range(2, 7))
@pytest.mark.parametrize("lookback", [1, 2, 50])
def test_the_filter_is_the_forward_algorithm(n_states: int, lookback: int) -> None:
    for seed in range(3):
        observed, parameters = drawn(seed, n_states)
        rows = np.arange(lookback - 1, len(observed), 23)
        found = our_filter(observed, parameters, rows, lookback)
        for place, row in enumerate(rows):
            alpha = log_forward(observed[row - lookback + 1 : row + 1], parameters)[-1]
            np.testing.assert_allclose(found[place], np.exp(alpha - logsumexp(alpha)), atol=1e-12)


@pytest.mark.parametrize("n_states", [2, 4])
def test_the_last_row_is_as_hmmlearn_has_it(n_states: int) -> None:
    """Where nothing comes later, its smoother is a filter."""
    for seed in range(5):
        observed, parameters = drawn(seed, n_states)
        mean, variance, moves, start = parameters
        theirs = GaussianHMM(n_states, "diag")
        theirs.startprob_, theirs.transmat_ = start, moves
        theirs.means_, theirs.covars_ = mean, variance
        found = our_filter(observed, parameters, np.array([99, 299]), 100)
        for place, end in enumerate((100, 300)):
            smoothed = theirs.predict_proba(observed[end - 100 : end])[-1]
            np.testing.assert_allclose(found[place], smoothed, atol=1e-9)


def test_expectations_are_those_of_hmmlearn() -> None:
    """Likelihood and posteriors of two stretches; later rows count in training, and there alone."""
    observed, (mean, variance, moves, start) = drawn(3, 3)
    theirs = GaussianHMM(3, "diag")
    theirs.startprob_, theirs.transmat_ = start, moves
    theirs.means_, theirs.covars_ = mean, variance
    likelihood, largest = np.empty((300, 3)), np.empty(300)
    likelihoods(observed, mean, variance, likelihood, largest)
    posterior, moved = np.empty((300, 3)), np.empty((3, 3))
    begins = np.array([0, 120, 300])
    score = expected(likelihood, largest, begins, start, moves, posterior, moved)
    assert score == pytest.approx(theirs.score(observed, [120, 180]))
    np.testing.assert_allclose(posterior, theirs.predict_proba(observed, [120, 180]), atol=1e-9)
    assert moved.sum() == pytest.approx(298.0)
    np.testing.assert_allclose(
        moved.sum(axis=1), posterior.sum(axis=0) - posterior[[119, 299]].sum(axis=0), atol=1e-8
    )


def test_em_raises_the_likelihood_and_gets_as_far_as_hmmlearn() -> None:
    rng = np.random.default_rng(0)
    state = (np.cumsum(rng.random(4_000) < 0.02) % 2).astype(int)
    observed = rng.normal([[0.0, -0.7], [0.3, 0.8]], 0.6, (4_000, 2, 2))[np.arange(4_000), state]
    begins, here = np.array([0, 4_000]), _first_guess(observed, 2, None)
    scores = []
    for _ in range(40):
        here = _improve(observed, begins, here, 1, stay=1)
        scores.append(here.score)
    # Moves are counted once more than seen, which takes next to nothing from the likelihood.
    assert (np.diff(scores) > -1e-6).all()
    ours = _expect(observed, begins, _improve(observed, begins, here, 300, stay=1))[2]
    fits = [GaussianHMM(2, "diag", n_iter=300, tol=1e-4, random_state=seed) for seed in range(3)]
    theirs = max(each.fit(observed).score(observed) for each in fits)
    # Theirs also fits the first state: at most ln 2, as it is one of two in ours.
    assert ours > (theirs - np.log(2.0)) / 4_000 - 1e-5
    np.testing.assert_allclose(np.sort(here.mean[:, 1]), [-0.7, 0.8], atol=0.06)


def test_moves_hold_to_the_least_stay_and_are_the_likeliest_that_do() -> None:
    counts = np.array([[80.0, 15.0, 5.0], [1.0, 990.0, 9.0], [0.0, 0.0, 0.0]])
    moves = _moves_of(counts, stay=10)
    np.testing.assert_allclose(moves.sum(axis=1), 1.0)
    assert (moves > 0.0).all()
    np.testing.assert_allclose(1.0 / (1.0 - np.diag(moves)), [10.0, 1001 / (10 + 2 / 3), 10.0])
    held = (counts[0] + 1.0 / 3.0) @ np.log(moves[0])
    rng = np.random.default_rng(0)
    for other in rng.dirichlet([9.0, 1.0, 1.0], 2_000):
        if other[0] >= 0.9:
            assert (counts[0] + 1.0 / 3.0) @ np.log(other) <= held + 1e-12


def test_the_stationary_distribution_is_left_as_it_is() -> None:
    for seed in range(20):
        _, (_, _, moves, start) = drawn(seed, 5)
        np.testing.assert_allclose(start @ moves, start, atol=1e-8)
        assert start.sum() == pytest.approx(1.0)


def test_names_outlive_refits_and_seeds() -> None:
    """What one fit calls a bull trend, every other does: no labels switch."""
    detector = RegimeHMM()
    bars, _ = market(bars=8_000, seed=3)
    dataset, rows = rows_of(detector, bars)
    later = rows[rows > 6_000]
    said = []
    for share, seed in [(0.5, 0), (0.5, 1), (0.5, 2), (0.6, 3), (0.7, 4), (0.75, 5)]:
        fitted = train(detector, dataset, rows[: int(share * len(rows))], seed)
        said.append(fitted.predict(dataset.features, later)[:, 0])
    for regime in MARKET:
        own = np.array(said)[:, :, REGIMES.index(regime)]
        assert (np.corrcoef(own) > 0.95).all(), regime


def test_reversed_prices_are_the_other_trend() -> None:
    """A bull trend upside down is a bear trend: names follow drift, not where a state stands."""
    detector = RegimeHMM(n_states=2)
    calm = {"bull_trend": (0.0015, 0.006), "sideways": (0.0, 0.0055)}
    down = {"bear_trend": (-0.0015, 0.006), "sideways": (0.0, 0.0055)}
    for states in (calm, down):
        found, _, _ = detected(detector, market(states, bars=4_000, seed=1)[0], share=0.9)
        assert next(iter(states)) in found.state_names


def test_scaling_by_the_dataset_changes_nothing() -> None:
    """It scales by itself, so that it says the same by any scaler of the study."""
    detector = RegimeHMM()
    dataset, rows = rows_of(detector, market(bars=1_500)[0])
    fitted = train(detector, dataset, rows[:800], seed=0)
    again = train(
        detector,
        type(dataset)(dataset.features, dataset.labels, StandardScaler(clip=1.0)),
        rows[:800],
        seed=0,
    )
    np.testing.assert_array_equal(
        fitted.predict(dataset.features, rows[800:]), again.predict(dataset.features, rows[800:])
    )


@pytest.mark.slow
def test_it_nears_the_exact_filter() -> None:
    """Balanced accuracy on later bars, over that of the filter that knows the world."""
    detector = RegimeHMM(n_states=2)
    shares = [
        regime_filter_share(
            detector, WORLDS.parse({"world": "hidden_regimes", "bars": 8_000, "seed": seed})
        )
        for seed in range(20)
    ]
    assert np.median(shares) >= 0.95
