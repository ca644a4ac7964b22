"""Evidence that is looked at after every outcome: false alarms, power, delays, snapshots."""

from __future__ import annotations

import json
import math
from typing import Literal

import numpy as np
import pytest

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError, DataError
from barstack.evaluation.significance import EProcess, log_e_path
from barstack.evaluation.significance._anytime import adjusted, boundary, log_e_value

ALARM = math.log(20.0)
STREAMS, STEPS = 1000, 600


def noise(kind: str, seed: int = 0) -> Floats:
    """(n_streams, n_steps) outcomes of mean zero and deviation 1, given all before them."""
    rng = np.random.default_rng(seed)
    shape = (STREAMS, STEPS)
    if kind == "normal":
        return rng.normal(size=shape)
    if kind == "heavy tails":
        return rng.standard_t(3, size=shape) / 3**0.5
    shocks = rng.normal(size=shape)
    variance, found = np.ones(STREAMS), np.empty(shape)
    for step in range(STEPS):
        found[:, step] = np.sqrt(variance) * shocks[:, step]
        variance = 0.05 + 0.15 * found[:, step] ** 2 + 0.8 * variance
    return found


@pytest.mark.parametrize("kind", ["normal", "heavy tails", "garch"])
@pytest.mark.parametrize("null", ["every", "average"])
def test_false_alarms_at_every_look(kind: str, null: Literal["every", "average"]) -> None:
    for bound in (3.0, 8.0):
        path = log_e_path(noise(kind), bound=bound, scale=1.0, null=null)
        assert (path.max(axis=1) >= ALARM).mean() <= 0.05


def test_a_cut_of_one_sided_losses_breaks_the_promise_and_a_wide_bound_keeps_it() -> None:
    """What the docstring says must be assumed: rare large losses may not be cut."""
    rng = np.random.default_rng(0)
    outcomes = np.where(rng.random((STREAMS, STEPS)) < 0.02, -7.0, 1.0 / 7.0)
    cut, whole = (
        (log_e_path(outcomes, bound=bound, scale=1.0).max(axis=1) >= ALARM).mean()
        for bound in (3.0, 7.0)
    )
    assert cut > 0.5
    assert whole <= 0.05


@pytest.mark.parametrize("null", ["every", "average"])
def test_power(null: Literal["every", "average"]) -> None:
    path = log_e_path(noise("heavy tails") + 0.2, bound=5.0, scale=1.0, null=null)
    assert (path.max(axis=1) >= ALARM).mean() > 0.9
    small = log_e_path(noise("normal") + 0.1, bound=5.0, scale=1.0, null=null)
    found = (small.max(axis=1) >= ALARM).mean()
    assert found > (0.5 if null == "every" else 0.15)


def test_means_that_change_are_no_evidence_on_average() -> None:
    """Good and bad times of the same size: no alarm of the average, though half are above zero."""
    drift = 0.5 * np.where(np.arange(STEPS) % 2 == 0, -1.0, 1.0)
    path = log_e_path(noise("normal") + drift, bound=5.0, scale=1.0, null="average")
    assert (path.max(axis=1) >= ALARM).mean() <= 0.05


@pytest.mark.parametrize("null", ["every", "average"])
def test_one_by_one_is_all_at_once(null: Literal["every", "average"]) -> None:
    outcomes = noise("heavy tails")[0, :200] + 0.1
    process = EProcess(bound=4.0, scale=1.0, null=null)
    found = []
    for outcome in outcomes:
        process.update(process.decide(), outcome)
        found.append(math.log(process.e_value))
    path = log_e_path(outcomes, bound=4.0, scale=1.0, null=null)
    np.testing.assert_allclose(found, path, atol=1e-9)
    assert process.p_value == pytest.approx(math.exp(-max(path.max(), 0.0)))
    assert process.proven == (path.max() >= ALARM)


def test_the_mixture_is_the_integral_that_it_stands_for() -> None:
    """The gamma-exponential closed form against a sum over 200,000 bets."""
    reach, width, total, spent = 1.0, 5.0, 8.0, 30.0
    bets = (np.arange(200_000) + 0.5) / 200_000

    def psi(bet: Floats) -> Floats:
        return -np.log1p(-bet) - bet

    # The mixing density of Howard and others (2021, proposition 9) up to its constant.
    density = np.exp(-width * psi(bets)) / (1.0 - bets)
    value = (density * np.exp(bets * total - psi(bets) * spent)).sum() / density.sum()
    found = log_e_value(np.array([total]), np.array([spent]), reach, width)
    assert found[0] == pytest.approx(math.log(value), abs=1e-4)


