"""Before it is published, an artifact is loaded in a fresh process and must forecast the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.errors import BarstackError, DataError, FaultError
from barstack.core.parts import broken, built_in
from barstack.features import FeatureTable
from barstack.models import FittedModel

from ._artifact import TrainedEnsemble
from ._one_row import OneRowEnsemble
from ._regimes import NO_REGIME

_ROWS = 8  # forecasts compared
_DETECTOR = "the detector of regimes"
_SAME = 1e-6  # of the size of a forecast: threads may add up in another order
_LONGEST_S = 300
_START = "from barstack.forecasting._reload import main; main()"
_CANNOT = 3  # exit code where the plugins are those of a script or notebook


class ReloadCheck:
    """One fresh process that loads an artifact and forecasts with it, beside other work.

    `start` returns at once; `wait` raises where the artifact cannot be loaded, or forecasts
    something else than what was trained. As a context manager it leaves no process behind.
    """

    def __init__(
        self, trained: TrainedEnsemble, folder: Path, windows: list[Any], symbols: list[str]
    ) -> None:
        self._trained, self._folder = trained, folder
        self._windows, self._symbols = windows, symbols
        detectors = [] if trained.detector is None else [_DETECTOR]
        self._plugins = [
            part
            for name in [*trained.members, *trained.layers.fitted, *detectors]
            for part in _plugins(trained, name)
        ]
        self._scratch = tempfile.TemporaryDirectory()
        self._process = self._started()

    @classmethod
    def start(cls, trained: TrainedEnsemble, folder: Path, table: FeatureTable) -> ReloadCheck:
        """Begin to check what lies in `folder`, by the newest rows of `table`."""
        usable = trained.with_history(table, np.arange(len(table.values)))[-_ROWS:]
        windows, symbols = [], []
        for row in usable:
            window = table.values[row - trained.lookback_bars + 1 : row + 1]
            symbol = str(table.decisions.symbol[row])
            with suppress(DataError):  # of a ticker that a member was not trained on
                _forecasts(trained, [window], [symbol])
                windows.append(window)
                symbols.append(symbol)
        return cls(trained, folder, windows, symbols)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process, wherever it is."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._scratch.cleanup()

    def wait(self) -> None:
        """Return once the reloaded artifact has forecast the same.

        Raises
        ------
        PluginError
            Names the part of another package that saves or loads wrongly.
        FaultError
            One of barstack's own parts does.
        """
        try:
            there = self._result()
        finally:
            self.close()
        here = _forecasts(self._trained, self._windows, self._symbols)
        if there is None:  # of a script or notebook: its parts are nowhere but here
            loaded = TrainedEnsemble.load(self._folder)
            there = _forecasts(loaded, self._windows, self._symbols)
        # A member is at fault before what combines it, which comes first.
        for name in reversed(here):
            self._compare(name, np.array(here[name]), np.array(there.get(name, [])))

    def _started(self) -> subprocess.Popen[bytes] | None:
        modules = sorted({type(part).__module__ for part in self._plugins})
        if "__main__" in modules:
            return None
        scratch = Path(self._scratch.name)
        if self._windows:
            np.save(scratch / "windows.npy", np.stack(self._windows), allow_pickle=False)
        request = {
            "folder": str(self._folder.resolve()),
            "symbols": self._symbols,
            "modules": modules,
        }
        (scratch / "request.json").write_text(json.dumps(request))
        paths = os.pathsep.join(path for path in sys.path if path)
        with (scratch / "stderr").open("wb") as stderr:
            return subprocess.Popen(
                [sys.executable, "-c", _START, str(scratch)],
                env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )

    def _result(self) -> Any:
        """What the process forecasts, by name; None where it cannot have the plugins."""
        if self._process is None:
            return None
        try:
            code = self._process.wait(_LONGEST_S)
        except subprocess.TimeoutExpired:
            raise self._unloadable(f"it takes more than {_LONGEST_S} s.") from None
        if code == _CANNOT:
            return None
        scratch = Path(self._scratch.name)
        if code:
            lines = (scratch / "stderr").read_text(errors="replace").strip().splitlines()
            raise self._unloadable((lines or [f"it ended with exit code {code}."])[-1][:400])
        if not (scratch / "forecasts.json").is_file():
            raise self._unloadable("it ended before it had forecast.")
        return json.loads((scratch / "forecasts.json").read_text())

    def _compare(self, name: str, ours: Any, theirs: Any) -> None:
        same = ours.shape == theirs.shape
        if same and np.allclose(ours, theirs, rtol=_SAME, atol=_SAME * np.abs(ours).max()):
            return
        message = (
            f"loaded again, {name} forecasts {np.ravel(theirs)[-3:].tolist()} where it "
            f"forecast {ours.ravel()[-3:].tolist()}. Nothing was published. Mend its save and load."
        )
        if plugins := _plugins(self._trained, name):
            raise broken(plugins[0], message)
        raise FaultError(f"The artifact in {self._folder} is not what was trained: {message}")

    def _unloadable(self, why: str) -> BarstackError:
        for plugin in self._plugins:  # which is named once, by whom raises this
            why = why.replace(str(broken(plugin, "")), "")
        message = f"cannot be loaded in a process of its own: {why} Nothing was published."
        if self._plugins:
            return broken(self._plugins[0], f"what it saved {message} Mend its save and load.")
        return FaultError(f"The artifact in {self._folder} {message}")


def check_reloads(trained: TrainedEnsemble, folder: Path, table: FeatureTable) -> None:
    """`ReloadCheck`, waited for."""
    with ReloadCheck.start(trained, folder, table) as check:
        check.wait()


def _plugins(trained: TrainedEnsemble, name: str) -> list[Any]:
    """The parts of other packages behind one of the forecasts."""
    member = trained.detector if name == _DETECTOR else trained.members.get(name)
    if member is None:
        parts: list[Any] = [trained.layers.fitted[name].ensemble]
    else:
        parts = [getattr(member.model, "of", member.model), member.model, member.scaler.scaler]
    return [part for part in parts if not built_in(part)]


def _forecasts(trained: TrainedEnsemble, windows: list[Any], symbols: list[str]) -> Any:
    """By name of each forecaster, (n_rows, n_horizons, n_outputs) as lists."""
    one_row = OneRowEnsemble.plain(trained)
    regimes = None if trained.detector is None else NO_REGIME[None]
    found = [
        one_row.predict(window, symbol, regimes=regimes)
        for window, symbol in zip(windows, symbols, strict=True)
    ]
    if not found:
        return {}
    answers = {name: [each[name].tolist() for each in found] for name in found[0]}
    if trained.detector is not None:
        steps = _made_up(trained.detector, len(found))
        answers[_DETECTOR] = [one_row.regimes(each, None).tolist() for each in steps]
    return answers


def _made_up(detector: FittedModel, count: int) -> Iterator[Floats]:
    """Windows of the detector's features, within what it was trained on and beyond."""
    rng = np.random.default_rng(0)
    shape = (detector.model.lookback_bars, len(detector.columns))
    for size in np.geomspace(1e-4, 1.0, count):
        yield size * rng.normal(size=shape)


def main() -> None:
    """Load the artifact that the argument's request names, and write down what it forecasts."""
    scratch = Path(sys.argv[1])
    request = json.loads((scratch / "request.json").read_text())
    try:
        for module in request["modules"]:
            import_module(module)
    except ImportError:
        sys.exit(_CANNOT)
    try:
        trained = TrainedEnsemble.load(request["folder"])
        windows = []
        if request["symbols"]:
            windows = list(np.load(scratch / "windows.npy", allow_pickle=False))
        found = _forecasts(trained, windows, request["symbols"])
        (scratch / "forecasts.json").write_text(json.dumps(found))
    except BarstackError as error:
        if "needs what is not here" in str(error):  # registered within a function
            sys.exit(_CANNOT)
        sys.exit(str(error))
