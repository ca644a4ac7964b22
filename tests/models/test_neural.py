"""Neural models: sizes, modes, learning curves, losses, files; the contract suite has the rest."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from barstack.core.errors import ArtifactError, ConfigError, DataError
from barstack.core.forecast import Task
from barstack.datasets import Dataset, Samples
from barstack.models import MODELS, FittedModel, train
from barstack.models.neural._learned import Epoch, Learned
from barstack.models.neural._neural import Neural
from barstack.splits import early_stop_split
from barstack.testing import small_dataset, training_rows

NAMES = [name for name in MODELS.names() if issubclass(MODELS.get(name), Neural)]
CAUSAL = [name for name in NAMES if MODELS.get(name).causal]  # type: ignore[attr-defined]
dataset_for: Callable[[Task], Dataset] = cache(small_dataset)

# At 52 features (the set stack52) and four horizons.
SIZES = {
    "lstm": 64_000, "gru": 64_000, "transformer": 65_000, "cnn_lstm": 76_000,
    "multitask_lstm": 65_000, "attention_lstm": 66_000, "mixture_of_experts": 193_000,
    "tft": 143_000,
}  # fmt: skip


def model_of(name: str, **settings: Any) -> Neural:
    model = MODELS.parse({"model": name} | settings)
    assert isinstance(model, Neural)
    return model


def samples_of(task: Task = "return", lookback: int = 8) -> tuple[Samples, Samples, Dataset]:
    """Samples to fit on and to stop by."""
    dataset = dataset_for(task)
    rows = dataset.with_history(training_rows(dataset), lookback)
    fit, stop = early_stop_split(dataset.decisions, dataset.labels.all_known_at, rows)
    scaler, scale = dataset.fit_scaler(fit), np.ones(2)
    if task == "return":
        scale = dataset.labels.values[fit].std(axis=0)
    return dataset.samples(fit, scaler, scale), dataset.samples(stop, scaler, scale), dataset


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_those_of_the_reference_study(name: str) -> None:
    count = model_of(name).parameter_count(n_features=52, n_outputs=4)
    assert abs(count / SIZES[name] - 1.0) < 0.1


def test_all_architectures_are_here() -> None:
    assert set(NAMES) == {
        *SIZES, "autoencoder_mlp", "dlinear", "hierarchical", "mlp", "nhits", "patchtst", "tcn",
    }  # fmt: skip


@pytest.mark.parametrize("lookback", [12, 24, 41])
@pytest.mark.parametrize("name", NAMES)
def test_shapes(name: str, lookback: int) -> None:
    more = {"timeframes": (1, 3)} if name == "hierarchical" else {}
    model = model_of(name, lookback=lookback, **({"pools": (5, 1)} if name == "nhits" else more))
    network = model.network(7, 6).eval()
    windows = torch.randn(3, lookback, 7)
    if model.causal:
        assert network(windows).shape == (3, 1, 6)
        assert network(torch.randn(3, lookback + 8, 7), 9).shape == (3, 9, 6)
    else:
        assert network(windows).shape == (3, 6)


@pytest.mark.parametrize("name", NAMES)
def test_the_newest_and_the_oldest_bar_count(name: str) -> None:
    """A forecast depends on its bars up to the newest; all but TCN's and the like on the oldest."""
    model = model_of(name)
    torch.manual_seed(0)
    network = model.network(5, 2).eval()
    windows = torch.randn(1, model.lookback, 5, requires_grad=True)
    network(windows).sum().backward()
    assert windows.grad is not None
    felt = windows.grad[0].abs().sum(dim=1) > 0
    assert felt[-1]
    assert felt[:5].any() or model.lookback == 1


