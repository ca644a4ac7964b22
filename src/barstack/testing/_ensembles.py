"""The contract of every ensemble."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtri

from barstack.core.arrays import Floats, Rows
from barstack.core.decisions import Decisions
from barstack.core.forecast import LEVELS, REGIMES, Target, Task
from barstack.core.times import DecidedAt, KnownAt, TrainedThrough
from barstack.ensembles import Ensemble, Stacked

from ._expect import expect, same

_BEGINS = np.datetime64("2026-01-05T00:00", "us")
_HOUR = np.timedelta64(3_600_000_000, "us")
_STEP = _HOUR // 2


def small_stacked(task: Task, rows: int = 500) -> Stacked:
    """Forecasts of four members with outcomes; the first member is good, the last is noise.

    Two symbols, two horizons, three folds, two columns of context `features`, and `regimes`.

    >>> small_stacked("return").members
    ('good', 'fair', 'poor', 'noise')
    """
    rng = np.random.default_rng(0)
    target = Target(task, ("1h", "4h"), LEVELS if task == "quantiles" else ())
    truth: Floats = rng.normal(size=(rows, 2))
    y: Floats = truth + rng.normal(size=(rows, 2))
    noise = np.array([0.3, 1.0, 2.0, 50.0])[:, None]
    signal = truth[:, None] + noise * rng.normal(size=(rows, 4, 2))
    signal /= 1.0 + noise
    returns = 0.01 * y
    if task == "return":
        forecasts, labels = 0.01 * signal[..., None], returns
    elif task == "quantiles":
        spread = ndtri(np.array(LEVELS)) * np.sqrt(1.0 + noise[..., None])
        forecasts, labels = 0.01 * (signal[..., None] + spread), returns
    elif task == "direction":
        forecasts, labels = 1.0 / (1.0 + np.exp(-2.0 * signal[..., None])), (y > 0).astype(float)
    else:
        scores: Floats = np.stack([-signal, np.zeros_like(signal), signal], axis=-1)
        forecasts = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
        labels = np.digitize(y, [-0.5, 0.5]).astype(np.float64)
    regimes = rng.dirichlet(np.full(len(REGIMES), 0.3), rows)
    decided_at = DecidedAt(_BEGINS + _STEP * (np.arange(rows) // 2))
    found = Stacked(
        ("good", "fair", "poor", "noise"),
        Decisions(("A", "B"), (np.arange(rows) % 2).astype(np.int32), decided_at),
        target,
        forecasts,
        TrainedThrough(np.full(rows, _BEGINS)),
        np.arange(rows) * 3 // rows,
        labels,
        KnownAt(decided_at[:, None] + np.array([1, 4]) * _HOUR),
        returns,
        context={
            "features": np.column_stack([rng.normal(size=rows), truth[:, 0]]),
            "regimes": regimes,
        },
    )
    for array in (found.forecasts, labels, found.known_at, returns, *found.context.values()):
        assert array is not None
        array.flags.writeable = False  # an ensemble leaves its inputs as they are
    return found


def _fitted(ensemble: Ensemble, task: Task) -> tuple[Any, Stacked]:
    """What it learned, and the same rows as they are when predicting."""
    stacked = small_stacked(task)
    return ensemble.fit(stacked), stacked.without_outcomes()


def check_combines(ensemble: Ensemble, task: Task) -> None:
    """Finite forecasts of the right shape: probabilities of classes, quantiles that rise."""
    _check_forecasts(ensemble, small_stacked(task))


def check_odd_members(ensemble: Ensemble, task: Task) -> None:
    """The same with one member, copies, a member that never changes, and one of a wild scale."""
    stacked = small_stacked(task, rows=120)
    forecasts = stacked.forecasts
    constant, wild = forecasts.copy(), forecasts.copy()
    constant[:, 1] = forecasts[:1, 1]
    wild[:, 3] = _wild(forecasts[:, 3], task)
    _check_forecasts(ensemble, replace(stacked, members=("one",), forecasts=forecasts[:, :1]))
    for each in (np.repeat(forecasts[:, :1], 4, axis=1), constant, wild):
        _check_forecasts(ensemble, replace(stacked, forecasts=each))


def check_few_rows(ensemble: Ensemble, task: Task) -> None:
    """The same with thirty rows to learn from."""
    _check_forecasts(ensemble, small_stacked(task, rows=30))


def _wild(forecasts: Floats, task: Task) -> Floats:
    """Returns a million times as large; classes with all certainty."""
    if task in ("return", "quantiles"):
        return 1e6 * forecasts
    if task == "direction":
        return np.round(forecasts)
    return np.asarray(forecasts == forecasts.max(axis=-1, keepdims=True), float)


def _check_forecasts(ensemble: Ensemble, given: Stacked) -> None:
    learned, stacked, target = ensemble.fit(given), given.without_outcomes(), given.target
    combined = ensemble.predict(learned, stacked)
    same(combined.shape, (len(stacked), 2, len(target.outputs)), "The shape of predict's forecasts")
    expect(np.isfinite(combined).all(), f"{ensemble} forecasts numbers that are not finite.")
    weights, shape = ensemble.weights(learned), (2, len(stacked.members))
    if weights is not None:
        same(weights.shape, shape, "The shape of the weights")
        expect(np.isfinite(weights).all(), f"{ensemble} has weights that are not finite.")
    if target.levels:
        expect((np.diff(combined, axis=2) >= 0.0).all(), f"Quantiles of {ensemble} cross.")
    if target.n_classes:
        expect(
            ((combined >= 0.0) & (combined <= 1.0 + 1e-12)).all(),
            f"{ensemble} forecasts probabilities outside 0 to 1.",
        )
    if target.n_classes == 3:
        np.testing.assert_allclose(combined.sum(axis=2), 1.0)


def check_rows_stand_alone(ensemble: Ensemble, task: Task) -> None:
    """One row gives the very bits that it gives among others, in whatever order those lie."""
    learned, stacked = _fitted(ensemble, task)
    together = ensemble.predict(learned, stacked)
    alone = [ensemble.predict(learned, stacked.take(np.array([row]))) for row in range(50)]
    np.testing.assert_array_equal(np.concatenate(alone), together[:50])
    order = np.random.default_rng(1).permutation(len(stacked))
    shuffled = ensemble.predict(learned, stacked.take(order))
    np.testing.assert_array_equal(shuffled, together[order])


def check_names_of_members(ensemble: Ensemble, task: Task) -> None:
    """What members are called changes nothing."""
    learned, stacked = _fitted(ensemble, task)
    names = ("zeta", "eta", "a", "b")
    again = ensemble.fit(replace(small_stacked(task), members=names))
    renamed = ensemble.predict(again, replace(stacked, members=names))
    np.testing.assert_array_equal(renamed, ensemble.predict(learned, stacked))


def check_order_of_members(ensemble: Ensemble, task: Task) -> None:
    """Members given in another order get the same weights, and combine to the same forecasts."""
    stacked, order = small_stacked(task), [2, 0, 3, 1]
    names = tuple(stacked.members[place] for place in order)
    moved = replace(stacked, members=names, forecasts=stacked.forecasts[:, order])
    first, second = ensemble.fit(stacked), ensemble.fit(moved)
    weights, shuffled = ensemble.weights(first), ensemble.weights(second)
    if weights is not None and shuffled is not None:
        np.testing.assert_allclose(shuffled, weights[:, order], atol=1e-8)
    combined = ensemble.predict(first, stacked.without_outcomes())
    again = ensemble.predict(second, moved.without_outcomes())
    np.testing.assert_allclose(again, combined, rtol=1e-6, atol=1e-9)


def check_fit_repeats(ensemble: Ensemble, task: Task) -> None:
    """A second fit by the same seed forecasts the same to the bit."""
    learned, stacked = _fitted(ensemble, task)
    again = ensemble.fit(small_stacked(task))
    found = ensemble.predict(again, stacked)
    np.testing.assert_array_equal(found, ensemble.predict(learned, stacked))


def check_saves_and_loads(ensemble: Ensemble, task: Task) -> None:
    """What is loaded combines as what was saved, to the bit; updated too, if it learns on."""
    learned, stacked = _fitted(ensemble, task)
    each = [learned]
    if ensemble.updates:
        each.append(ensemble.update(learned, small_stacked(task).take(_later())))
    for one in each:
        with tempfile.TemporaryDirectory() as folder:
            ensemble.save(one, Path(folder))
            loaded = ensemble.load(Path(folder))
        expected = ensemble.predict(one, stacked)
        np.testing.assert_array_equal(ensemble.predict(loaded, stacked), expected)


def check_updates(ensemble: Ensemble, task: Task) -> None:
    """Rows given at once or one by one teach the same, and what it had learned stays as it was."""
    if not ensemble.updates:
        return
    learned, stacked = _fitted(ensemble, task)
    before = ensemble.predict(learned, stacked)
    known, rows = small_stacked(task), _later()
    at_once = ensemble.update(learned, known.take(rows))
    one_by_one = learned
    for row in rows:
        one_by_one = ensemble.update(one_by_one, known.take(np.array([row])))
    np.testing.assert_array_equal(ensemble.predict(learned, stacked), before)
    found = ensemble.predict(one_by_one, stacked)
    np.testing.assert_array_equal(found, ensemble.predict(at_once, stacked))


def check_follows(ensemble: Ensemble, task: Task) -> None:
    """Many decisions at once, each with what was known by then, give the bits of one by one."""
    if not ensemble.updates:
        return
    learned, stacked = _fitted(ensemble, task)
    known, decisions = small_stacked(task).take(_later()), stacked.take(_later())
    counts = np.sort(np.random.default_rng(2).integers(0, len(known) + 1, len(decisions)))
    found = ensemble.follow(learned, known, counts, decisions)
    if found is None:
        return
    for row, count in enumerate(counts):
        now = learned if not count else ensemble.update(learned, known.take(np.arange(count)))
        alone = ensemble.predict(now, decisions.take(np.array([row])))
        np.testing.assert_array_equal(found[row], alone[0])


def check_explains(ensemble: Ensemble, task: Task) -> None:
    """Each array of an explanation has a row for each forecast."""
    learned, stacked = _fitted(ensemble, task)
    for values in ensemble.explain(learned, stacked).values():
        same(np.shape(values)[0], len(stacked), "The number of rows of an explanation")


def _later() -> Rows:
    return np.arange(400, 440)


ENSEMBLE_CHECKS = (
    check_combines,
    check_odd_members,
    check_few_rows,
    check_rows_stand_alone,
    check_names_of_members,
    check_order_of_members,
    check_fit_repeats,
    check_saves_and_loads,
    check_updates,
    check_follows,
    check_explains,
)
