"""A stream that is restored from a snapshot goes on to the same bits as one that never stopped."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.forecasting.small import saved, trained_on
from tests.online import Discounted

from barstack import load
from barstack.bars import Bars
from barstack.core.errors import ArtifactError, BarstackError, ConfigError, DataError, StorageError
from barstack.core.files import seal
from barstack.core.times import as_time
from barstack.ensembles import ENSEMBLES
from barstack.forecasting import PanelStream, Predictor, Stream
from barstack.testing import walk

N_OLD, N_ALL = 600, 720
WALK = walk(N_ALL, missing=0.05)
PANEL = {
    "WALK": WALK,
    "OTHER": walk(N_ALL, seed=1, symbol="OTHER"),
    "THIRD": walk(N_ALL, seed=2, symbol="THIRD", missing=0.1),
}
FAMILIES: dict[str, dict[str, Any]] = {
    "linear and trees": {"ridge": {}, "lightgbm": {"trees": 5}},
    "windows": {"lstm": {"lookback": 6, "hidden": 4, "layers": 1, "epochs": 1}, "ridge": {}},
    "carried state": {"tcn": {"lookback": 6, "epochs": 1}, "ridge": {}},
}


@pytest.fixture(scope="module", autouse=True)
def discounted() -> Iterator[None]:
    """`Discounted` as a registered ensemble, for this module alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Discounted, "registered_as", ("ensemble", "discounted"))
        patch.setitem(ENSEMBLES._entries, "discounted", Discounted)
        yield


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """Of one symbol; with an ensemble that learns on."""
    trained, _ = trained_on({"WALK": WALK[:N_OLD]}, FAMILIES[request.param], ensemble=Discounted())
    predictor = load(saved(trained, tmp_path_factory.mktemp("model") / "artifact"))
    return predictor.fast() if request.param == "carried state" else predictor


