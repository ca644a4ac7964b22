"""A signature tells who made an artifact, which no hash can."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from barstack import load
from barstack.cli._root import app
from barstack.core.errors import ArtifactError, ConfigError
from barstack.forecasting import GivenVerdict, new_key, sign, verify, write_verdict

KEPT = Path(__file__).parent / "data" / "format_2" / "artifact"
GIVEN = GivenVerdict("none", "No edge.", "1h", "2026-11-30T07:00:00+00:00", "3f2a", 12)


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    """A folder with a key of its owner, one of somebody else, and a signed artifact."""
    shutil.copytree(KEPT, tmp_path / "artifact")
    for name in ("mine.pem", "other.pem"):
        new_key(tmp_path / name)
    write_verdict(tmp_path / "artifact", GIVEN)
    sign(tmp_path / "artifact", tmp_path / "mine.pem")
    return tmp_path


def test_it_verifies_and_loads(signed: Path) -> None:
    verify(signed / "artifact", signed / "mine.pem.pub")
    load(signed / "artifact", signed_by=signed / "mine.pem.pub")
    load(signed / "artifact")  # where nobody asks who made it


def test_the_private_key_is_its_owners_alone(signed: Path) -> None:
    assert stat.S_IMODE((signed / "mine.pem").stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="is there already"):
        new_key(signed / "mine.pem")


def test_hashes_set_right_again_are_found_out(signed: Path) -> None:
    file = signed / "artifact" / "manifest.json"
    text = json.dumps(json.loads(file.read_text()))
    file.write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    (signed / "artifact" / "manifest.sha256").write_text(digest + "\n")
    write_verdict(signed / "artifact", GIVEN)  # which the owner of no key is needed for
    load(signed / "artifact")
    with pytest.raises(ArtifactError, match="was not signed by the owner"):
        load(signed / "artifact", signed_by=signed / "mine.pem.pub")


@pytest.mark.parametrize("text", ["", "00", "x" * 128, "0" * 128, "0" * 10_000])
def test_what_is_no_signature(signed: Path, text: str) -> None:
    (signed / "artifact" / "manifest.sig").write_text(text)
    with pytest.raises(ArtifactError):
        verify(signed / "artifact", signed / "mine.pem.pub")


def test_a_signature_of_somebody_else(signed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARSTACK_SIGNED_BY", str(signed / "other.pem.pub"))
    with pytest.raises(ArtifactError, match=r"was not signed by the owner of .*other\.pem\.pub"):
        load(signed / "artifact")


def test_an_altered_file_is_not_signed_over(signed: Path) -> None:
    with (signed / "artifact" / "ensemble.json").open("a") as file:
        file.write(" ")
    for key, way in ((signed / "mine.pem", sign), (signed / "mine.pem.pub", verify)):
        with pytest.raises(ArtifactError, match=r"ensemble\.json is not what was saved"):
            way(signed / "artifact", key)


def test_keys_that_are_none(signed: Path) -> None:
    with pytest.raises(ConfigError, match="holds no private key"):
        sign(signed / "artifact", signed / "mine.pem.pub")
    with pytest.raises(ConfigError, match="holds no public key"):
        verify(signed / "artifact", signed / "nowhere")


def test_the_command_line(signed: Path) -> None:
    def ran(*arguments: str) -> object:
        return CliRunner().invoke(app, arguments).exception

    artifact = str(signed / "artifact")
    assert ran("new-key", str(signed / "third.pem"), "--json") is None
    assert ran("sign", artifact, "--key", str(signed / "third.pem")) is None
    assert ran("verify", artifact, "--key", str(signed / "third.pem.pub"), "--json") is None
    refused = ran("verify", artifact, "--key", str(signed / "mine.pem.pub"))
    assert isinstance(refused, ArtifactError)
    assert refused.exit_code == 1


def test_no_byte_of_a_signed_artifact_can_change(signed: Path) -> None:
    """In letters of either case the same bits could be written twice."""
    for file in sorted(each for each in (signed / "artifact").rglob("*") if each.is_file()):
        data = file.read_bytes()
        for at in {0, len(data) // 2, len(data) - 1}:
            file.write_bytes(data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1 :])
            with pytest.raises(ArtifactError):
                verify(signed / "artifact", signed / "mine.pem.pub")
        file.write_bytes(data)
    signature = signed / "artifact" / "manifest.sig"
    signature.write_text(signature.read_text().upper())
    with pytest.raises(ArtifactError):
        verify(signed / "artifact", signed / "mine.pem.pub")


def test_a_folder_in_a_signatures_place(signed: Path) -> None:
    (signed / "artifact" / "manifest.sig").unlink()
    (signed / "artifact" / "manifest.sig").mkdir()
    with pytest.raises(ArtifactError, match="is a folder and should be a file"):
        verify(signed / "artifact", signed / "mine.pem.pub")


def test_a_signature_made_before_verdicts_lay_beside_artifacts_holds(tmp_path: Path) -> None:
    """`signed.sig` in `data/format_2` was made by version 0.1 with the key of `signed.pub`."""
    folder = KEPT.parent
    shutil.copytree(KEPT, tmp_path / "artifact")
    shutil.copy(folder / "signed.sig", tmp_path / "artifact" / "manifest.sig")
    verify(tmp_path / "artifact", folder / "signed.pub")
    write_verdict(tmp_path / "artifact", GIVEN)  # a verdict that nobody signed
    with pytest.raises(ArtifactError, match="was not signed by the owner"):
        verify(tmp_path / "artifact", folder / "signed.pub")


def test_another_verdict_or_none_is_not_signed(signed: Path) -> None:
    for edge in ("supported", None):
        if edge:
            write_verdict(signed / "artifact", replace(GIVEN, edge="supported"))
        else:
            (signed / "artifact" / "verdict.json").unlink()
        load(signed / "artifact")
        with pytest.raises(ArtifactError, match="was not signed by the owner"):
            verify(signed / "artifact", signed / "mine.pem.pub")
