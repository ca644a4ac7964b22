"""Models that tell tickers apart: each by itself, from one start, from the most alike."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.models.test_neural_contract import SMALL, small
from tests.models.ticker_worlds import panel_of, rows_of

from barstack.core.arrays import Rows
from barstack.core.errors import ArtifactError, BarstackError, ConfigError, DataError
from barstack.core.files import seal
from barstack.core.forecast import EVERY_TASK, Task
from barstack.core.seeds import derive_seed
from barstack.datasets import Dataset
from barstack.models import MODELS, FittedModel, Model, train, update
from barstack.models.wrappers.transfer import Profile, likeness
from barstack.testing import small_dataset, training_rows
from barstack.testing._models import check_forecasts_fit_the_task

MLP = {"model": "mlp", "lookback": 1, "hidden": [32, 32], "dropout": 0.0, "batch": 32}
TREES = {"model": "lightgbm", "trees": 60, "leaf_rows": 5, "feature_share": 1.0}


def per_ticker(**of: Any) -> Model:
    return MODELS.parse({"model": "per_ticker", "of": of})


def error(fitted: FittedModel, dataset: Dataset, rows: Rows) -> float:
    """Mean squared error of one ticker's forecasts as a share of its labels' variance."""
    y = dataset.labels.values[rows, 0]
    return float(np.mean((fitted.predict(dataset.features, rows)[:, 0, 0] - y) ** 2) / y.var())


@pytest.mark.parametrize("name", ["ridge", "lightgbm"])
def test_each_ticker_is_fitted_as_if_alone(name: str) -> None:
    """Where tickers share all decision times, rows to stop by are the same as well."""
    dataset = small_dataset("return")
    rows = rows_of(dataset, {"A", "B"}, 100, 450)
    together = train(per_ticker(model=name), dataset, rows, seed=5)
    for symbol in dataset.decisions.symbols:
        own = rows[dataset.decisions.symbol[rows] == symbol]
        alone = train(MODELS.get(name)(), dataset, own, seed=derive_seed(5, symbol))
        asked = rows_of(dataset, {symbol}, 100, 600)
        found = together.predict(dataset.features, asked)
        np.testing.assert_allclose(found, alone.predict(dataset.features, asked), rtol=1e-6)


def test_what_pooling_averages_away_is_found() -> None:
    """Two tickers on which one feature has opposite effects."""
    own = {"DOWN": np.array([0.0, 0.0, -1.0, 0.0]), "UP": np.array([0.0, 0.0, 1.0, 0.0])}
    dataset = panel_of(own, 700, seed=1)
    rows, asked = (rows_of(dataset, set(own), *span) for span in ((100, 500), (500, 700)))
    pooled = train(MODELS.parse(TREES), dataset, rows, seed=0)
    each = train(per_ticker(**TREES), dataset, rows, seed=0)
    assert error(each, dataset, asked) < 0.6
    assert error(pooled, dataset, asked) > 0.95


def test_a_ticker_that_is_not_known_is_named_and_can_join() -> None:
    dataset = small_dataset("return")
    first, second = (rows_of(dataset, {symbol}, 100, 400) for symbol in "AB")
    fitted = train(per_ticker(model="ridge"), dataset, first, seed=0)
    with pytest.raises(DataError, match=r"B is none of the tickers that were trained on: A\."):
        fitted.predict(dataset.features, second)
    joined = update(fitted, dataset, second, seed=0)  # known as early as A's, and never seen
    np.testing.assert_array_equal(
        joined.predict(dataset.features, first), fitted.predict(dataset.features, first)
    )
    alone = train(MODELS.get("ridge")(), dataset, second, seed=0)
    expected = alone.predict(dataset.features, second)
    np.testing.assert_allclose(joined.predict(dataset.features, second), expected, rtol=1e-9)


def test_what_cannot_be_is_said() -> None:
    dataset = small_dataset("direction")
    rows = training_rows(dataset)
    with pytest.raises(ConfigError, match="does return, not direction"):
        train(per_ticker(model="ridge"), dataset, rows, seed=0)
    with pytest.raises(ConfigError, match="reptile takes gradient steps"):
        MODELS.parse({"model": "reptile", "of": "lightgbm"})
    with pytest.raises(ConfigError, match="random_forest cannot learn on"):
        MODELS.parse({"model": "transfer", "of": "random_forest"})
    with pytest.raises(ConfigError, match="of is itself a model for each ticker"):
        MODELS.parse({"model": "per_ticker", "of": "transfer"})
    with pytest.raises(DataError, match=r"No ticker has enough of the 2 training rows"):
        train(per_ticker(model="lightgbm"), dataset, rows[:2], seed=0)


def test_a_ticker_with_too_few_rows_waits_and_says_so() -> None:
    dataset = small_dataset("direction")
    rows = training_rows(dataset)
    own = np.flatnonzero(dataset.decisions.symbol[rows] == "B")
    fitted = train(per_ticker(model="lightgbm"), dataset, np.delete(rows, own[2:]), seed=0)
    assert fitted.model.symbols(fitted.learned) == {"A"}
    asked = rows_of(dataset, {"A", "B"}, 450, 500)
    kept = fitted.forecastable(dataset, asked)
    np.testing.assert_array_equal(kept, asked[dataset.decisions.symbol[asked] == "A"])
    with pytest.raises(DataError, match="B is none of the tickers that were trained on: A"):
        fitted.predict(dataset.features, asked)


def test_a_ticker_whose_rows_end_early_stops_by_its_own() -> None:
    """It learns what it learns alone, and the other is not touched by where it ends."""
    dataset = small_dataset("return")
    parts = {"A": rows_of(dataset, {"A"}, 100, 450), "B": rows_of(dataset, {"B"}, 100, 250)}
    rows = np.concatenate(list(parts.values()))
    rows = rows[np.argsort(dataset.decisions.decided_at[rows], kind="stable")]
    together = train(per_ticker(**TREES), dataset, rows, seed=5)
    for symbol, own in parts.items():
        alone = train(MODELS.parse(TREES), dataset, own, seed=derive_seed(5, symbol))
        asked = rows_of(dataset, {symbol}, 100, 600)
        found, expected = (each.predict(dataset.features, asked) for each in (together, alone))
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_known_ticker_with_too_few_new_rows_stays_as_it_is() -> None:
    dataset = small_dataset("return")
    fitted = train(per_ticker(**TREES), dataset, rows_of(dataset, {"A", "B"}, 100, 400), seed=0)
    later, few = rows_of(dataset, {"A"}, 420, 560), rows_of(dataset, {"B"}, 420, 421)
    new = np.sort(np.concatenate([later, few]))
    updated = update(fitted, dataset, new[np.argsort(dataset.decisions.decided_at[new])], seed=0)
    for symbol, changes in {"A": True, "B": False}.items():
        asked = rows_of(dataset, {symbol}, 400, 600)
        before, after = (each.predict(dataset.features, asked) for each in (fitted, updated))
        assert (before != after).any() == changes


@pytest.mark.parametrize("seed", [1, 2])
def test_a_few_steps_lead_from_the_common_start_to_a_new_ticker(seed: int) -> None:
    """Nearer than as many steps from scratch, and than what was pooled from the other tickers."""
    random = np.random.default_rng(100 + seed)
    own = {f"T{number}": random.normal(size=4) for number in range(8)}
    others, own["NEW"] = set(own), random.normal(size=4)
    dataset = panel_of(own, 1200, seed)
    known, asked = rows_of(dataset, others, 100, 900), rows_of(dataset, {"NEW"}, 900, 1200)
    few = rows_of(dataset, {"NEW"}, 700, 860)
    reptile = {"model": "reptile", "of": MLP, "rounds": 400, "inner_steps": 10, "adapt_steps": 40}
    start = train(MODELS.parse(reptile), dataset, known, seed)
    adapted = update(start, dataset, few, seed)
    nowhere = reptile | {"rounds": 1, "inner_steps": 1, "outer_rate": 1e-9}
    scratch = train(MODELS.parse(nowhere), dataset, few, seed)
    pooled = train(MODELS.parse(MLP | {"epochs": 6}), dataset, known, seed)
    errors = [error(each, dataset, asked) for each in (adapted, scratch, pooled)]
    print(f"seed {seed}: adapted, scratch, pooled {np.round(errors, 3)}")
    assert errors[0] < 0.9 * min(errors[1:])
    assert adapted.learned.own["NEW"].learned.curves[0].steps == 0


@pytest.mark.parametrize("name", SMALL)
def test_every_network_can_be_begun_from_a_common_start(name: str) -> None:
    dataset = small_dataset("return")
    steps = {"rounds": 2, "inner_steps": 2, "adapt_steps": 2}
    model = MODELS.parse({"model": "reptile", "of": small(name)} | steps)
    rows = rows_of(dataset, {"A", "B"}, 100, 180)
    fitted = train(model, dataset, rows, seed=0)
    assert np.isfinite(fitted.predict(dataset.features, rows)).all()


@pytest.mark.parametrize("task", EVERY_TASK)
@pytest.mark.parametrize("name", ["per_ticker", "transfer", "reptile"])
def test_what_the_model_within_can_they_can(name: str, task: Task) -> None:
    assert task in MODELS.get(name).tasks
    of = MLP if name == "reptile" else TREES
    steps = {"rounds": 4, "adapt_steps": 4} if name == "reptile" else {}
    check_forecasts_fit_the_task(
        MODELS.parse({"model": name, "of": of} | steps), small_dataset(task)
    )


def twins(seed: int) -> Dataset:
    """Tickers A1 and A2 see the same and do the same; so do B1 and B2, something else."""
    weights = {"A": np.array([1.0, 0.0, 1.0, 0.0]), "B": np.array([0.0, -1.0, 0.0, 1.0])}
    own = {f"{kind}{number}": weights[kind] for kind in "AB" for number in (1, 2)}
    dataset = panel_of(own, 900, seed)
    X, y = dataset.features.values.copy(), dataset.labels.values.copy()
    random = np.random.default_rng(seed)
    for kind in "AB":
        one, other = (np.flatnonzero(dataset.decisions.symbol == f"{kind}{n}") for n in (1, 2))
        X[other] = X[one]
        y[other] = y[one] + 0.004 * random.normal(size=(len(one), 1))
    labels = replace(dataset.labels, values=y, returns=y)
    return Dataset(replace(dataset.features, values=X), labels)


def rows_of_twins(dataset: Dataset) -> Rows:
    """Of B2 about half as many as of the others."""
    rich = rows_of(dataset, {"A1", "A2", "B1"}, 100, 700)
    rows = np.concatenate([rich, rows_of(dataset, {"B2"}, 330, 700)])
    return rows[np.argsort(dataset.decisions.decided_at[rows], kind="stable")]


def test_a_ticker_with_few_rows_gains_from_its_twin() -> None:
    """By the mean of six worlds; in a single one it may gain nothing."""
    errors = []
    for seed in range(6):
        dataset = twins(seed)
        rows, asked = rows_of_twins(dataset), rows_of(dataset, {"B2"}, 700, 900)
        models = MODELS.parse({"model": "transfer", "of": TREES}), per_ticker(**TREES)
        errors.append([error(train(m, dataset, rows, seed), dataset, asked) for m in models])
    begun, alone = np.mean(errors, axis=0)
    assert begun < 0.95 * alone


@pytest.mark.parametrize("seed", [0, 1])
def test_a_ticker_with_few_rows_learns_on_from_its_twin(seed: int, tmp_path: Path) -> None:
    dataset = twins(seed)
    rows = rows_of_twins(dataset)
    transfer = MODELS.parse({"model": "transfer", "of": TREES})
    fitted = train(transfer, dataset, rows, seed)
    shared = fitted.learned.shared
    assert shared.begun_from == {"A1": None, "A2": "A1", "B1": None, "B2": "B1"}
    symbols, table = shared.table()
    assert symbols[-1] == "B2"
    assert table[-1].argsort()[-2:].tolist() == [symbols.index("B1"), symbols.index("B2")]
    fitted.save(tmp_path / "model")
    again = FittedModel.load(tmp_path / "model").learned.shared
    assert again.begun_from == shared.begun_from
    np.testing.assert_array_equal(again.table()[1], table)


def test_likeness_has_seen_training_rows_only() -> None:
    dataset = twins(0)
    rows = rows_of(dataset, {"A1", "A2", "B1", "B2"}, 100, 600)
    y = dataset.labels.values.copy()
    y[np.setdiff1d(np.arange(len(y)), rows)] = 9.0
    spoilt = replace(dataset, labels=replace(dataset.labels, values=y, returns=y))
    model = MODELS.parse({"model": "transfer", "of": "ridge"})
    tables = [train(model, each, rows, 0).learned.shared.table()[1] for each in (dataset, spoilt)]
    np.testing.assert_array_equal(*tables)


def test_too_few_days_in_common_say_nothing_against_likeness() -> None:
    days, random = np.arange(40), np.random.default_rng(0)
    by_hour, daily = random.random(24), random.normal(size=40)
    whole, few = Profile(days, daily, by_hour), Profile(days[:10], daily[:10], by_hour)
    assert likeness(few, few) == likeness(whole, few) == likeness(whole, whole) == 1.0
    assert likeness(whole, Profile(days, -daily, by_hour)) == pytest.approx(0.0)


@pytest.mark.parametrize("name", ["per_ticker", "transfer"])
def test_a_file_that_is_altered_is_refused(name: str, tmp_path: Path) -> None:
    dataset = small_dataset("return")
    model = MODELS.parse({"model": name, "of": "ridge"})
    train(model, dataset, training_rows(dataset), 0).save(tmp_path / "model")
    for file in sorted((tmp_path / "model" / "learned").rglob("*.[jn]*")):
        whole = file.read_bytes()
        for spoilt in (whole[: len(whole) // 2], b"[]", b'{"A": 1}'):
            file.write_bytes(spoilt)
            with pytest.raises(ArtifactError):
                FittedModel.load(tmp_path / "model")
        file.write_bytes(whole)
    FittedModel.load(tmp_path / "model")


def test_rows_without_symbols_are_refused() -> None:
    from barstack.models import BarstackRegressor  # noqa: PLC0415 (scikit-learn takes a second)

    with pytest.raises(BarstackError, match="distinguishes symbols"):
        BarstackRegressor("per_ticker", of="ridge").fit(np.eye(20), np.arange(20.0))


@pytest.mark.parametrize("n_features", [6, 2**30])
def test_a_ticker_of_another_width_is_refused_at_load(n_features: int, tmp_path: Path) -> None:
    """Hashes set right again, and nobody has asked for that ticker yet."""
    dataset = small_dataset("return")
    trees = {"model": "lightgbm", "trees": 5}
    train(per_ticker(**trees), dataset, training_rows(dataset), seed=0).save(tmp_path / "one")
    inner = tmp_path / "one" / "learned" / "1"
    for file in inner.glob("horizon_*.npz"):
        arrays = dict(np.load(file))
        arrays["n_features"] = np.full_like(arrays["n_features"], n_features)
        np.savez(file, **arrays)
    for folder in (inner, inner.parent):
        (folder / "sealed.json").unlink()
        seal(folder)
    with pytest.raises(ArtifactError, match=r"trained on|n_features"):
        FittedModel.load(tmp_path / "one")