@pytest.mark.parametrize("name", CAUSAL)
def test_causal_networks_see_nothing_later(name: str) -> None:
    """At each step of a chunk the outputs are those without what comes after it."""
    model = model_of(name)
    torch.manual_seed(0)
    network = model.network(5, 2).eval()
    bars = torch.randn(2, 60, 5)
    with torch.inference_mode():
        whole = network(bars, 30)
        spoilt = bars.clone()
        spoilt[:, 50:] = 1e3
        torch.testing.assert_close(network(spoilt, 30)[:, :20], whole[:, :20])
        short = network(bars[:, :50], 20)
    torch.testing.assert_close(short, whole[:, :20], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["tcn", "transformer", "hierarchical"])
def test_without_a_state_a_chunk_says_what_its_windows_say(name: str) -> None:
    model = model_of(name)
    torch.manual_seed(0)
    network = model.network(5, 2).eval()
    bars = torch.randn(1, 23 + 40, 5)
    windows = torch.cat([bars[:, at : at + 24] for at in range(40)])
    with torch.inference_mode():
        dense, exact = network(bars, 40)[0], network(windows)[:, 0]
    torch.testing.assert_close(dense, exact, rtol=1e-4, atol=2e-5)


def test_whole_windows_cannot_be_dense() -> None:
    with pytest.raises(ConfigError, match="mlp reads whole windows and cannot be trained on chunk"):
        model_of("mlp", mode="dense")
    assert model_of("lstm").dense
    assert not model_of("lstm", mode="windows").dense


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model": "transformer", "width": 30}, "cannot be shared by 4 heads"),
        ({"model": "tft", "width": 30}, "cannot be shared by 4 heads"),
        ({"model": "hierarchical", "timeframes": [1, 12]}, "does not fit into a lookback of 24"),
        ({"model": "nhits", "pools": [30]}, "cannot be pooled in a lookback of 24"),
        ({"model": "patchtst", "patch": 30}, "no patch of 30 bars fits a lookback of 24"),
        ({"model": "dlinear", "trend_bars": 12}, "has no middle"),
        ({"model": "cnn_lstm", "kernel": 13}, "Look back at least 25 bars"),
    ],
)
def test_settings_that_do_not_fit_say_so(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        MODELS.parse(settings)


@pytest.mark.parametrize("mode", ["dense", "windows"])
def test_learning_curves_are_kept_and_saved(mode: str, tmp_path: Path) -> None:
    dataset = dataset_for("return")
    model = model_of("tcn", lookback=8, epochs=3, channels=8, mode=mode, schedule="one_cycle")
    fitted = train(model, dataset, training_rows(dataset), seed=0)
    fitted.save(tmp_path / "model")
    loaded = FittedModel.load(tmp_path / "model").learned
    assert isinstance(loaded, Learned)
    assert loaded.mode == mode
    assert loaded.curves == fitted.learned.curves
    assert [epoch.number for epoch in loaded.curves] == [0, 1, 2]
    assert loaded.curves[2].learning_rate < loaded.curves[1].learning_rate
    assert loaded.best.stop_loss == min(epoch.stop_loss for epoch in loaded.curves)


def test_the_weights_are_those_of_the_best_epoch() -> None:
    """Training that is cut after the best epoch learned the same."""
    learn, stop, dataset = samples_of()
    model = model_of("mlp", lookback=8, epochs=12, patience=12, learning_rate=0.02)
    long = model.fit(learn, stop, dataset.target, 0)
    assert long.best.number < 11
    cut = model.model_copy(update={"epochs": long.best.number + 1})
    short = cut.fit(learn, stop, dataset.target, 0)
    for name, value in long.network.state_dict().items():
        assert torch.equal(value, short.network.state_dict()[name])


def test_patience_ends_training() -> None:
    learn, stop, dataset = samples_of()
    model = model_of("mlp", lookback=8, epochs=40, patience=2, learning_rate=0.02, batch=4)
    found = model.fit(learn, stop, dataset.target, 0)
    assert len(found.curves) == found.best.number + 3 < 40


@pytest.mark.parametrize(("name", "mode", "first"), [
    ("mlp", "windows", 100), ("gru", "windows", 100), ("gru", "dense", 50),
])  # fmt: skip
def test_patience_counts_only_after_the_first_steps(name: str, mode: str, first: int) -> None:
    learn, stop, dataset = samples_of()
    model = model_of(
        name, mode=mode, lookback=8, epochs=120, patience=1, learning_rate=0.02, batch=2_000
    )
    curves = model.fit(learn, stop, dataset.target, 0).curves
    best = min(curves, key=lambda epoch: epoch.stop_loss).number
    assert sum(epoch.steps for epoch in curves) == max(first, best + 2)


@pytest.mark.parametrize("loss", ["mse", "directional"])
def test_other_losses_learn_too(loss: str) -> None:
    dataset = dataset_for("return")
    rows = training_rows(dataset)
    model = model_of("autoencoder_mlp", loss=loss)
    fitted = train(model, dataset, rows, seed=0)
    later = np.flatnonzero(dataset.decisions.decided_at > fitted.trained_through)
    later = later[~np.isnan(dataset.labels.values[later]).any(axis=1)]
    said = fitted.predict(dataset.features, later)[:, 0, 0]
    assert np.corrcoef(said, dataset.labels.values[later, 0])[0, 1] > 0.4


def test_a_loss_of_another_task_is_refused() -> None:
    dataset = dataset_for("direction")
    with pytest.raises(ConfigError, match="loss 'mse' cannot be used to forecast direction"):
        train(model_of("mlp", loss="mse"), dataset, training_rows(dataset), seed=0)


def test_training_that_diverges_says_so() -> None:
    dataset = dataset_for("return")
    model = model_of("mlp", loss="mse", learning_rate=1e30, epochs=3)
    with pytest.raises(DataError, match="Training diverged"):
        train(model, dataset, training_rows(dataset), seed=0)


def test_bfloat16_learns_about_the_same() -> None:
    dataset = dataset_for("return")
    wide, narrow = (
        train(model_of("tcn", precision=each), dataset, training_rows(dataset), seed=0)
        for each in ("float32", "bfloat16")
    )
    assert narrow.learned.best.stop_loss == pytest.approx(wide.learned.best.stop_loss, rel=0.2)


def test_the_callers_random_state_is_left_alone() -> None:
    learn, stop, dataset = samples_of()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    model_of("mlp", lookback=8, epochs=1).fit(learn, stop, dataset.target, 0)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("name", ["gru", "mlp"])
def test_a_table_too_large_to_keep_is_scaled_step_by_step(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn, stop, dataset = samples_of()
    model = model_of(name, lookback=8, epochs=2)
    kept = model.fit(learn, stop, dataset.target, 0)
    monkeypatch.setattr("barstack.models.neural._batches._KEPT_VALUES", 10)
    taken = model.fit(learn, stop, dataset.target, 0)
    assert [e.stop_loss for e in kept.curves] == [e.stop_loss for e in taken.curves]


class KilledError(Exception):
    """Stands for what ends a process."""


@pytest.mark.parametrize("name", ["lstm", "autoencoder_mlp"])
def test_training_goes_on_after_a_kill_to_the_bit(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("barstack.models.neural._checkpoint.EVERY_S", 0.0)
    learn, stop, dataset = samples_of()
    model = model_of(name, lookback=8, epochs=6, schedule="cosine")

    def kill(epoch: Epoch) -> None:
        if epoch.number == 2:
            raise KilledError

    whole = model.fit(learn, stop, dataset.target, 7)
    with pytest.raises(KilledError):
        model.fit(learn, stop, dataset.target, 7, folder=tmp_path, on_epoch=kill)
    seen: list[int] = []
    resumed = model.fit(
        learn, stop, dataset.target, 7, folder=tmp_path, on_epoch=lambda e: seen.append(e.number)
    )
    assert seen == [3, 4, 5]
    assert not list(tmp_path.iterdir())
    for one, other in zip(resumed.curves, whole.curves, strict=True):
        assert replace(one, seconds=0.0) == replace(other, seconds=0.0)
    for key, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[key])


def test_a_checkpoint_of_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from barstack.core.errors import StorageError  # noqa: PLC0415

    monkeypatch.setattr("barstack.models.neural._checkpoint.EVERY_S", 0.0)
    learn, stop, dataset = samples_of()
    model = model_of("mlp", lookback=8, epochs=3)

    def kill(_: Epoch) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        model.fit(learn, stop, dataset.target, 7, folder=tmp_path, on_epoch=kill)
    for other, seed in ((model, 8), (model.model_copy(update={"batch": 32}), 7)):
        with pytest.raises(StorageError, match="is of another model, seed or other rows"):
            other.fit(learn, stop, dataset.target, seed, folder=tmp_path)
    (tmp_path / "checkpoint.safetensors").write_bytes(b"damaged")
    with pytest.raises(StorageError, match="Delete it, and training begins anew"):
        model.fit(learn, stop, dataset.target, 7, folder=tmp_path)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    learn, stop, dataset = samples_of()
    model = model_of("lstm", lookback=8, epochs=1, hidden=4)
    folder = tmp_path_factory.mktemp("saved")
    model.save(model.fit(learn, stop, dataset.target, 0), folder)
    return folder


def _reloaded(folder: Path) -> Learned:
    target = dataset_for("return").target
    return model_of("lstm", lookback=8, epochs=1, hidden=4).load(folder, target)


def _copy(saved: Path, to: Path) -> Path:
    for file in saved.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


@pytest.mark.parametrize(
    "spoil",
    [
        {"n_features": 10**9}, {"n_features": 6}, {"n_features": "5"}, {"start": [0.0]},
        {"start": [0.0, float("nan")]}, {"mode": "other"}, {"curves": [{"number": 1}]},
        {"curves": None},
    ],
)  # fmt: skip
def test_a_spoilt_story_is_refused(spoil: dict[str, Any], saved: Path, tmp_path: Path) -> None:
    file = _copy(saved, tmp_path) / "training.json"
    _reloaded(tmp_path)
    file.write_text(json.dumps(json.loads(file.read_text()) | spoil))
    with pytest.raises(ArtifactError):
        _reloaded(tmp_path)


@pytest.mark.parametrize("how", ["nan", "shape", "dtype", "missing", "cut", "gone"])
def test_spoilt_weights_are_refused(how: str, saved: Path, tmp_path: Path) -> None:
    file = _copy(saved, tmp_path) / "network.safetensors"
    weights = load_file(file)
    name = next(iter(weights))
    if how == "nan":
        weights[name] = weights[name] * float("nan")
    elif how == "shape":
        weights[name] = torch.zeros(3)
    elif how == "dtype":
        weights[name] = weights[name].double()
    elif how == "missing":
        del weights[name]
    save_file(weights, file)
    if how == "cut":
        file.write_bytes(file.read_bytes()[:-7])
    elif how == "gone":
        file.unlink()
    with pytest.raises(ArtifactError, match=r"network\.safetensors"):
        _reloaded(tmp_path)


@pytest.mark.parametrize("name", ["autoencoder_mlp", "tcn"])
def test_rows_to_stop_by_count_by_their_weight(name: str) -> None:
    """Of rows to stop by, half contradict all others: whichever half weighs something decides."""
    learn, stop, dataset = samples_of()
    sign = np.sign(learn.last()[:, [2, 2]])
    against = np.arange(len(stop)) % 2 == 0
    other = np.sign(stop.last()[:, [2, 2]]) * np.where(against, -1.0, 1.0)[:, None]
    best = []
    for counts in (~against, against):
        judged = replace(stop, y=other, weight=2.0 * counts)
        model = model_of(name, lookback=8, epochs=8, learning_rate=1e-3)
        learned = model.fit(replace(learn, y=sign), judged, dataset.target, 0)
        best.append(learned.best.number)
    assert best[0] >= 4
    assert best[1] == 0
