"""Several models at once: the same as one by one, whatever happens to a worker on the way."""

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barstack.core.errors import ConfigError, TrainingError
from barstack.datasets import Dataset
from barstack.models import MODELS, FittedModel, _choice, _scratch, _workers, train, train_many
from barstack.models._trainer import prepare
from barstack.models._worker import _answer, read_samples, write_samples
from barstack.testing import small_dataset, training_rows

SMALL: dict[str, Any] = {"lookback": 5, "epochs": 2, "batch": 32}

# A model of another module, which workers come to know by importing it.
FRAGILE = textwrap.dedent('''
    """A model whose training fails in the way that is asked for."""

    import json, os, time
    from pathlib import Path
    from typing import ClassVar

    import numpy as np
    from barstack.core.errors import DataError
    from barstack.models import Model, register

    @register("fragile", family="test", tasks=("return",))
    class Fragile(Model):
        one_thread: ClassVar[bool] = True
        fault: str = "none"
        mark: str = ""

        def fit(self, train, stop, target, seed):
            if self.mark:
                Path(self.mark).write_text(str(os.getpid()))
            if self.fault == "exit":
                os._exit(7)
            if self.fault == "error":
                raise DataError("It would not learn.")
            if self.fault == "sleep":
                time.sleep(600)
            print("libraries chat")
            return float(train.y.mean()) + seed

        def predict(self, learned, inputs, target):
            return np.full((len(inputs), 2, 1), learned)

        def save(self, learned, folder):
            if self.fault == "unsaved":
                raise DataError("It would not be saved.")
            if self.fault == "full":
                raise OSError("No space left")
            (folder / "mean.json").write_text(json.dumps(learned))

        def load(self, folder, target):
            return json.loads((folder / "mean.json").read_text())
''')


@cache
def dataset() -> Dataset:
    return small_dataset("return")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARSTACK_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True, scope="module")
def _no_workers_stay() -> Iterator[None]:
    yield
    _workers.dismiss()


