"""Weights by regime: they help where members differ by regime, and do no harm elsewhere."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from barstack.core.arrays import Floats
from barstack.core.decisions import Decisions
from barstack.core.errors import ArtifactError, ConfigError
from barstack.core.forecast import REGIMES, Target
from barstack.core.times import DecidedAt, KnownAt, TrainedThrough
from barstack.ensembles import ENSEMBLES, RegimeView, Stacked, fit_known, walk_forward
from barstack.ensembles._regime_evidence import rows_open, shrinkage
from barstack.ensembles.regime_aware import RegimeAware
from barstack.models._arrays import read_arrays, write_arrays
from barstack.testing import small_stacked

BEGINS = np.datetime64("2020-01-01", "us")
HOUR = np.timedelta64(3_600_000_000, "us")
IC, MEMBERS, KEPT = 0.15, 6, 3  # regimes that do occur


def world(seed: int, *, switching: bool, rows: int = 2_500, turns: int | None = None) -> Stacked:
    """Returns that two members foresee in each of three regimes, or all six in all.

    Which regime it is, is known with some error. After so many `turns` rows others are right.
    """
    rng = np.random.default_rng(seed)
    switches = rng.random(rows) < 0.01
    draws = rng.integers(0, KEPT, rows)
    regime = draws[np.maximum.accumulate(np.where(switches, np.arange(rows), 0))]
    turned = np.arange(rows) // (turns or rows)
    right = np.arange(MEMBERS) % KEPT == (regime + turned)[:, None] % KEPT
    if not switching:
        right[:] = True
    signal = rng.normal(size=(rows, MEMBERS))
    known = (right * signal).sum(axis=1) / np.sqrt(right.sum(axis=1))
    y = 0.01 * (IC * known + np.sqrt(1 - IC**2) * rng.normal(size=rows))
    scores = 3.0 * np.eye(len(REGIMES))[regime] + rng.normal(size=(rows, len(REGIMES)))
    chance = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    decided_at = DecidedAt(BEGINS + HOUR * np.arange(rows))
    return Stacked(
        tuple("abcdef"),
        Decisions(("A",), np.zeros(rows, np.int32), decided_at),
        Target("return", ("1h",)),
        0.01 * IC * signal[:, :, None, None],
        TrainedThrough(decided_at),
        np.arange(rows) * 6 // rows,
        y[:, None],
        KnownAt(decided_at[:, None] + HOUR),
        y[:, None],
        context={"regimes": chance},
    )


@cache
def gains(base: str, switching: bool) -> Floats:
    """Of ten worlds, by how much of its loss the plain ensemble's is reduced."""
    found = []
    for seed in range(10):
        stacked = world(seed, switching=switching)
        loss = []
        for ensemble in (base, {"ensemble": "regime_aware", "base": base}):
            forecast = walk_forward(ENSEMBLES.parse(ensemble), stacked)[0].forecast
            assert stacked.y is not None
            y = stacked.y[stacked.decisions.find(forecast.decisions)]
            loss.append(((forecast.values[:, :, 0] - y) ** 2).mean())
        found.append(1.0 - loss[1] / loss[0])
    return np.array(found)


def error(values: Floats) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


@pytest.mark.parametrize("base", ["nnls", "performance_weighted"])
def test_it_beats_the_plain_ensemble_where_members_differ_by_regime(base: str) -> None:
    found = gains(base, switching=True)
    assert found.mean() > 2 * error(found)
    assert found.mean() > 0.002  # of at most 0.015 that could be gained


@pytest.mark.parametrize("base", ["nnls", "performance_weighted"])
def test_it_is_no_worse_where_they_do_not(base: str) -> None:
    found = gains(base, switching=False)
    assert found.mean() > -2 * error(found)
    assert found.min() > -0.005


