"""An artifact is published only if a fresh process loads it and forecasts the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.forecasting.small import saved, trained_on
from tests.online import Discounted, Losses

from barstack.core.errors import FaultError, PluginError
from barstack.ensembles import ENSEMBLES
from barstack.forecasting import ReloadCheck, check_reloads
from barstack.testing import walk

TRAINED, DATASET = trained_on({"WALK": walk(800)}, {"ridge": {}, "lightgbm": {"trees": 5}})
TABLE = DATASET.features


def test_what_was_trained_forecasts_the_same(tmp_path: Path) -> None:
    with ReloadCheck.start(TRAINED, saved(TRAINED, tmp_path / "artifact"), TABLE) as check:
        assert check._process is not None
        assert check._process.poll() is None  # beside whatever is done here
        check.wait()
        assert check._process.poll() == 0


def test_one_that_forecasts_something_else_is_a_fault(tmp_path: Path) -> None:
    learned = 1.001 * TRAINED.ensemble.learned
    other = replace(TRAINED, ensemble=replace(TRAINED.ensemble, learned=learned))
    with pytest.raises(FaultError, match="is not what was trained: loaded again, nnls forecasts"):
        check_reloads(TRAINED, saved(other, tmp_path / "artifact"), TABLE)


def test_one_that_cannot_be_loaded_is_a_fault(tmp_path: Path) -> None:
    folder = saved(TRAINED, tmp_path / "artifact")
    (folder / "ensembles" / "nnls" / "weights.json").write_text("{}")
    with pytest.raises(FaultError, match=r"cannot be loaded in a process of its own: .*SHA-256"):
        check_reloads(TRAINED, folder, TABLE)


def test_a_check_that_is_given_up_leaves_no_process(tmp_path: Path) -> None:
    with ReloadCheck.start(TRAINED, saved(TRAINED, tmp_path / "artifact"), TABLE) as check:
        process = check._process
    assert process is not None
    assert process.poll() is not None


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_a_plugin_that_only_this_process_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    """It is registered here alone, so that it is loaded again here."""

    class Loads(Discounted):
        def load(self, folder: Path) -> Losses:
            learned = super().load(folder)
            return learned._replace(total=learned.total * np.array([factor, 1.0]))

    monkeypatch.setattr(Loads, "registered_as", ("ensemble", "loads"))
    monkeypatch.setitem(ENSEMBLES._entries, "loads", Loads)
    monkeypatch.setattr(Loads, "__module__", "tests.online")
    trained = replace(
        TRAINED,
        name="loads",
        ensemble=replace(
            TRAINED.ensemble, ensemble=Loads(), learned=Losses(np.array([[1.0, 3.0]] * 2), 9)
        ),
    )
    folder = saved(trained, tmp_path / "artifact")
    if factor == 1.0:
        check_reloads(trained, folder, TABLE)
        return
    with pytest.raises(PluginError, match=r"'loads' of package tests: loaded again, loads fore"):
        check_reloads(trained, folder, TABLE)
