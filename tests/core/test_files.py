"""Files and folders are whole or absent."""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from barstack.core.errors import StorageError
from barstack.core.files import new_file, new_folder


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def interrupted(file: Path, failure: type[BaseException]) -> None:
    file.write_text("half")
    raise failure


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_folder_leaves_nothing(tmp_path: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure), new_folder(tmp_path / "made") as scratch:
        interrupted(scratch / "half", failure)
    assert names(tmp_path) == []


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_an_interrupted_file_leaves_what_was_there(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    (tmp_path / "made").write_text("before")
    with pytest.raises(failure), new_file(tmp_path / "made") as scratch:
        interrupted(scratch, failure)
    assert names(tmp_path) == ["made"]
    assert (tmp_path / "made").read_text() == "before"


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    for content in ("one", "two"):
        with new_folder(tmp_path / "made") as scratch:
            (scratch / content).write_text(content)
    assert names(tmp_path) == ["made"]
    assert names(tmp_path / "made") == ["two"]


def test_a_folder_that_appears_meanwhile_may_stay(tmp_path: Path) -> None:
    with new_folder(tmp_path / "made", replace=False) as scratch:
        (scratch / "late").write_text("late")
        with new_folder(tmp_path / "made", replace=False) as other:
            (other / "first").write_text("first")
    assert names(tmp_path) == ["made"]
    assert names(tmp_path / "made") == ["first"]


@pytest.mark.parametrize("replace", [True, False])
def test_many_writers_of_one_folder(tmp_path: Path, replace: bool) -> None:
    def write(number: int) -> None:
        with new_folder(tmp_path / "made", replace=replace) as scratch:
            for name in ("a", "b"):
                (scratch / name).write_text(str(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(200)))
    assert names(tmp_path) == ["made"]
    assert (tmp_path / "made/a").read_text() == (tmp_path / "made/b").read_text()


def test_a_full_disk_gets_a_sentence(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    for new in (new_folder, new_file):
        with (
            pytest.raises(StorageError, match=r"Cannot write .*made: .*No space left .* has room"),
            new(tmp_path / "made"),
        ):
            raise full
    assert names(tmp_path) == []


def test_a_file_in_the_way_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for new in (new_folder, new_file):
        with (
            pytest.raises(StorageError, match=r"Cannot write .*file/made: "),
            new(tmp_path / "file" / "made") as scratch,
        ):
            scratch.write_text("never")
    assert names(tmp_path) == ["file"]
