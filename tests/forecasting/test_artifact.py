"""An artifact is what was saved, to the byte, or it is not loaded; and it holds no code."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barstack import Run, load
from barstack.core.errors import ArtifactError, ConfigError
from barstack.forecasting import TrainedEnsemble


@pytest.fixture
def artifact(tmp_path: Path, finished: Run) -> Path:
    """A copy to damage."""
    shutil.copytree(finished.folder / "artifact", tmp_path / "artifact")
    return tmp_path / "artifact"


def files_of(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def reseal(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """What somebody hostile does: alter the manifest and seal it anew."""
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    text = json.dumps(manifest)
    (folder / "manifest.json").write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    (folder / "manifest.sha256").write_text(digest + "\n")
    (folder / "verdict.json").unlink(missing_ok=True)  # it is about the manifest of before


def test_a_changed_byte_in_any_file_is_named(artifact: Path) -> None:
    for file in files_of(artifact):
        whole = file.read_bytes()
        for place in {0, len(whole) // 2, len(whole) - 1}:
            damaged = bytearray(whole)
            damaged[place] ^= 1
            file.write_bytes(damaged)
            with pytest.raises(ArtifactError, match=file.name):
                load(artifact)
        file.write_bytes(whole)
    load(artifact)


def test_a_file_cut_short_or_gone_is_named(artifact: Path) -> None:
    for file in files_of(artifact):
        whole = file.read_bytes()
        file.write_bytes(whole[:-1])
        with pytest.raises(ArtifactError, match=file.name):
            load(artifact)
        if file.name != "verdict.json":  # without one an artifact is whole
            file.unlink()
            with pytest.raises(ArtifactError, match=file.name):
                load(artifact)
        file.write_bytes(whole)


@pytest.mark.parametrize("name", ["more.pkl", "members/ridge/more.py", ".hidden"])
def test_a_file_too_many_is_named(artifact: Path, name: str) -> None:
    (artifact / name).write_text("anything")
    with pytest.raises(ArtifactError, match=rf"does not list: {name}"):
        load(artifact)


def test_nothing_is_loaded_before_all_is_checked(
    artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (artifact / "members/strong/learned/linear.npz").write_bytes(b"other")
    monkeypatch.setattr(TrainedEnsemble, "_read", lambda *_: pytest.fail("something was loaded"))
    with pytest.raises(ArtifactError, match="nothing of it was loaded"):
        load(artifact)


def test_what_is_no_artifact(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no artifact .*nowhere"):
        load(tmp_path / "nowhere")
    with pytest.raises(ArtifactError, match=r"is not an artifact: it has no manifest\.json"):
        load(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"There is no artifact .*file"):
        load(tmp_path / "file")


FACTS = {"sha256": "0" * 64, "bytes": 0}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m["files"].update({"../secret": FACTS}), r"\.\./secret"),
        (lambda m: m["files"].update({"/etc/hosts": FACTS}), "/etc/hosts"),
        (
            lambda m: m["members"].append("../../elsewhere"),
            "'../../elsewhere' is no name of a folder",
        ),
        (lambda m: m["members"].append("/etc"), "'/etc' is no name of a folder"),
        (lambda m: m.update(files=[]), "files: Input should be a valid dictionary"),
        (lambda m: m.pop("files"), "files: Field required"),
        (lambda m: m.pop("features"), "features: Field required"),
        (lambda m: m.pop("format"), "has format None, this barstack reads"),
        (lambda m: m.update(format=99), "has format 99, this barstack reads"),
        (lambda m: m.update(task="direction"), "another target"),
        (lambda m: m.update(members=[]), "members: List should have at least 1 item"),
        (
            lambda m: m["ensembles"][0].update(ensemble="no such"),
            "needs what is not here: .*'no such'",
        ),
        (lambda m: m["ensembles"][0]["of"].append("nobody"), "combines 'nobody', not before it"),
        (lambda m: m["ensembles"][0].update(name="ridge"), "two forecasters are called 'ridge'"),
        (lambda m: m["ensembles"][0].update(name=".."), r"'\.\.' is no name of a folder"),
        (lambda m: m.update(ensembles=[]), "ensembles: List should have at least 1 item"),
        (lambda m: m["features"]["features"][0].update(feature="none"), "'none'.*Install"),
        (lambda m: m["features"]["features"].pop(), "formula has changed"),
        (lambda m: m.update(features_id="0"), "formula has changed"),
    ],
)
def test_a_hostile_manifest(artifact: Path, change: Callable[..., Any], said: str) -> None:
    reseal(artifact, change)
    with pytest.raises(ArtifactError, match=said):
        load(artifact)


def test_a_manifest_that_is_no_json(artifact: Path) -> None:
    (artifact / "manifest.json").write_text("{")
    (artifact / "manifest.sha256").write_text(hashlib.sha256(b"{").hexdigest() + "\n")
    with pytest.raises(ArtifactError, match="is not the JSON that was saved"):
        load(artifact)


def test_saved_and_loaded_it_forecasts_the_same_bits(tmp_path: Path, finished: Run) -> None:
    finished.artifact.save(tmp_path / "again")
    before = load(finished.folder).forecasts(finished.bars)
    after = load(tmp_path / "again").forecasts(finished.bars)
    assert list(before) == list(after) == ["nnls", "ridge", "strong"]
    for name, forecast in before.items():
        np.testing.assert_array_equal(after[name].values, forecast.values)


UNPICKLED = """
import sys
import barstack as bs

def everything():
    return bs.load(sys.argv[1]).forecasts(bars)

bars = bs.Study.from_yaml(sys.argv[2]).bars.load(sys.argv[3])
found = []
recording = False
sys.addaudithook(lambda event, data: found.append(data) if recording and "pickle" in event else 0)
if sys.argv[4] == "warm":
    everything()  # numba keeps its own compiled kernels pickled in the user's cache: set apart
recording = True
everything() if sys.argv[4] == "warm" else bs.load(sys.argv[1])
recording = False
print(found)
"""


@pytest.mark.parametrize("what", ["load", "warm"])
def test_loading_opens_no_pickle(finished: Run, what: str) -> None:
    """Loading alone opens none; forecasting none beside numba's cache of compiled kernels."""
    folder = finished.folder
    arguments = [str(folder), str(folder / "study.yaml"), str(folder.parents[1]), what]
    done = subprocess.run(
        [sys.executable, "-c", UNPICKLED, *arguments], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr
