"""No run is done with an artifact that cannot be loaded, or that then forecasts something else."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from tests.conftest import write_study

from barstack import load, run
from barstack.core.errors import BarstackError
from barstack.models import MODELS

pytestmark = pytest.mark.slow

PLUGIN = """
import json
import numpy as np
from barstack.models import Model, register

KEPT = {{}}

@register("{name}", family="classical", tasks=("return",))
class Lossy(Model):
    def fit(self, train, stop, target, seed):
        return float(train.y.mean()) + 0.5
    def predict(self, learned, inputs, target):
        return np.full((len(inputs), len(target.horizons), 1), learned)
    def save(self, learned, folder):
        {save}
    def load(self, folder, target):
        {load}
"""
WAYS = {
    "honest": ('(folder / "x.json").write_text(json.dumps(learned))',
               'return json.loads((folder / "x.json").read_text())'),
    "forgetful": ('KEPT["x"] = learned', 'return KEPT.get("x", 0.0)'),
    "silent": ("pass", 'return json.loads((folder / "x.json").read_text())'),
    "other": ('(folder / "x.json").write_text(json.dumps(learned))', "return 0.25"),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_run_is_done_with_what_it_trained(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`forgetful` loads well where it was saved, and only there."""
    save, of = WAYS[way]
    name = f"reloaded_{way}"
    (tmp_path / f"{name}.py").write_text(PLUGIN.format(name=name, save=save, load=of))
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module(name)
    try:
        file = write_study(tmp_path, features=["log_return", "body"], members=[name])
        if way == "honest":
            load(run(file, runs=tmp_path / "runs").folder)
            return
        with pytest.raises(BarstackError):
            run(file, runs=tmp_path / "runs")
        assert not list((tmp_path / "runs").glob("[!.]*/artifact"))
    finally:
        MODELS._entries.pop(name)
