"""Artifacts that were saved long ago load, or say why not.

No folder of `data` is made again while its format is read: a barstack that cannot load it cannot
load what users have either. `version_0_1` holds all that a run wrote of itself then, its verdict
within the manifest; `format_2` is older and says less of its bars.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barstack import load, run
from barstack.core.errors import ArtifactError
from barstack.forecasting import TrainedEnsemble

DATA = Path(__file__).parent / "data"
ROWS = np.linspace(-0.02, 0.02, 12).reshape(6, 2)
MEMBERS: dict[str, Any] = {
    "ridge": {},
    "lightgbm": {"trees": 3},
    "lstm": {"lookback": 6, "hidden": 4, "layers": 1, "epochs": 1},
}


@pytest.mark.parametrize("folder", sorted(DATA.iterdir()), ids=lambda folder: folder.name)
def test_what_was_saved_long_ago_forecasts_as_it_did(folder: Path) -> None:
    found = load(folder / "artifact").predict_row(ROWS)
    expected = json.loads((folder / "forecasts.json").read_text())
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].keys() == values.keys()
        np.testing.assert_allclose(list(found[name].values()), list(values.values()), rtol=1e-5)


def test_there_is_one_of_the_format_that_is_written_now() -> None:
    assert (DATA / f"format_{TrainedEnsemble.format}").is_dir()


def test_they_hold_no_bars_and_little_else() -> None:
    files = [file for file in DATA.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 90_000
    assert {file.suffix for file in files} <= {
        ".json",
        ".npz",
        ".safetensors",
        ".sha256",
        ".txt",
        ".sig",
        ".pub",
    }


def altered(tmp_path: Path, **changes: Any) -> Path:
    folder = tmp_path / "artifact"
    shutil.copytree(DATA / f"format_{TrainedEnsemble.format}" / "artifact", folder)
    text = json.dumps(json.loads((folder / "manifest.json").read_text()) | changes)
    (folder / "manifest.json").write_text(text)
    (folder / "manifest.sha256").write_text(sha256(text.encode()).hexdigest() + "\n")
    return folder


@pytest.mark.parametrize("version", [1, 4, None, "3"])
def test_another_format_is_named(tmp_path: Path, version: Any) -> None:
    folder = altered(tmp_path, format=version)
    with pytest.raises(ArtifactError) as caught:
        load(folder)
    assert str(caught.value) == (
        f"{folder} has format {version}, this barstack reads 2 and 3. Load it with the version "
        "that wrote it, or run its study again."
    )


def test_a_formula_that_changed_is_named(tmp_path: Path) -> None:
    folder = altered(tmp_path, features_id="0123456789abcdef", versions={"barstack": "0.0.9"})
    now = load(DATA / "format_3" / "artifact").trained.features.id
    with pytest.raises(ArtifactError) as caught:
        load(folder)
    assert str(caught.value) == (
        f"{folder} was trained on features whose formula has changed since (now {now}, then "
        "0123456789abcdef). Run its study again, or load it with barstack 0.0.9."
    )


def make() -> None:
    """Write an artifact of today's format, and what it forecasts."""
    from tests.conftest import write_study  # noqa: PLC0415 (only to make it)

    folder = DATA / f"format_{TrainedEnsemble.format}"
    with tempfile.TemporaryDirectory() as scratch:
        file = write_study(Path(scratch), features=["log_return", "body"], members=MEMBERS)
        trained = run(file, runs=Path(scratch) / "runs").artifact
        trained.save(folder / "artifact")
    found = load(folder / "artifact").predict_row(ROWS)
    (folder / "forecasts.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    make()