@pytest.fixture
def fragile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The class above, from a module in a folder of this test; idle workers do not know of it."""
    _workers.dismiss()
    (tmp_path / "fragile_model.py").write_text(FRAGILE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("fragile_model").Fragile
    del sys.modules["fragile_model"], MODELS._entries["fragile"]
    _workers.dismiss()


def forecasts(fitted: FittedModel) -> Any:
    rows = dataset().with_history(np.arange(len(dataset().features.values)), 5)
    return fitted.predict(dataset().features, rows)


def test_side_by_side_models_learn_the_same_to_the_bit() -> None:
    models = {
        "gru": MODELS.parse({"model": "gru", "hidden": 8, "layers": 1} | SMALL),
        "mlp": MODELS.parse({"model": "mlp", "hidden": [8]} | SMALL),
        "ridge": MODELS.parse("ridge"),
        "windows": MODELS.parse({"model": "tcn", "channels": 8, "mode": "windows"} | SMALL),
    }
    seeds = {"gru": 1, "mlp": 2, "ridge": 3, "windows": 4}
    rows, apart = training_rows(dataset()), np.arange(300, 320)
    rows = np.setdiff1d(rows, apart)
    found = train_many(models, dataset(), rows, seeds, apart, way="side_by_side", workers=2)
    assert list(found) == list(models)
    for name, fitted in found.items():
        alone = train(models[name], dataset(), rows, seeds[name], apart)
        np.testing.assert_array_equal(forecasts(fitted), forecasts(alone))
        assert fitted.trained_through == alone.trained_through
        assert fitted.fit_rows is not None
        np.testing.assert_array_equal(fitted.fit_rows, alone.fit_rows)
        np.testing.assert_array_equal(fitted.stop_rows, alone.stop_rows)
    assert _workers.warm() == 2  # they wait for more
    assert _workers.cores() >= 1


@pytest.mark.parametrize("way", ["alone", "fused", "auto"])
def test_other_ways_learn_the_same_to_rounding(way: Any) -> None:
    models = {
        str(place): MODELS.parse({"model": "mlp", "hidden": [8], "dropout": drop} | SMALL)
        for place, drop in enumerate((0.0, 0.3, 0.3))
    }
    found = train_many(models, dataset(), training_rows(dataset()), 5, way=way, workers=1)
    for name, fitted in found.items():
        expected = forecasts(train(models[name], dataset(), training_rows(dataset()), 5))
        assert np.abs(forecasts(fitted) - expected).max() < 1e-4 * expected.std()


def test_a_worker_that_dies_loses_only_its_model(fragile: Any) -> None:
    models = {
        "before": fragile(),
        "bad": fragile(fault="exit"),
        "refused": fragile(fault="error"),
        "after": fragile(),
        "last": fragile(),
    }
    with pytest.raises(TrainingError) as caught:
        train_many(models, dataset(), training_rows(dataset()), 0, way="side_by_side", workers=2)
    assert list(caught.value.fitted) == ["before", "after", "last"]
    assert str(caught.value) == (
        "2 of 5 models could not be trained: bad: the worker process that trained it ended with "
        "exit code 7. Give it more memory, or train fewer at a time (workers=1).; refused: "
        "Model 'fragile' of package fragile_model, fit: It would not learn."
    )


def test_a_save_that_fails_is_told_by_its_own_words(fragile: Any) -> None:
    models = {fault: fragile(fault=fault) for fault in ("none", "unsaved", "full")}
    with pytest.raises(TrainingError) as caught:
        train_many(models, dataset(), training_rows(dataset()), 0, way="side_by_side", workers=2)
    assert list(caught.value.fitted) == ["none"]
    assert str(caught.value) == (
        "2 of 3 models could not be trained: unsaved: Model 'fragile' of package fragile_model, "
        "save: It would not be saved.; full: Model 'fragile' of package fragile_model: save raises "
        "OSError: No space left. Mend it, or leave it out."
    )


def test_an_error_before_training_is_an_answer_for_every_model() -> None:
    job = {"models": ["ridge", "ridge"], "modules": [], "target": {"task": "x", "horizons": []}}
    known = "return, direction, three_class, quantiles"
    assert _answer(job) == [f"Unknown task 'x'. Known: {known}."] * 2


@pytest.mark.parametrize("module", ["__main__", "barstack_nowhere"])
def test_models_that_no_worker_can_import_are_trained_here(module: str, tmp_path: Path) -> None:
    names: dict[str, Any] = {"__name__": module}
    exec(FRAGILE, names)
    marks = [tmp_path / name for name in "ab"]
    models = {mark.name: names["Fragile"](mark=str(mark)) for mark in marks}
    models["ridge"] = MODELS.parse("ridge")
    seeds = {"a": 1, "b": 2, "ridge": 3}
    rows = training_rows(dataset())
    try:
        found = train_many(models, dataset(), rows, seeds, way="side_by_side", workers=2)
    finally:
        del MODELS._entries["fragile"]
    assert list(found) == ["a", "b", "ridge"]
    assert [int(mark.read_text()) for mark in marks] == [os.getpid()] * 2
    assert found["b"].learned - found["a"].learned == pytest.approx(1.0)


def test_quantiles_are_learned_side_by_side_too() -> None:
    data = small_dataset("quantiles")
    rows = training_rows(data)
    models = {
        "mlp": MODELS.parse({"model": "mlp", "hidden": [8]} | SMALL),
        "wide": MODELS.parse({"model": "mlp", "hidden": [12]} | SMALL),
    }
    found = train_many(models, data, rows, np.int64(3), way="side_by_side", workers=2)  # type: ignore[arg-type]  # any integer will do
    asked = rows[20:60]
    for name, fitted in found.items():
        expected = train(models[name], data, rows, 3).predict(data.features, asked)
        np.testing.assert_array_equal(fitted.predict(data.features, asked), expected)


@pytest.mark.skipif(sys.platform == "win32", reason="such folders stay there")
def test_only_folders_of_the_dead_are_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead, young, other = (tmp_path / f"{_scratch.PREFIX}{n}" for n in ("dead", "young", "other"))
    for folder in (dead, young, other):
        folder.mkdir()
        (folder / "table.npy").write_text("bars")
    for folder in (dead, young):
        (folder / "lock").write_text("")
    os.utime(dead / "lock", (1.0, 1.0))
    with _scratch.scratch_folder() as alive:
        os.utime(alive / "lock", (1.0, 1.0))
        with _scratch.scratch_folder() as second:
            assert set(tmp_path.iterdir()) == {young, other, alive, second}
    assert set(tmp_path.iterdir()) == {young, other}


def test_workers_that_waited_too_long_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    models = {str(place): MODELS.parse({"model": "mlp"} | SMALL) for place in range(2)}
    rows = training_rows(dataset())
    train_many(models, dataset(), rows, 0, way="side_by_side", workers=2)
    old = list(_workers._idle)
    for worker in old:
        worker._process.kill()
        worker._process.wait()
    train_many(models, dataset(), rows, 0, way="side_by_side", workers=2)
    assert not set(old) & set(_workers._idle)


def running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")
    return not status.exists() or status.read_text().rsplit(") ", 1)[1][0] != "Z"


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT reaches a console there")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_ctrl_c_and_a_kill_end_all_workers(how: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "fragile_model.py").write_text(FRAGILE)
    marks = [tmp_path / f"worker{place}" for place in range(2)]
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from fragile_model import Fragile
from barstack.models import train_many
from barstack.testing import small_dataset, training_rows
dataset = small_dataset("return")
models = {{mark: Fragile(fault="sleep", mark=mark) for mark in {[str(m) for m in marks]}}}
train_many(models, dataset, training_rows(dataset), 0, way="side_by_side", workers=2)
"""
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) as one:
        until = time.monotonic() + 120
        while not all(mark.exists() and mark.read_text() for mark in marks):
            assert time.monotonic() < until
            assert one.poll() is None
            time.sleep(0.05)
        one.send_signal(how)
        try:
            _, errors = one.communicate(timeout=60)
        finally:
            one.kill()
    assert ("KeyboardInterrupt" in errors) == (how == signal.SIGINT)
    until = time.monotonic() + 60
    while any(running(int(mark.read_text())) for mark in marks):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_samples_travel_to_the_bit(tmp_path: Path) -> None:
    model = MODELS.parse({"model": "mlp"} | SMALL)
    given = prepare(model, dataset(), training_rows(dataset())).fit
    write_samples(given, tmp_path / "fit")
    found = read_samples(tmp_path / "fit")
    for name in ("table", "rows", "history", "y", "weight"):
        np.testing.assert_array_equal(getattr(found, name), getattr(given, name))
    np.testing.assert_array_equal(found.last(), given.last())


