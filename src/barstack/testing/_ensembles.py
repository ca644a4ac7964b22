"""What every ensemble must hold to."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from scipy.special import ndtri

from barstack.core.arrays import Floats
from barstack.core.forecast import LEVELS, Target, Task
from barstack.ensembles import Ensemble


def member_forecasts(task: Task, rows: int = 500) -> tuple[Floats, Floats, Target]:
    """Forecasts of four members, of which the first is good and the last is noise."""
    rng = np.random.default_rng(0)
    target = Target(task, ("1h", "4h"), LEVELS if task == "quantiles" else ())
    truth: Floats = rng.normal(size=(rows, 2))
    y: Floats = truth + rng.normal(size=(rows, 2))
    noise = np.array([0.3, 1.0, 2.0, 50.0])[:, None]
    signal = truth[:, None] + noise * rng.normal(size=(rows, 4, 2))
    signal /= 1.0 + noise
    if task == "return":
        return 0.01 * signal[..., None], 0.01 * y, target
    if task == "quantiles":
        spread = ndtri(np.array(LEVELS)) * np.sqrt(1.0 + noise[..., None])
        return 0.01 * (signal[..., None] + spread), 0.01 * y, target
    if task == "direction":
        return 1.0 / (1.0 + np.exp(-2.0 * signal[..., None])), (y > 0).astype(float), target
    scores: Floats = np.stack([-signal, np.zeros_like(signal), signal], axis=-1)
    shares: Floats = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    classes = np.digitize(y, [-0.5, 0.5]).astype(np.float64)
    return shares, classes, target


def check_combines(ensemble: Ensemble, task: Task) -> None:
    """Finite forecasts of the right shape: probabilities of classes, quantiles that rise."""
    forecasts, y, target = member_forecasts(task)
    learned = ensemble.fit(forecasts, y, target)
    combined = ensemble.predict(learned, forecasts, target)
    assert combined.shape == (len(y), 2, len(target.outputs))
    assert np.isfinite(combined).all()
    assert ensemble.weights(learned).shape == (2, 4)
    if target.levels:
        assert (np.diff(combined, axis=2) >= 0.0).all()
    if target.n_classes:
        assert (combined >= 0.0).all()
        assert (combined <= 1.0 + 1e-12).all()
    if task == "three_class":
        np.testing.assert_allclose(combined.sum(axis=2), 1.0)


def check_rows_stand_alone(ensemble: Ensemble, task: Task) -> None:
    """One row gives the very bits that it gives among others."""
    forecasts, y, target = member_forecasts(task)
    learned = ensemble.fit(forecasts, y, target)
    together = ensemble.predict(learned, forecasts, target)
    alone = [ensemble.predict(learned, forecasts[i : i + 1], target) for i in range(50)]
    np.testing.assert_array_equal(np.concatenate(alone), together[:50])


def check_order_of_members(ensemble: Ensemble, task: Task) -> None:
    """Members given in another order get the same weights."""
    forecasts, y, target = member_forecasts(task)
    order = [2, 0, 3, 1]
    weights = ensemble.weights(ensemble.fit(forecasts, y, target))
    shuffled = ensemble.weights(ensemble.fit(forecasts[:, order], y, target))
    np.testing.assert_allclose(shuffled, weights[:, order], atol=1e-8)


def check_saves_and_loads(ensemble: Ensemble, task: Task) -> None:
    """What is loaded combines as what was saved, to the bit."""
    forecasts, y, target = member_forecasts(task)
    learned = ensemble.fit(forecasts, y, target)
    with tempfile.TemporaryDirectory() as folder:
        ensemble.save(learned, Path(folder) / "learned")
        loaded = ensemble.load(Path(folder) / "learned")
    np.testing.assert_array_equal(
        ensemble.predict(loaded, forecasts, target), ensemble.predict(learned, forecasts, target)
    )


ENSEMBLE_CHECKS = (
    check_combines,
    check_rows_stand_alone,
    check_order_of_members,
    check_saves_and_loads,
)
