"""Nothing is called supported before a fold was audited in full, fits and ensembles included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest

from barstack import Study
from barstack.bars.catalog import Catalog
from barstack.core.errors import LeakError
from barstack.experiments import run_study
from barstack.models import MODELS
from barstack.models.classical.ridge import Ridge
from barstack.worlds import WORLDS, store

pytestmark = pytest.mark.slow

WORLD = {"world": "linear", "r2": 0.03, "bars": 4000, "bar": "1h", "calendar": "24/7", "seed": 3}


class Remembers(Ridge):
    """Adds a trifle of the mean label that the fit before it has seen."""

    before: ClassVar[list[float]] = [0.0]

    def fit(self, train: Any, stop: Any, target: Any, seed: int) -> Any:
        learned = super().fit(train, stop, target, seed)
        self.before.append(float(train.y.mean()))
        return learned._replace(intercept=learned.intercept + 1e-3 * self.before[-2])


def study(folder: Path, **change: Any) -> Study:
    store(WORLDS.parse(WORLD), Catalog(folder / "catalog"), "planted")
    content: dict[str, Any] = {
        "bars": {"provider": "catalog", "collection": "planted", "path": str(folder / "catalog")},
        "features": ["wick_balance", "body"],
        "label": {"label": "return", "horizons": [1]},
        "split": {"split": "walk_forward", "folds": 3},
        "members": ["ridge"],
        "cost_bps": 0.0,
    }
    return Study(**(content | change))


def test_what_is_supported_was_audited_in_full(tmp_path: Path) -> None:
    done = run_study(study(tmp_path), folder=tmp_path, runs=tmp_path / "runs")
    found = json.loads((done.folder / "verdict.json").read_text())["verdict"]
    assert found["edge"] == "supported"
    short, full = found["audits"]
    assert (short["how"], full["how"]) == ("short", "full")
    assert short["refitted"] == []
    assert full["refitted"] == [2]
    assert {"features", "labels", "fits"} <= set(full["seen"])
    assert full["leaks"] == 0


def test_a_member_that_leaks_in_its_fit_alone_is_stopped_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Remembers, "registered_as", (MODELS.kind, "Remembers"))
    monkeypatch.setitem(MODELS._entries, "Remembers", Remembers)
    leaking = study(tmp_path, members={"ridge": "Remembers"})
    with pytest.raises(LeakError, match=r"(?s)'member ridge'.*remembers.*looked like an edge"):
        run_study(leaking, folder=tmp_path, runs=tmp_path / "runs")
    assert not list((tmp_path / "runs").glob("[!.]*"))
    allowed = study(tmp_path, members={"ridge": "Remembers"}, allow_leaks="To see what is told.")
    done = run_study(allowed, folder=tmp_path, runs=tmp_path / "runs")
    found = json.loads((done.folder / "verdict.json").read_text())["verdict"]
    assert found["audits"][1]["leaks"] == 1