def evidence(spread: float, *, rows: int = 600, seed: int = 0) -> tuple[Floats, Floats]:
    """Of members whose losses differ by so much between three regimes; noise 1."""
    rng = np.random.default_rng(seed)
    regimes = np.eye(len(REGIMES))[rng.integers(0, KEPT, rows)]
    true = spread * rng.normal(size=(len(REGIMES), 400))
    losses = regimes @ true + rng.normal(size=(rows, 400))
    return shrinkage(losses[:, :, None], regimes, np.ones(rows), 1.0)


@pytest.mark.parametrize("spread", [0.05, 0.1, 0.3])
def test_weights_are_drawn_together_as_the_moments_of_true_differences_say(spread: float) -> None:
    rows, drawn = evidence(spread)
    assert rows[:KEPT].sum() == pytest.approx(600)
    expected = spread**2 * rows / (spread**2 * rows + 1.0)
    np.testing.assert_allclose(drawn[:, 0], expected, atol=0.06)


def test_nothing_is_learned_of_regimes_from_noise_or_of_one_never_seen() -> None:
    rows, drawn = evidence(0.0)
    assert (drawn < 0.1).all()
    rows, drawn = evidence(0.5)
    assert (rows[KEPT:] == 0).all()
    assert (drawn[KEPT:] == 0).all()


def test_labels_that_overlap_count_as_one() -> None:
    stacked = world(0, switching=True, rows=100)
    assert stacked.known_at is not None
    assert rows_open(stacked) == pytest.approx(1.0)
    long = replace(stacked, known_at=KnownAt(stacked.known_at + 4 * HOUR))
    decided_at, known_at = long.decisions.decided_at, long.all_known_at
    side_by_side = (decided_at >= decided_at[:, None]) & (decided_at < known_at[:, None])
    assert rows_open(long) == pytest.approx(side_by_side.sum() / 100)


def test_it_falls_back_where_regimes_mislead_later_rows_and_says_so() -> None:
    ensemble = RegimeAware()
    misled = world(3, switching=True, rows=6_000, turns=2_000)
    learned = ensemble.fit(misled)
    assert learned.used.tolist() == [0]
    assert learned.gain[0] < 0.0
    assert "not used at 1 of 1 horizons" in (ensemble.note(learned) or "")
    plain = ENSEMBLES.parse("nnls")
    expected = plain.predict(plain.fit(misled), misled)
    np.testing.assert_allclose(ensemble.predict(learned, misled), expected)
    assert not ensemble.explain(learned, misled)["used"].any()
    steady = fit_known(ensemble, world(3, switching=True, rows=6_000))
    assert steady.learned.used.tolist() == [1]
    assert steady.note is None


def test_labels_not_known_when_a_part_begins_teach_nothing_about_it() -> None:
    """With labels known only after all rows were decided, there is nothing to judge by."""
    stacked = world(0, switching=True, rows=600)
    assert stacked.known_at is not None
    late = replace(stacked, known_at=KnownAt(stacked.known_at + 600 * HOUR))
    learned = RegimeAware().fit(late)
    assert learned.used.tolist() == [0]
    assert learned.gain.tolist() == [0.0]


def test_forecasts_are_mixed_by_how_likely_each_regime_is() -> None:
    stacked, ensemble = world(3, switching=True, rows=3_000), RegimeAware()
    learned = ensemble.fit(stacked)
    assert learned.used.tolist() == [1]

    def in_regime(chance: Floats) -> Floats:
        context = {"regimes": np.tile(chance, (len(stacked), 1))}
        return ensemble.predict(learned, replace(stacked, context=context))

    one, other = np.eye(len(REGIMES))[:2]
    assert (in_regime(one) != in_regime(other)).any()
    mixed = 0.3 * in_regime(one) + 0.7 * in_regime(other)
    np.testing.assert_allclose(in_regime(0.3 * one + 0.7 * other), mixed)