def measured(seconds: float, seen: list[float], what: str = "mlp") -> dict[str, float]:
    def measure() -> dict[str, float]:
        seen.append(seconds)
        return {"alone_s": seconds}

    return _choice.once(what, ("alone_s",), measure)


def test_what_was_measured_once_is_looked_up() -> None:
    seen: list[float] = []
    assert measured(1.5, seen) == measured(2.5, seen) == {"alone_s": 1.5}
    assert measured(3.5, seen, "tcn") == {"alone_s": 3.5}
    assert measured(9.0, seen) == {"alone_s": 1.5}
    assert seen == [1.5, 3.5]


@pytest.mark.parametrize("changed", ["version", "cores"])
def test_another_torch_or_machine_is_measured_anew(
    changed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    measured(1.5, seen)
    monkeypatch.setattr(_choice, changed, lambda *_: "99")
    assert measured(2.5, seen) == {"alone_s": 2.5}


@pytest.mark.parametrize(
    "spoilt",
    ["", "[1]", "{", '{"KEY": 3}', '{"KEY": {"alone_s": NaN}}', '{"KEY": {"alone_s": -1.0}}',
     '{"KEY": {"other_s": 1.0}}', '{"KEY": {"alone_s": "1.0"}}', "\xff"],
)  # fmt: skip
def test_a_damaged_file_is_measured_anew(spoilt: str) -> None:
    seen: list[float] = []
    measured(1.5, seen)
    (key,) = json.loads(_choice.file().read_text())
    _choice.file().write_bytes(spoilt.replace("KEY", key).encode("latin1"))
    assert measured(2.5, seen) == measured(3.5, seen) == {"alone_s": 2.5}


def test_a_cache_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("BARSTACK_CACHE", str(tmp_path / "file"))
    seen: list[float] = []
    assert measured(1.5, seen) == {"alone_s": 1.5}
    assert measured(2.5, seen) == {"alone_s": 2.5}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"way": "both"}, "Unknown way 'both'. Choose one of auto, alone, side_by_side, fused"),
        ({"models": [MODELS.parse("ridge")]}, "mapping of names to models, got a list"),
        ({"models": {"a": "ridge"}}, "a name and a model each, got 'a': 'ridge'"),
        ({"seeds": {"b": 1}}, "seeds must have an integer for 'a', got None"),
        ({"seeds": 1.5}, "seeds must have an integer for 'a', got 1.5"),
    ],
)
def test_wrong_arguments_are_refused(given: dict[str, Any], said: str) -> None:
    usual: dict[str, Any] = {"models": {"a": MODELS.parse("ridge")}, "seeds": 0}
    with pytest.raises(ConfigError, match=said):
        train_many(dataset=dataset(), rows=training_rows(dataset()), **(usual | given))


def test_no_workers_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="workers must be 1 or more, got 0"):
        train_many({}, dataset(), training_rows(dataset()), 0, workers=0)
