"""Sessions read from the cache are those that the calendar gives, or it is built again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from barstack.bars._kept_sessions import _write, kept
from barstack.bars._sessions import _built

BUILT = _built("XNYS", early=False)


class Built:
    """Counts how often a calendar is built."""

    times = 0

    def __call__(self) -> tuple[np.ndarray, str]:
        self.times += 1
        return BUILT


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache's folder, in a process that seems to have no calendars imported."""
    monkeypatch.setenv("BARSTACK_CACHE", str(tmp_path))
    monkeypatch.delitem(sys.modules, "exchange_calendars")
    return tmp_path / "sessions"


def test_what_is_read_is_what_was_built(folder: Path) -> None:
    build = Built()
    kept("XNYS", False, build)
    times, zone = kept("XNYS", False, build)
    assert build.times == 1
    np.testing.assert_array_equal(times, BUILT[0])
    assert zone == "America/New_York"


def test_other_calendars_and_years_have_files_of_their_own(folder: Path) -> None:
    build = Built()
    for key in (("XNYS", False), ("XNYS", True), ("XLON", False), ("../XNYS", False)):
        kept(*key, build)
    assert build.times == len(list(folder.iterdir())) == 4


@pytest.mark.parametrize("place", [0, 5, 20, 100, 1_000, -1])
def test_damage_is_noticed(folder: Path, place: int) -> None:
    build = Built()
    kept("XNYS", False, build)
    (file,) = folder.iterdir()
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    np.testing.assert_array_equal(kept("XNYS", False, build)[0], BUILT[0])
    assert build.times == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[1]\n",
        b'{"zone": 1, "built": 1}\n12',
        b"\xff",
        b"[" * 3_000_000,
        b'{"zone": "America/New_York", "built": Infinity}\n12',
        b'{"zone": "America/New_York", "built": 1e999}\n12',
    ],
    ids=lambda content: repr(content[:50]),
)
def test_other_content_is_not_believed(folder: Path, content: bytes) -> None:
    build = Built()
    kept("XNYS", False, build)
    (file,) = folder.iterdir()
    file.write_bytes(content)
    kept("XNYS", False, build)
    assert build.times == 2


@pytest.mark.parametrize("days", [31, -2])
def test_an_old_file_is_built_again(folder: Path, days: int) -> None:
    build = Built()
    kept("XNYS", False, build)
    (file,) = folder.iterdir()
    head, _, content = file.read_bytes().partition(b"\n")
    about = json.loads(head)
    about["built"] -= days * 86_400
    file.write_bytes(json.dumps(about).encode() + b"\n" + content)
    kept("XNYS", False, build)
    assert build.times == 2


def test_a_zone_that_does_not_exist_is_not_believed(folder: Path) -> None:
    """Though its digest is right."""
    build = Built()
    kept("XNYS", False, build)
    (file,) = folder.iterdir()
    _write(file, (BUILT[0], "Mars/Base"))
    assert kept("XNYS", False, build)[1] == "America/New_York"
    assert build.times == 2


def test_impossible_sessions_are_not_kept(folder: Path) -> None:
    times = BUILT[0].copy()
    times[1, 100] = times[2, 100]  # opens when it closes
    calls = []

    def build() -> tuple[np.ndarray, str]:
        calls.append(1)
        return times, "America/New_York"

    kept("XNYS", False, build)
    kept("XNYS", False, build)
    assert len(calls) == 2


def test_a_process_with_calendars_of_its_own_neither_reads_nor_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BARSTACK_CACHE", str(tmp_path))
    build = Built()
    kept("XNYS", False, build)
    kept("XNYS", False, build)
    assert build.times == 2
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_does_no_harm(folder: Path) -> None:
    folder.write_text("a file where the folder should be")
    times, _ = kept("XNYS", False, Built())
    np.testing.assert_array_equal(times, BUILT[0])


def test_a_second_process_imports_no_calendars(tmp_path: Path) -> None:
    code = (
        f"import os, sys; os.environ['BARSTACK_CACHE'] = {str(tmp_path)!r}\n"
        "from barstack.bars._sessions import sessions\n"
        "found = sessions('XNYS', 'extended')\n"
        "print('exchange_calendars' in sys.modules, found.zone, found.open.sum(), found.day.sum())"
    )
    first, second = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(2)
    )
    assert first.stdout.startswith("True ")
    assert second.stdout == first.stdout.replace("True", "False", 1)
