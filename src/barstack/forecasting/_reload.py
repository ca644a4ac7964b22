"""An artifact is loaded again before it is published, and must forecast what was trained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from barstack.core.errors import BarstackError, DataError, FaultError, PluginError
from barstack.core.parts import broken, built_in
from barstack.features import FeatureTable

from ._artifact import TrainedEnsemble
from ._one_row import OneRowEnsemble

_ROWS = 8  # forecasts compared
_SAME = 1e-6  # of the size of a forecast: threads may add up in another order
_LONGEST_S = 300
_START = "from barstack.forecasting._reload import main; main()"
_ANSWER = "forecasts: "  # begins the line, among all that a part may print
_CANNOT = 3  # exit code where the parts are those of a script or notebook


def check_reloads(trained: TrainedEnsemble, folder: Path, table: FeatureTable) -> None:
    """An error unless what lies in `folder` forecasts the newest rows as `trained` does.

    It is `PluginError` that names the part where that is of another package, else `FaultError`.

    An artifact with parts of other packages is loaded in a process of its own, in which nothing
    was trained; barstack's own parts, which keep nothing beside their files, are loaded here.
    """
    usable = trained.with_history(table, np.arange(len(table.values)))[-_ROWS:]
    lookback = trained.lookback_bars
    windows, symbols = [], []
    for row in usable:
        window, symbol = table.values[row - lookback + 1 : row + 1], table.decisions.symbol[row]
        with suppress(DataError):  # of a ticker that a member was not trained on
            _forecasts(trained, [window], [str(symbol)])
            windows.append(window)
            symbols.append(str(symbol))
    here = _forecasts(trained, windows, symbols)
    _compare(folder, trained, here, _forecasts(TrainedEnsemble.load(folder), windows, symbols))
    parts = [part for name in here for part in _outside(trained, name)]
    if parts and windows:
        _compare(folder, trained, here, _elsewhere(folder, windows, symbols, parts) or here)


def _outside(trained: TrainedEnsemble, name: str) -> list[Any]:
    """The parts of other packages behind one of the forecasts."""
    if (member := trained.members.get(name)) is None:
        parts: list[Any] = [trained.ensemble.ensemble]
    else:
        parts = [getattr(member.model, "of", member.model), member.model, member.scaler.scaler]
    return [part for part in parts if not built_in(part)]


def _forecasts(trained: TrainedEnsemble, windows: list[Any], symbols: list[str]) -> Any:
    """By name of each forecaster, (n_rows, n_horizons, n_outputs) as lists."""
    one_row = OneRowEnsemble.plain(trained)
    each_row = [one_row.predict(*each) for each in zip(windows, symbols, strict=True)]
    return (
        {name: [each[name].tolist() for each in each_row] for name in each_row[0]}
        if each_row
        else {}
    )


def _compare(folder: Path, trained: TrainedEnsemble, here: Any, there: Any) -> None:
    members = [name for name in here if name in trained.members]
    for name in [*members, *here]:  # a member is at fault before what combines it
        values = here[name]
        ours, theirs = np.array(values), np.array(there.get(name, []))
        same = ours.shape == theirs.shape
        if not same or not np.allclose(ours, theirs, rtol=_SAME, atol=_SAME * np.abs(ours).max()):
            message = (
                f"loaded again, {name} forecasts {np.ravel(theirs)[-3:].tolist()} where it "
                f"forecast {ours.ravel()[-3:].tolist()}. Nothing was published. Mend its save and "
                "load."
            )
            if outside := _outside(trained, name):
                raise broken(outside[0], message)
            raise FaultError(f"The artifact in {folder} is not what was trained: {message}")


def _elsewhere(folder: Path, windows: list[Any], symbols: list[str], parts: list[Any]) -> Any:
    """What a new process says; None where it cannot have the parts, as of a notebook."""
    modules = sorted({type(part).__module__ for part in parts})
    if "__main__" in modules:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        np.save(Path(scratch) / "windows.npy", np.stack(windows), allow_pickle=False)
        request = {"folder": str(folder.resolve()), "symbols": symbols, "modules": modules}
        found = [path for path in sys.path if path]
        try:
            done = subprocess.run(
                [sys.executable, "-c", _START, scratch, json.dumps(request)],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(found)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_LONGEST_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _unloadable(parts[0], f"it takes more than {_LONGEST_S} s.") from None
    if done.returncode == _CANNOT:
        return None
    answers = [line for line in done.stdout.splitlines() if line.startswith(_ANSWER)]
    if done.returncode or not answers:
        message = (done.stderr.strip().splitlines() or ["it ended without a word."])[-1]
        raise _unloadable(parts[0], message[:400])
    return json.loads(answers[-1].removeprefix(_ANSWER))


def _unloadable(part: Any, why: str) -> PluginError:
    return broken(
        part,
        f"what it saved cannot be loaded in a process of its own: {why} Nothing was published. "
        "Mend its save and load.",
    )


def main() -> None:
    """Load what the arguments name, and print what it forecasts."""
    scratch, request = Path(sys.argv[1]), json.loads(sys.argv[2])
    try:
        for module in request["modules"]:
            import_module(module)
    except ImportError:
        sys.exit(_CANNOT)
    try:
        trained = TrainedEnsemble.load(request["folder"])
        windows = np.load(scratch / "windows.npy", allow_pickle=False)
        print(f"\n{_ANSWER}{json.dumps(_forecasts(trained, list(windows), request['symbols']))}")
    except BarstackError as error:
        if "needs what is not here" in str(error):  # registered within a function
            sys.exit(_CANNOT)
        sys.exit(str(error))