def test_each_forecast_is_explained() -> None:
    stacked, ensemble = world(3, switching=True, rows=3_000), RegimeAware()
    learned = ensemble.fit(stacked)
    found = ensemble.explain(learned, stacked)
    chance = stacked.context["regimes"]
    np.testing.assert_array_equal(found["confidence"], chance.max(axis=1))
    np.testing.assert_array_equal(found["regime"], chance.argmax(axis=1))
    combined = np.einsum("nhm,nmhk->nhk", found["weights"], stacked.forecasts)
    np.testing.assert_allclose(combined, ensemble.predict(learned, stacked))
    weights = found["weights"][:, 0]
    agree = np.sign(stacked.forecasts[:, :, 0, 0]) == np.sign(combined[:, 0])
    expected = (weights * agree).sum(axis=1) / weights.sum(axis=1)
    np.testing.assert_allclose(found["agreement"][:, 0], expected)
    assert found["used"].all()


def test_the_best_members_of_each_regime_alone_have_weights() -> None:
    stacked = world(3, switching=True, rows=6_000)
    fitted = fit_known(RegimeAware(top_k=2), stacked)
    found = RegimeView(fitted, ("1h",))
    for place, best in enumerate(({"a", "d"}, {"b", "e"}, {"c", "f"})):
        assert set(found.select_best_models(REGIMES[place], top_k=2)) == best
        weights = found.get_regime_weights(REGIMES[place])
        assert {name for name in best if weights[name] > 0.2} == best
        assert sum(weights[name] for name in best) > 0.8 * sum(weights.values())


def test_performance_in_each_regime_is_stored_and_read_by_name(tmp_path: Path) -> None:
    stacked = small_stacked("direction")
    fitted = fit_known(RegimeAware(), stacked)
    fitted.save(tmp_path / "learned")
    loaded = type(fitted).load(
        fitted.ensemble, tmp_path / "learned", fitted.members, fitted.trained_through
    )
    table = RegimeView(loaded, stacked.target.horizons).performance()
    assert len(table) == len(REGIMES) * 2 * 4
    by_name = {(row["regime"], row["horizon"], row["member"]): row for row in table}
    weight = stacked.context["regimes"][:, 5] ** 2
    assert stacked.y is not None
    squares = (stacked.forecasts[:, 0, 1, 0] - stacked.y[:, 1]) ** 2
    row = by_name["crash", "4h", "good"]
    assert row["loss"] == pytest.approx(np.average(squares, weights=weight))
    right = (stacked.forecasts[:, 0, 1, 0] > 0.5) == (stacked.y[:, 1] > 0.5)
    assert row["directional_accuracy"] == pytest.approx(np.average(right, weights=weight))


def test_names_that_are_not_there_are_refused() -> None:
    stacked = small_stacked("return")
    found = RegimeView(fit_known(RegimeAware(), stacked), ("1h", "4h"))
    with pytest.raises(ConfigError, match=r"Unknown regime 'crsh'\. Did you mean 'crash'"):
        found.get_regime_weights("crsh")
    with pytest.raises(ConfigError, match="Unknown horizon '2h'"):
        found.select_best_models("crash", horizon="2h")
    with pytest.raises(ConfigError, match="has no weights by regime"):
        RegimeView(fit_known(ENSEMBLES.parse("average"), stacked), ("1h", "4h"))
    with pytest.raises(ConfigError, match="needs 'regimes' of each decision"):
        fit_known(RegimeAware(), replace(stacked, context={}))


@pytest.mark.parametrize(("entry", "factor"), [("by_regime", -1.0), ("used", 7)])
def test_files_that_hold_something_else_are_refused(
    entry: str, factor: float, tmp_path: Path
) -> None:
    ensemble = RegimeAware()
    learned = ensemble.fit(small_stacked("return"))._replace(used=np.ones(2, np.int64))
    ensemble.save(learned, tmp_path)
    (file,) = tmp_path.iterdir()
    kinds = {
        name: f"{value.dtype} {','.join(map(str, value.shape))}"
        for name, value in learned._asdict().items()
    }
    arrays = read_arrays(file, **kinds)
    write_arrays(file, **(arrays | {entry: (factor * arrays[entry]).astype(arrays[entry].dtype)}))
    with pytest.raises(ArtifactError):
        ensemble.load(tmp_path)
