"""Weights that adapt: the published formulas, their regret bounds, delays, extremes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barstack.core.arrays import Floats
from barstack.core.decisions import Decisions
from barstack.core.errors import ArtifactError
from barstack.core.forecast import EVERY_TASK, Target, Task
from barstack.core.times import DecidedAt, KnownAt, TrainedThrough
from barstack.ensembles import ENSEMBLES, Stacked, walk_forward
from barstack.ensembles.online import FixedShare, OnlineWeights
from barstack.models._arrays import read_arrays, write_arrays
from barstack.testing import small_stacked

NAMES = ("exponentiated_gradient", "fixed_share", "boa", "ml_poly")
SHARE = 0.01
BEGINS = np.datetime64("2026-01-05T00:00", "us")
HOUR = np.timedelta64(3_600_000_000, "us")
LEVEL = Target("quantiles", ("1h",), (0.5,))


def online(name: str) -> OnlineWeights:
    found = ENSEMBLES.parse(name)
    assert isinstance(found, OnlineWeights)
    return found


# An independent transcription, row by row. Each rule takes the regrets r_1 ... r_t so far and
# gives the next weights, from the start anew each time.


def adahedge(regrets: Floats) -> Floats:
    """De Rooij, van Erven, Grünwald, Koolen (2014), figure 1."""
    n_members = regrets.shape[1]
    losses, gap = np.zeros(n_members), 0.0

    def mix(rate: float) -> tuple[Floats, float]:
        least = losses.min()
        if np.isinf(rate):
            weights = (losses == least).astype(float)
            return weights / weights.sum(), least
        weights = np.exp(-rate * (losses - least))
        return weights / weights.sum(), least - np.log(weights.sum() / n_members) / rate

    for r in regrets:
        rate = np.log(n_members) / gap if gap > 0 else np.inf
        before = mix(rate)[1]
        losses = losses - r
        # The loss of the forecast is 0 here, as r is counted from it.
        gap += max(0.0, 0.0 - (mix(rate)[1] - before))
    return mix(np.log(n_members) / gap if gap > 0 else np.inf)[0]


def sharing(regrets: Floats) -> Floats:
    """Cesa-Bianchi, Gaillard, Lugosi, Stoltz (2012), with a rate that changes."""
    n_members = regrets.shape[1]
    p, gap = np.full(n_members, 1.0 / n_members), 0.0
    change = SHARE * np.log(n_members / SHARE) + np.log(1 / (1 - SHARE))
    for t, r in enumerate(regrets):
        cost, next_cost = (np.log(n_members) + each * change for each in (t, t + 1))
        if gap == 0.0:
            gap += max(r.max(), 0.0)
            if gap > 0.0:
                p = np.full(n_members, 1.0 / n_members)
            continue
        rate = cost / gap
        tilted = p * np.exp(rate * (r - r.max()))
        mixed = r.max() + np.log(tilted.sum()) / rate
        gap += max(mixed, 0.0)
        next_rate = next_cost / gap
        v = (tilted / tilted.sum()) ** (next_rate / rate)
        p = SHARE / n_members + (1 - SHARE) * v / v.sum()
    return p


def boa(regrets: Floats) -> Floats:
    """BOA.R of opera."""
    n_members = regrets.shape[1]
    eta_inv2, reg = np.zeros(n_members), np.zeros(n_members)
    for r in regrets:
        eta_inv2 = eta_inv2 + 2.2 * r**2
        there = eta_inv2 > 0
        reg[there] += r[there] - r[there] ** 2 / np.sqrt(eta_inv2[there])
    w, there = np.ones(n_members), eta_inv2 > 0
    if there.any():
        aux = -np.log(eta_inv2[there]) / 2 + reg[there] / np.sqrt(eta_inv2[there])
        w[there] = there.sum() * np.exp(aux - aux.max()) / np.exp(aux - aux.max()).sum()
    return np.asarray(w / w.sum())


def ml_poly(regrets: Floats) -> Floats:
    """MLpol.R of opera."""
    n_members = regrets.shape[1]
    b, eta, total = 0.0, np.full(n_members, np.exp(700.0)), np.zeros(n_members)
    for r in regrets:
        total = total + r
        new_b = max(b, (r**2).max())
        eta = 1 / (1 / eta + r**2 + new_b - b)
        b = new_b
    if total.max() > 0:
        return np.asarray(eta * np.maximum(total, 0) / (eta * np.maximum(total, 0)).sum())
    return np.full(n_members, 1 / n_members)


RULES: dict[str, Callable[[Floats], Floats]] = dict(
    zip(NAMES, (adahedge, sharing, boa, ml_poly), strict=True)
)


def gradient(predicted: Floats, y: float, target: Target) -> Floats:
    """(n_outputs,) of the loss at the forecast."""
    if target.levels:
        return np.asarray((y < predicted).astype(float) - np.array(target.levels))
    outcome = np.eye(3)[int(y)] if target.task == "three_class" else np.array([y])
    return np.asarray(2.0 * (predicted - outcome))


def transcribed(rule: Callable[[Floats], Floats], stacked: Stacked) -> Floats:
    """(n_horizons, n_members) weights after all rows, each linearised at the forecast made."""
    y, known_at = stacked.y, stacked.all_known_at
    assert y is not None
    n_horizons, n_members = y.shape[1], len(stacked.members)
    order = np.argsort(known_at, kind="stable")
    found = []
    for h in range(n_horizons):
        regrets: list[Floats] = []
        after = [np.full(n_members, 1.0 / n_members)]
        for row in order:
            by_then = int((known_at[order] <= stacked.decisions.decided_at[row]).sum())
            x = stacked.forecasts[row, :, h]
            predicted = after[by_then] @ x
            regrets.append((predicted - x) @ gradient(predicted, y[row, h], stacked.target))
            after.append(rule(np.array(regrets)))
        found.append(after[-1])
    return np.stack(found)


@pytest.mark.parametrize("task", EVERY_TASK)
@pytest.mark.parametrize("name", NAMES)
def test_weights_are_those_of_the_published_formulas(name: str, task: Task) -> None:
    stacked = small_stacked(task, 150)
    ensemble = online(name)
    found = ensemble.weights(ensemble.fit(stacked))
    np.testing.assert_allclose(found, transcribed(RULES[name], stacked), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_delays_of_all_lengths_in_any_order(name: str) -> None:
    """Outcomes come in another order than decisions; rows may be given in any order."""
    rng = np.random.default_rng(3)
    stacked = small_stacked("return", 150)
    assert stacked.known_at is not None
    wait = rng.integers(1, 40, (150, 1)) * HOUR // 2
    decided_at = stacked.decisions.decided_at[:, None]
    stacked = replace(
        stacked, known_at=KnownAt(decided_at + wait + 0 * stacked.known_at.astype(int))
    )
    ensemble = online(name)
    learned = ensemble.fit(stacked)
    expected = transcribed(RULES[name], stacked)
    np.testing.assert_allclose(ensemble.weights(learned), expected, rtol=1e-6, atol=1e-9)
    by_time = np.argsort(stacked.all_known_at, kind="stable")
    part = ensemble.fit(stacked.take(by_time[:70]))
    for rows in np.split(by_time[70:], [1, 2, 30]):
        part = ensemble.update(part, stacked.take(rows))
    for one, other in zip(learned, part, strict=True):
        np.testing.assert_array_equal(one, other)


# Regret on adversarial sequences. The pinball loss of the median is linear in the forecast where
# the outcome is far off, so that losses are any numbers: -x / 2 or x / 2, x from 0 to 1.


def linear(x: Floats, signs: Floats, delay: int = 1) -> Stacked:
    """x (n_rows, n_members), signs (n_rows,); outcomes known after so many rows."""
    decided_at = DecidedAt(BEGINS + HOUR * np.arange(len(x)))
    return Stacked(
        tuple(map(str, range(x.shape[1]))),
        Decisions(("A",), np.zeros(len(x), np.int32), decided_at),
        LEVEL,
        x[:, :, None, None].astype(float),
        TrainedThrough(decided_at),
        y=-100.0 * signs[:, None],
        known_at=KnownAt(decided_at[:, None] + delay * HOUR),
    )


def played(ensemble: OnlineWeights, stacked: Stacked, delay: int = 1) -> Floats:
    """(n_rows, n_members) linearised regret of each row, from the weights in force."""
    assert stacked.y is not None
    start = ensemble.fit(stacked.take(np.arange(0)))
    counts = np.maximum(np.arange(len(stacked)) + 1 - delay, 0)
    forecast = ensemble.follow(start, stacked, counts, stacked)[:, 0, 0]
    slope = np.where(stacked.y[:, 0] < 0, 0.5, -0.5)
    return slope[:, None] * (forecast[:, None] - stacked.forecasts[:, :, 0, 0])


def bound(name: str, r: Floats) -> Floats:
    """(n_members,) the most regret there may be, for a range of losses of 1/2."""
    (rows, n), s = r.shape, 0.5
    squares = (r**2).sum(axis=0)
    if name == "exponentiated_gradient":
        most = s * np.sqrt(rows * np.log(n)) + s * (16 / 3 * np.log(n) + 2)
        return np.full(n, most)  # corollary 9 of AdaHedge's paper
    if name == "ml_poly":  # theorem 5 of its paper
        return np.asarray(np.sqrt(n * (1 + np.log(1 + rows)) * (s**2 + squares)))
    # BOA: x - x^2 <= log(1 + x) for x >= -1 / sqrt(2.2), so the rate times a regret lowered by
    # squares is at most log(n x what rates that change may add, of the order of log log T).
    larger = np.log(n * (1 + np.log(1 + rows)))
    return np.asarray(np.sqrt(squares) * (2 / np.sqrt(2.2) + np.sqrt(2.2) * larger) + s)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), name=st.sampled_from(("exponentiated_gradient", "boa", "ml_poly")))
def test_no_member_beats_it_by_more_than_the_bound(data: st.DataObject, name: str) -> None:
    n = data.draw(st.integers(2, 6))
    block = st.lists(
        st.lists(st.sampled_from((0.0, 0.25, 1.0)), min_size=n, max_size=n), min_size=1, max_size=8
    )
    x = np.tile(np.array(data.draw(block)), (data.draw(st.integers(1, 40)), 1))
    signs = np.resize(
        data.draw(st.lists(st.sampled_from((-1.0, 1.0)), min_size=1, max_size=7)), len(x)
    )
    r = played(online(name), linear(x, signs))
    assert (r.sum(axis=0) <= bound(name, r) + 1e-9).all()


def spiteful(ensemble: OnlineWeights, n: int, rows: int) -> Stacked:
    """Whoever weighs most is wrong in each row: the worst case for a follower."""
    x = np.zeros((rows, n))
    for row in range(rows):
        learned = ensemble.fit(linear(x[:row], np.ones(row)))
        x[row, ensemble.weights(learned)[0].argmax()] = 1.0
    return linear(x, np.ones(rows))


@pytest.mark.parametrize("name", ["exponentiated_gradient", "boa", "ml_poly"])
@pytest.mark.parametrize("n", [2, 10])
def test_an_adversary_gains_no_more_than_the_bound(name: str, n: int) -> None:
    ensemble = online(name)
    stacked = spiteful(ensemble, n, 300)
    r = played(ensemble, stacked)
    assert (r.sum(axis=0) <= bound(name, r)).all()
    # Following the leader loses half a point more than the best in nearly every row.
    alternating = np.tile([[1.0, 0.0], [0.0, 1.0]], (5_000, 1))
    alternating[0] = [0.5, 0.0]
    r = played(ensemble, linear(alternating, np.ones(10_000)))
    assert (r.sum(axis=0) <= bound(name, r)).all()
    assert r.sum(axis=0).max() < 0.05 * 2_500


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_regret_under_delay_is_at_most_twice_the_gap(data: st.DataObject) -> None:
    """Pathwise, whatever the delay: each gap is measured by the forecast that was made."""
    n, delay = data.draw(st.integers(2, 5)), data.draw(st.integers(1, 30))
    seed = data.draw(st.integers(0, 2**16))
    x = np.random.default_rng(seed).integers(0, 2, (120, n)).astype(float)
    ensemble = online("exponentiated_gradient")
    stacked = linear(x, np.resize([1.0, -1.0, 1.0], 120), delay)
    r = played(ensemble, stacked, delay)
    assert r.sum(axis=0).max() <= 2 * ensemble.fit(stacked).scale[0] + 1e-9


def sharing_bound(ensemble: FixedShare, stacked: Stacked, changes: list[int]) -> float:
    """Theorem 2 of Cesa-Bianchi et al. (2012) with gaps in place of Hoeffding's inequality.

    Of any sequence of members that changes at the given rows.
    """
    n, share = len(stacked.members), ensemble.share
    change = share * np.log(n / share) - np.log1p(-share)
    learned = ensemble.fit(stacked.take(np.arange(0)))
    gaps = [0.0]
    for row in range(len(stacked)):
        learned = ensemble.update(learned, stacked.take(np.array([row])))
        gaps.append(float(learned.scale[0]))
    rows = np.arange(len(stacked) + 1)
    inverse_rates = np.array(gaps) / (np.log(n) + rows * change)
    rises = np.maximum(np.diff(inverse_rates), 0.0).sum()
    switching = np.log(n / share) * inverse_rates[changes].sum()
    staying = -np.log1p(-share) * inverse_rates.sum()
    return float(gaps[-1] + np.log(n) * (inverse_rates[0] + rises) + switching + staying)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_fixed_share_keeps_up_with_any_changing_member(data: st.DataObject) -> None:
    n, rows = data.draw(st.integers(2, 5)), 150
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    share = data.draw(st.sampled_from((0.001, 0.01, 0.1)))
    gains = rng.integers(0, 2, (rows, n)).astype(float)
    stacked = linear(gains, rng.choice([-1.0, 1.0], rows))
    ensemble = FixedShare(share=share)
    r = played(ensemble, stacked)
    changes = sorted(data.draw(st.sets(st.integers(1, rows - 1), max_size=6)))
    best = sum(part.sum(axis=0).max() for part in np.split(r, changes))
    assert best <= sharing_bound(ensemble, stacked, changes) + 1e-9


def test_fixed_share_follows_a_best_member_that_changes() -> None:
    rng, rows = np.random.default_rng(0), 2_000
    best = np.arange(rows) // 250 % 4
    x = rng.random((rows, 4))
    x[np.arange(rows), best] *= 0.4
    stacked = linear(x, np.ones(rows))
    behind = {}
    for name in ("fixed_share", "exponentiated_gradient"):
        r = played(online(name), stacked)
        behind[name] = r[np.arange(rows), best].sum()
    assert behind["fixed_share"] < 0.5 * behind["exponentiated_gradient"]


# Extremes.


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e40])
def test_a_hundred_thousand_heavy_tailed_outcomes(name: str, scale: float) -> None:
    rng, rows = np.random.default_rng(1), 100_000
    y = scale * rng.standard_cauchy(rows)
    x = 0.3 * y[:, None] * rng.random((rows, 5)) + scale * rng.standard_cauchy((rows, 5))
    target = Target("return", ("1h",))
    stacked = replace(linear(x, np.ones(rows)), target=target, y=y[:, None])
    ensemble = online(name)
    learned = ensemble.fit(stacked)
    for each in learned:
        assert np.isfinite(each).all()
    assert (learned.past >= 0.0).all()
    np.testing.assert_allclose(learned.past.sum(axis=2), 1.0)
    assert len(learned.past) <= 64  # outcomes follow at once: no more are kept


@pytest.mark.parametrize("name", NAMES)
def test_weights_do_not_depend_on_the_scale(name: str) -> None:
    stacked = small_stacked("return", 200)
    assert stacked.y is not None
    ensemble = online(name)
    large = replace(stacked, forecasts=1e5 * stacked.forecasts, y=1e5 * stacked.y)
    expected = ensemble.weights(ensemble.fit(stacked))
    np.testing.assert_allclose(ensemble.weights(ensemble.fit(large)), expected, rtol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_members_that_agree_and_one_alone(name: str) -> None:
    ensemble = online(name)
    same = linear(np.full((50, 3), 0.5), np.ones(50))
    np.testing.assert_allclose(ensemble.weights(ensemble.fit(same)), 1 / 3)
    alone = linear(np.linspace(0, 1, 50)[:, None], np.ones(50))
    np.testing.assert_array_equal(ensemble.weights(ensemble.fit(alone)), [[1.0]])


@pytest.mark.parametrize("name", NAMES)
def test_a_row_of_weight_zero_teaches_nothing(name: str) -> None:
    stacked = small_stacked("return", 200)
    kept = np.arange(200) % 3 > 0
    ensemble = online(name)
    found = ensemble.fit(replace(stacked, sample_weight=kept.astype(float)))
    if name != "fixed_share":  # which shares with every outcome
        expected = ensemble.fit(stacked.take(np.flatnonzero(kept)))
        np.testing.assert_allclose(ensemble.weights(found), ensemble.weights(expected))


@pytest.mark.parametrize("name", NAMES)
def test_later_labels_change_no_earlier_forecast(name: str) -> None:
    stacked = small_stacked("return")
    assert stacked.y is not None
    assert stacked.known_at is not None
    whole = walk_forward(online(name), stacked)[0].forecast
    cut = stacked.decisions.decided_at[400]
    y = np.where(stacked.known_at > cut, 99.0, stacked.y)
    spoilt = walk_forward(online(name), replace(stacked, y=y))[0].forecast
    changed = (whole.values != spoilt.values).any(axis=(1, 2))
    assert not changed[whole.decisions.decided_at <= cut].any()
    assert changed.any()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_loaded_learns_on_to_the_same_bits(name: str, tmp_path: Path) -> None:
    stacked, ensemble = small_stacked("three_class"), online(name)
    learned = ensemble.fit(stacked.take(np.arange(300)))
    ensemble.save(learned, tmp_path)
    later = stacked.take(np.arange(300, 500))
    expected = ensemble.update(learned, later)
    found = ensemble.update(ensemble.load(tmp_path), later)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("entry", "spoil", "why"),
    [
        ("past", lambda a: -a, "a weight is below 0"),
        ("past", lambda a: 2.0 * a, "weights do not add up to 1"),
        ("past", lambda a: a[:-1], r"past is float64 \(\d+, 2, 4\)|times is"),
        ("times", lambda a: a[::-1].copy(), "its times do not rise"),
        ("scale", lambda a: -1.0 - a, "a number is below 0"),
        ("rows", lambda a: -1 - a, "a number is below 0"),
        ("state", lambda a: a * np.nan, "state holds what is not finite"),
        ("state", lambda a: 0.0 * a, "a member has no share"),
    ],
)
def test_files_that_hold_something_else_are_refused(
    entry: str, spoil: Callable[[Floats], Floats], why: str, tmp_path: Path
) -> None:
    ensemble = FixedShare()
    ensemble.save(ensemble.fit(small_stacked("return")), tmp_path)
    (file,) = tmp_path.iterdir()
    kinds = {"state": "float64 a,b,c", "scale": "float64 b", "rows": "int64 1"}
    kinds |= {"longest": "int64 1", "times": "int64 v", "past": "float64 v,b,c"}
    arrays = read_arrays(file, **kinds)
    write_arrays(file, **(arrays | {entry: spoil(arrays[entry])}))
    with pytest.raises(ArtifactError, match=why):
        ensemble.load(tmp_path)