def test_intervals_hold_the_mean_at_all_times() -> None:
    """The confidence sequence as a boundary, looked at after each of 600 outcomes."""
    for kind in ("normal", "garch"):
        values = np.clip(noise(kind) + 0.1, -8.0, 8.0)
        totals = np.cumsum(values, axis=1)
        counts = np.arange(1, STEPS + 1)
        expected = np.zeros_like(values)
        expected[:, 1:] = np.clip(totals[:, :-1] / counts[:-1], -0.5, 0.5)
        spent = np.cumsum((values - expected) ** 2, axis=1)[:, ::5]
        far = boundary(spent, 8.5, 30.0, 0.025)
        outside = np.abs(totals - 0.1 * counts)[:, ::5] > far
        assert outside.any(axis=1).mean() <= 0.05


@pytest.mark.parametrize("overlap", [1, 4])
def test_intervals_of_a_process(overlap: int) -> None:
    rng = np.random.default_rng(0)
    process = EProcess(bound=5.0, scale=1.0, overlap=overlap)
    assert (process.interval().low, process.interval().high) == (-5.0, 5.0)
    wide = 10.0
    for count in (100, 1000):
        while process.count < count:
            process.update(process.decide(), rng.normal(0.3))
        interval = process.interval()
        assert interval.low < 0.3 < interval.high
        assert interval.high - interval.low < wide
        wide = interval.high - interval.low
    assert wide < (0.25 if overlap == 1 else 0.75)


def test_overlapping_decisions_keep_the_promise_for_who_peeks() -> None:
    """Sums of four neighbours' noise, known four steps late, with the last one's parts seen."""
    wrong = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        steps = rng.normal(size=203)
        process = EProcess(bound=10.0, scale=2.0, overlap=4)
        open_ = []
        for step in range(200):
            open_.append((step + 3, process.decide()))
            if open_[0][0] == step:
                process.update(open_.pop(0)[1], float(steps[step - 3 : step + 1].sum()))
        wrong += process.proven
    assert wrong / 200 <= 0.05


def test_delayed_outcomes_in_any_order() -> None:
    process = EProcess(bound=5.0, scale=1.0, overlap=3)
    first, second, third = (process.decide() for _ in range(3))
    with pytest.raises(DataError, match="3 decisions are open, and overlap is 3"):
        process.decide()
    process.update(third, 1.0)
    process.update(first, -1.0)
    fourth = process.decide()
    for number in (second, fourth):
        process.update(number, 0.5)
    assert process.count == 4
    with pytest.raises(DataError, match="is not open"):
        process.update(first, 1.0)


def test_adjusters_spend_no_more_than_they_have() -> None:
    """The integral of A(x) / x² from 1 on is 1 at most: Choe and Ramdas (2024b)."""
    logs = (np.arange(2_000_000) + 0.5) * 1e-3
    spent = sum(adjusted(float(x)) * math.exp(-x) for x in logs[:40_000]) * 1e-3
    assert spent + 1.0 / 40.0 == pytest.approx(1.0, abs=0.01)  # the tail is that of 1 / x²


def test_a_restored_process_goes_on_to_the_bit() -> None:
    rng = np.random.default_rng(0)
    process = EProcess(bound=5.0, scale=1.0, overlap=2, best_after=100)
    held = process.decide()
    for outcome in rng.normal(0.2, 1.0, 50):
        process.update(process.decide(), outcome)
    other = EProcess.restore(json.loads(json.dumps(process.snapshot())))
    for each in (process, other):
        each.update(held, 0.7)
        each.update(each.decide(), 0.1)
    assert process == other
    assert process.e_value == other.e_value
    assert process.interval() == other.interval()
    with pytest.raises(DataError, match="format"):
        EProcess.restore({"format": 99})


def test_an_edge_that_turns_into_a_loss_is_told() -> None:
    process = EProcess(bound=5.0, scale=1.0)
    for outcome in np.random.default_rng(0).normal(-0.4, 1.0, 300):
        process.update(process.decide(), outcome)
    assert process.faded
    assert not process.proven
    assert process.against > 20.0
    assert process.e_value < 1.0


@pytest.mark.parametrize(
    "given",
    [{"bound": 0.0}, {"scale": -1.0}, {"level": 1.0}, {"overlap": 0}, {"null": "some"}],
)
def test_wrong_use(given: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        EProcess(**({"bound": 5.0, "scale": 1.0} | given))  # type: ignore[arg-type]
    process = EProcess(bound=5.0, scale=1.0)
    with pytest.raises(DataError, match="not a number"):
        process.update(process.decide(), math.nan)
