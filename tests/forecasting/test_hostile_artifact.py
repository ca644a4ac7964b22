"""Artifacts whose hashes somebody has set right again: refused before anything of them is used."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from barstack import Models, load
from barstack.cli import main
from barstack.core.errors import ArtifactError
from barstack.core.files import seal

KEPT = Path(__file__).parent / "data" / "format_3" / "artifact"
Change = Callable[[Any], Any]


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    shutil.copytree(KEPT, tmp_path / "artifact")
    return tmp_path / "artifact"


def changed(file: Path, change: Change) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def resealed(folder: Path) -> Path:
    """With every hash right for the files that are there."""
    for inner in folder.rglob("sealed.json"):
        seal(inner.parent)
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, facts in manifest["files"].items():
        data = (folder / name).read_bytes()
        facts |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    text = json.dumps(manifest)
    (folder / "manifest.json").write_text(text)
    (folder / "manifest.sha256").write_text(hashlib.sha256(text.encode()).hexdigest() + "\n")
    (folder / "verdict.json").unlink(missing_ok=True)  # it is about the manifest of before
    return folder


def test_hashes_set_right_again_are_no_protection(artifact: Path) -> None:
    load(resealed(artifact))


def put(way: str, value: Any) -> Change:
    """Set the value at a place such as `bars.symbols`."""

    def change(content: Any) -> None:
        *front, last = [int(each) if each.isdigit() else each for each in way.split(".")]
        for step in front:
            content = content[step]
        content[last] = value

    return change


MANIFEST: list[tuple[str, Any]] = [
    ("bars", {}),
    ("bars.length_us", 0),
    ("bars.length_us", 2**62),
    ("bars.length_us", "1800000000"),
    ("bars.length_us", True),
    ("bars.symbols", []),
    ("bars.symbols", ["A", "A"]),
    ("bars.symbols", [7]),
    ("bars.hours", "sometimes"),
    ("bars.stamp", None),
    ("bars.resample", "1e9w"),
    ("bars.bar", "1h"),
    ("bars.resample", "1d"),
    ("bars.calendar", "NOPE"),
    ("bars.timezone", "Mars/Phobos"),
    ("bars.timezone", "../../../etc/passwd"),
    ("bars.day_zone", "UTC\0"),
    ("bars.symbols", ["\x1b[31mWALK"]),
    ("bars.began_at", {"\x1b[2J": "2026-01-05T14:30:00"}),
    ("bars.began_at", {"WALK": "2026-02-30T14:30:00"}),
    ("bars.history_bars", -1),
    ("about", []),
    ("about.study", {"bars": 5}),
    ("about.study", {"bars": {"checks": [1]}}),
    ("about.study", {"bars": {"checks": {"jumps": 5}}}),
    ("about.study", {"bars": {"checks": {"nope": "refuse"}}}),
    ("about.verdict", {"edge": "certain"}),
    ("about.verdict", "supported"),
    ("about.label", 3),
    ("versions", {"python": 3}),
    ("horizons", ["1bars", "1bars"]),
    ("horizons", ["-4bars", "1bars"]),
    ("columns", ["body", "log_return_1"]),
    ("members", ["ridge", "lightgbm", "lstm", "ridge"]),
    ("trained_through", "NaT"),
    ("trained_through", "2020-01-01T00:00:00.000000"),
    ("ensembles.0.trained_through", "9999-12-31T00:00:00"),
    ("ensembles.0.of", []),
    ("ensembles.0.of", ["ridge", "ridge", "lstm"]),
    ("ensembles.0.of", ["ridge", "lightgbm"]),
    ("ensembles.0.name", "ridge"),
    ("ensembles.0.name", "../ensembles/nnls"),
    ("features.features.0.params", {"bars": 10**9}),
    ("nothing", 1),
]


@pytest.mark.parametrize(("way", "value"), MANIFEST)
def test_a_manifest_is_checked_whole(way: str, value: Any, artifact: Path) -> None:
    changed(artifact / "manifest.json", put(way, value))
    with pytest.raises(ArtifactError):
        load(resealed(artifact))
    assert Models(artifact.parent).list_available_models() is not None


FITTED: list[tuple[str, str, Any]] = [
    ("ridge", "scaler.learned.scale", [[1.0], [1.0]]),
    ("ridge", "scaler.learned.scale", [0.0, 1.0]),
    ("ridge", "scaler.learned.scale", [-1.0, 1.0]),
    ("ridge", "scaler.learned.scale", [1e308, 1.0]),
    ("ridge", "scaler.learned.scale", ["1.0", "1.0"]),
    ("ridge", "scaler.learned.scale", [True, 1.0]),
    ("ridge", "scaler.learned.centre", [1.0]),
    ("ridge", "scaler.learned.more", [1.0, 1.0]),
    ("ridge", "scaler", {"scaler": {"scaler": "rank_gauss"}, "learned": {"quantiles": [[], []]}}),
    (
        "ridge",
        "scaler",
        {"scaler": {"scaler": "rank_gauss"}, "learned": {"quantiles": [[1.0, 0.0], [0.0, 1.0]]}},
    ),
    ("ridge", "y_scale", [1.0]),
    ("ridge", "y_scale", [0.0, 1.0]),
    ("ridge", "y_scale", [1e308, 1.0]),
    ("ridge", "trained_through", "NaT"),
    ("ridge", "max_gap", "0s"),
    ("ridge", "task", "direction"),
    ("ridge", "columns", ["body", "body"]),
    ("lstm", "model.lookback", 10**9),
    ("lstm", "model.hidden", 10**9),
    ("lstm", "model.layers", 10**9),
]


@pytest.mark.parametrize(("member", "way", "value"), FITTED)
def test_a_member_is_checked_whole(member: str, way: str, value: Any, artifact: Path) -> None:
    changed(artifact / "members" / member / "fitted.json", put(way, value))
    with pytest.raises(ArtifactError):
        load(resealed(artifact))


WEIGHTS = [[], [[]], "x", [[0.3] * 3], [[0.3] * 2] * 2, [[-1.0, 1.0, 1.0]] * 2, [[True] * 3] * 2]


@pytest.mark.parametrize("weights", WEIGHTS)
def test_weights_of_members_are_checked(weights: Any, artifact: Path) -> None:
    (artifact / "ensembles" / "nnls" / "weights.json").write_text(json.dumps({"weights": weights}))
    with pytest.raises(ArtifactError):
        load(resealed(artifact))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 200 + "]" * 200, "nested more than 64 deep"),
        ("[" + "[]," * 500_000 + "[]]", "more than 400,000 lists"),
        ("[" + "0," * 5_000_000 + "0]", "more than 4,000,000 items"),
        ('{"weights": NaN}', "a number NaN"),
        ('{"weights": 1e999}', "a number 1e999"),
        ('{"weights": ' + "9" * 30 + "}", "a number 999"),
        ('{"weights": 1, "weights": 2}', "a name twice"),
        ('{"\\ud800": 1}', "surrogates not allowed"),
        ("\xff", "is not the JSON"),
    ],
)
def test_json_is_measured_before_it_is_parsed(text: str, said: str, artifact: Path) -> None:
    (artifact / "ensembles" / "nnls" / "weights.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ArtifactError, match=said):
        load(resealed(artifact))


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sha256", "ensembles", "members"])
@pytest.mark.parametrize("to", ["/dev/zero", "/proc/kmsg", "/etc/passwd", "..", "nowhere"])
def test_no_link_is_followed(name: str, to: str, artifact: Path) -> None:
    path = artifact / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.symlink_to(to)
    with pytest.raises(ArtifactError, match="is neither a file nor a folder"):
        load(artifact)
    found = Models(artifact).list_available_models()[0]
    assert "is neither a file nor a folder" in found["error"]


def test_no_pipe_is_waited_for(artifact: Path) -> None:
    (artifact / "manifest.sha256").unlink()
    os.mkfifo(artifact / "manifest.sha256")
    with pytest.raises(ArtifactError, match="is neither a file nor a folder"):
        load(artifact)


@pytest.mark.parametrize(
    "name", ["manifest.sha256", "manifest.json", "members/lightgbm/learned/horizon_0.txt"]
)
def test_a_file_of_nothing_takes_no_memory(name: str, artifact: Path) -> None:
    """Kilobytes on the disk that say that they are gigabytes."""
    os.truncate(artifact / name, 2**32)
    with pytest.raises(ArtifactError, match="is said to have 4,294,967,296 bytes"):
        load(artifact)


def test_batch_and_stream_refuse_alike(artifact: Path) -> None:
    """Numbers within their bounds that make a forecast that is none."""
    file = artifact / "members" / "ridge" / "learned" / "linear.npz"
    with np.load(file, allow_pickle=False) as read:
        arrays = dict(read)
    arrays["weights"] = np.full_like(arrays["weights"], 9e99)
    (file.parent / "moments.npz").unlink()
    changed(
        artifact / "manifest.json",
        lambda content: content["files"].pop("members/ridge/learned/moments.npz"),
    )
    np.savez(file, allow_pickle=False, **arrays)

    def small(content: Any) -> None:
        content["scaler"]["learned"]["scale"] = [1e-99, 1e-99]
        content["scaler"]["scaler"]["clip"] = 1e300

    changed(artifact / "members" / "ridge" / "fitted.json", small)
    with np.errstate(all="ignore"), pytest.raises(ArtifactError, match=r"not finite|no number"):
        load(resealed(artifact)).predict_row(np.full((6, 2), 1e150))


def test_no_control_character_of_an_artifact_reaches_the_terminal(
    artifact: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(artifact / "manifest.json", put("bars.bar", "\x1b[2J"))
    monkeypatch.setattr("sys.argv", ["barstack", "artifacts", "list", str(resealed(artifact))])
    with suppress(SystemExit):
        main()
    shown = capsys.readouterr()
    assert "damaged" in shown.out + shown.err
    assert "\x1b[2J" not in shown.out + shown.err


def test_brackets_and_colons_of_symbols_are_shown_as_they_are(
    artifact: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(artifact / "manifest.json", put("bars.symbols", ["B[/x]", "A:x:B"]))
    monkeypatch.setattr("sys.argv", ["barstack", "artifacts", "list", str(resealed(artifact))])
    monkeypatch.setenv("COLUMNS", "200")
    with suppress(SystemExit):
        main()
    assert "B[/x], A:x:B" in capsys.readouterr().out
