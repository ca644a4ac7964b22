"""Stored arrays: large ones are mapped, so that processes share them, and are as good as copies."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from barstack.core.decisions import Decisions
from barstack.core.times import DecidedAt
from barstack.experiments._arrays import load_arrays, save_arrays

MB = 2**20


def anonymous_bytes() -> int:
    """Memory of this process that no other shares and no file holds."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [each for each in lines if each.startswith("RssAnon")]
    return 1024 * int(line.split()[1])


def saved(folder: Path, rows: int, columns: int) -> tuple[Decisions, np.ndarray]:
    moments = np.datetime64("2026-01-01", "us") + np.arange(rows) * np.timedelta64(1, "s")
    decisions = Decisions(("A",), np.zeros(rows, np.int32), DecidedAt(moments))
    values = np.random.default_rng(0).normal(size=(rows, columns))
    folder.mkdir()
    save_arrays(folder, decisions, values=values)
    return decisions, values


@pytest.mark.parametrize("rows", [10, 100_000])
def test_what_was_saved_comes_back(tmp_path: Path, rows: int) -> None:
    decisions, values = saved(tmp_path / "a", rows, 4)
    found, arrays = load_arrays(tmp_path / "a")
    assert list(arrays) == ["values"]
    assert type(arrays["values"]) is np.ndarray
    np.testing.assert_array_equal(arrays["values"], values)
    np.testing.assert_array_equal(found.decided_at, decisions.decided_at)
    assert arrays["values"].flags.aligned


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_large_arrays_are_shared_and_not_copied(tmp_path: Path) -> None:
    saved(tmp_path / "a", 1_000_000, 10)  # 80 MB
    before = anonymous_bytes()
    _, arrays = load_arrays(tmp_path / "a")
    total = float(arrays["values"].sum())  # every page is read
    assert np.isfinite(total)
    assert anonymous_bytes() - before < 10 * MB


def test_changing_one_changes_no_file_and_no_other(tmp_path: Path) -> None:
    _, values = saved(tmp_path / "a", 100_000, 4)
    content = (tmp_path / "a" / "values.npy").read_bytes()
    _, one = load_arrays(tmp_path / "a")
    _, other = load_arrays(tmp_path / "a")
    one["values"][:] = 0.0
    np.testing.assert_array_equal(other["values"], values)
    assert (tmp_path / "a" / "values.npy").read_bytes() == content
