"""An edited plugin is another plugin; barstack's own code is none."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from barstack.core.source import source_id
from barstack.models import MODELS

MODULE = """
from some_helper import SHIFT
from barstack.splits import Splitter

class Mine(Splitter):
    def spans(self, n_times):
        return [] if SHIFT else []
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "some_plugin.py").write_text(MODULE)
    (tmp_path / "some_helper.py").write_text("import some_deep\nSHIFT = 1\n")
    (tmp_path / "some_deep.py").write_text("")
    (tmp_path / "unrelated.py").write_text("")
    yield tmp_path
    for name in ("some_plugin", "some_helper", "some_deep", "some_package"):
        sys.modules.pop(name, None)


def id_now(name: str = "some_plugin") -> str | None:
    importlib.invalidate_caches()
    sys.modules.pop(name, None)
    return source_id(importlib.import_module(name).Mine)


@pytest.mark.parametrize("edited", ["some_plugin.py", "some_helper.py", "some_deep.py"])
def test_an_edit_of_a_module_or_of_what_it_imports_is_seen(plugin: Path, edited: str) -> None:
    before = id_now()
    assert before is not None
    assert id_now() == before
    (plugin / "unrelated.py").write_text("SHIFT = 2\n")
    assert id_now() == before
    with (plugin / edited).open("a") as file:
        file.write("MORE = 2\n")
    assert id_now() != before


def test_all_code_of_a_package_counts(plugin: Path) -> None:
    package = plugin / "some_package"
    package.mkdir()
    (package / "__init__.py").write_text(MODULE)
    (package / "other.py").write_text("")
    before = id_now("some_package")
    (package / "notes.txt").write_text("no code")
    assert id_now("some_package") == before
    (package / "other.py").write_text("A = 1")
    assert id_now("some_package") != before


def test_what_is_typed_in_a_shell_counts_by_what_it_does() -> None:
    said = set()
    for seed, body in [("1", "2 * x"), ("2", "2 * x"), ("1", "3 * x")]:
        code = (
            f"from barstack.core.source import source_id\n"
            f"def helper(x): return {body} if x in {{'a', 'b', 'c'}} else x\n"
            f"class Mine:\n    def act(self, x): return helper(x)\n"
            f"print(source_id(Mine))"
        )
        environment = os.environ | {"PYTHONHASHSEED": seed}
        run = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        said.add((body, run.stdout))
    assert len({out for _, out in said}) == 2
    assert len(said) == 2  # the same in both processes


def test_the_code_of_barstack_is_not_part_of_an_id() -> None:
    assert all(MODELS.get(name).plugin_code is None for name in MODELS.names())