@pytest.fixture(scope="module")
def panel_model(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """Of three symbols that look at one another."""
    old = {symbol: bars[:N_OLD] for symbol, bars in PANEL.items()}
    features = ("rsi", "beta", "market_return", "cross_rank")
    trained, _ = trained_on(old, {"ridge": {}, "lightgbm": {"trees": 5}}, features=features)
    return load(saved(trained, tmp_path_factory.mktemp("panel") / "artifact"))


def forecasts(stream: Stream, start: int) -> dict[int, list[float]]:
    """By row, all that a stream forecasts of the bars from there on, told the labels of each.

    The label of a decision is known four bars later, just before the bar after that.
    """
    found = {}
    for row in range(start, len(WALK)):
        if row - 5 >= N_OLD:
            decided_at, known_at = WALK.closed_at[row - 5], WALK.closed_at[row - 1]
            y = WALK.records["close"][[row - 4, row - 1]] / WALK.records["close"][row - 5] - 1.0
            stream.know_labels(decided_at, y, known_at)
        forecast = stream.update(WALK[row : row + 1])
        if forecast is not None:
            found[row] = forecast.values.ravel().tolist()
    return found


@pytest.mark.parametrize("seed", range(3))
def test_one_symbol_goes_on_to_the_bit(model: Predictor, tmp_path: Path, seed: int) -> None:
    cut = int(np.random.default_rng(seed).integers(N_OLD, len(WALK) - 20))
    whole = forecasts(model.stream(WALK[:N_OLD]), N_OLD)
    stream = model.stream(WALK[:N_OLD])
    _go_on(stream, N_OLD, cut)
    stream.snapshot(tmp_path / "state")
    again = model.restore(tmp_path / "state")
    assert isinstance(again, Stream)
    assert again.why == stream.why
    np.testing.assert_array_equal(again.features, stream.features)
    found = forecasts(again, cut)
    assert found == {row: values for row, values in whole.items() if row >= cut}
    assert len(found) > 15


def _go_on(stream: Stream, start: int, end: int) -> None:
    """As `forecasts`, up to a bar."""
    global WALK  # noqa: PLW0603 (the bars that there are so far)
    every = WALK
    try:
        WALK = every[:end]
        forecasts(stream, start)
    finally:
        WALK = every


def test_labels_that_are_known_change_what_is_forecast(model: Predictor) -> None:
    told, untold = model.stream(WALK[:N_OLD]), model.stream(WALK[:N_OLD])
    learning = forecasts(told, N_OLD)
    last = [untold.update(WALK[row : row + 1]) for row in range(N_OLD, len(WALK))][-1]
    assert last is not None
    assert last.values.ravel().tolist() != learning[len(WALK) - 1]
    assert last.trained_through[0] == model.trained.trained_through
    with pytest.raises(DataError, match=r"No forecast of WALK at .* waits for its labels"):
        told.know_labels(WALK.closed_at[0], np.zeros(2), WALK.closed_at[-1])


def moments(after: np.datetime64) -> Iterator[dict[str, Bars]]:
    """Bars of all symbols that close together, later than that."""
    times = np.unique(np.concatenate([bars.closed_at for bars in PANEL.values()]))
    for moment in times[times > after]:
        closing = {}
        for symbol, bars in PANEL.items():
            row = int(np.searchsorted(bars.closed_at, moment))
            if row < len(bars) and bars.closed_at[row] == moment:
                closing[symbol] = bars[row : row + 1]
        yield closing


def test_a_panel_goes_on_to_the_bit(panel_model: Predictor, tmp_path: Path) -> None:
    begins = max(bars.closed_at[N_OLD - 1] for bars in PANEL.values())
    old = {symbol: bars[: (bars.closed_at <= begins).sum()] for symbol, bars in PANEL.items()}
    stream, compared = panel_model.panel_stream(old), 0
    cuts = set(np.random.default_rng(3).integers(0, 100, 4).tolist())
    for number, closing in enumerate(moments(begins)):
        if number in cuts:
            stream.snapshot(tmp_path / "state")  # in place of the one before
            again = panel_model.restore(tmp_path / "state")
        expected = stream.update(closing)
        if number >= min(cuts):
            assert isinstance(again, PanelStream)
            found = again.update(closing)
            for symbol, forecast in expected.items():
                other = found[symbol]
                assert (forecast is None) == (other is None)
                if forecast is not None and other is not None:
                    np.testing.assert_array_equal(other.values, forecast.values)
                    compared += 1
            assert again.why == stream.why
    assert compared > 50


def test_another_process_goes_on(panel_model: Predictor, tmp_path: Path) -> None:
    """Of a fresh interpreter, from the folders alone."""
    begins = max(bars.closed_at[N_OLD - 1] for bars in PANEL.values())
    old = {symbol: bars[: (bars.closed_at <= begins).sum()] for symbol, bars in PANEL.items()}
    panel_model.trained.save(tmp_path / "artifact")
    stream = load(tmp_path / "artifact").panel_stream(old)
    closing = next(each for each in moments(begins) if len(each) == 3)
    stream.snapshot(tmp_path / "state")
    expected = stream.update(closing)
    for symbol, bars in closing.items():
        np.save(tmp_path / f"{symbol}.npy", bars.records, allow_pickle=False)
    code = """
import sys, json, numpy as np, barstack as bs
from pathlib import Path
at = Path(sys.argv[1])
stream = bs.load(at / "artifact").restore(at / "state")
bars = {
    symbol: bs.Bars(symbol, int(sys.argv[2]), np.load(at / f"{symbol}.npy", allow_pickle=False))
    for symbol in ("WALK", "OTHER", "THIRD")
}
print(json.dumps({name: each.values.tolist() for name, each in stream.update(bars).items()}))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(WALK.length_us)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(ran.stdout)
    assert found == {
        name: each.values.tolist() for name, each in expected.items() if each is not None
    }


@pytest.fixture(scope="module")
def state(panel_model: Predictor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("snapshot") / "state"
    old = {symbol: bars[:N_OLD] for symbol, bars in PANEL.items()}
    panel_model.panel_stream(old).snapshot(folder)
    return folder


def test_no_byte_of_a_snapshot_can_change(panel_model: Predictor, state: Path) -> None:
    for file in sorted(each for each in state.rglob("*") if each.is_file()):
        data = file.read_bytes()
        for at in {0, len(data) // 3, len(data) // 2, len(data) - 1}:
            file.write_bytes(data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1 :])
            with pytest.raises((StorageError, ArtifactError)):
                panel_model.restore(state)
        file.write_bytes(data)
    panel_model.restore(state)


RESEALED: list[Callable[[dict[str, Any]], Any]] = [
    lambda content: content.update(kind="symbol"),
    lambda content: content.update(format=1),
    lambda content: content["symbols"].pop("WALK"),
    lambda content: content["symbols"]["WALK"].update(usable=-1),
    lambda content: content["arrays"].pop(),
    lambda content: content["arrays"][0].update(dtype="|O8"),
    lambda content: content["arrays"][0].update(dtype="<M8[99999999D]"),
    lambda content: content["arrays"][0].update(shape=[2**40, 2**40]),
    lambda content: content.update(learned_on=True),
    lambda content: content.update(learned_on={"nobody": "2026-01-01T00:00:00"}),
]


@pytest.mark.parametrize("change", RESEALED)
def test_one_that_is_sealed_again_is_checked_whole(
    panel_model: Predictor, state: Path, tmp_path: Path, change: Callable[[dict[str, Any]], Any]
) -> None:
    folder = Path(shutil.copytree(state, tmp_path / "state"))
    content = json.loads((folder / "state.json").read_text())
    change(content)
    (folder / "state.json").write_text(json.dumps(content))
    seal(folder)
    with pytest.raises(BarstackError):
        panel_model.restore(folder)


def test_whose_it_is_must_be_right(model: Predictor, panel_model: Predictor, state: Path) -> None:
    with pytest.raises(DataError, match="is a snapshot of another artifact's stream"):
        model.restore(state)
    with pytest.raises(ConfigError, match=r"There is no snapshot .*nowhere"):
        model.restore(state / "nowhere")
    unsaved, _ = trained_on({"WALK": WALK[:N_OLD]}, {"ridge": {}})
    with pytest.raises(ConfigError, match="belongs to an artifact on disk"):
        Predictor(unsaved).stream().snapshot(state.parent / "other")
    assert as_time("2026-01-05") < panel_model.trained.trained_through
