"""An edited plugin is another plugin; barstack's own code is none."""

from __future__ import annotations

import ast
import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from barstack.core import source
from barstack.core.source import room_id, rooms_behind, source_id, without_comments
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


PACKAGE = Path(source.__file__).parents[1]
TRICKY = '''"""A module."""

X = {  # one
    "a": """kept # all
""",
    "#": '"',  # two
}


class One:  # three
    r"""A class with \\."""  # four

    def two(self) -> str:
        # five
        return "#" + f"{self!r:>{10}} # six" + """
        : kept
        """


def three(): ...
'''


def without_docstrings(code: str) -> str:
    """The syntax tree with every docstring empty."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body:
                case [ast.Expr(ast.Constant(str()) as docstring), *_]:
                    docstring.value = ""
    return ast.dump(tree)


@pytest.mark.parametrize("room", ["core", "features", "labels"])
def test_stripping_comments_leaves_the_same_program(room: str) -> None:
    for file in (PACKAGE / room).rglob("*.py"):
        stripped = without_comments(file.read_text())
        assert ast.dump(ast.parse(stripped)) == without_docstrings(file.read_text()), file


def test_comments_docstrings_and_blank_lines_do_not_count() -> None:
    stripped = without_comments(TRICKY)
    assert ast.dump(ast.parse(stripped)) == without_docstrings(TRICKY)
    for comment in ("one", "two", "three", "four", "five"):
        assert f"# {comment}" not in stripped
    other = TRICKY.replace("# five", "# another\n\n        # longer").replace("A module", "One")
    assert without_comments(other) == stripped
    assert without_comments(TRICKY.replace("# all", "# none")) != stripped


def test_the_id_of_a_room_changes_with_its_code_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in ("core", "bars", "cli"):
        shutil.copytree(PACKAGE / room, tmp_path / room)
    monkeypatch.setattr(source, "_PACKAGE", tmp_path)
    before = room_id("bars", "core")
    assert room_id("core", "bars", "core") == before
    for file, code, changes in [
        ("cli/_app.py", "X = 1\n", False),
        ("bars/_resample.py", "# a comment\n", False),
        ("bars/_resample.py", "X = 1\n", True),
        ("core/times.py", "X = 1\n", True),
    ]:
        with (tmp_path / file).open("a") as stream:
            stream.write(code)
        assert (room_id("bars", "core") != before) == changes
        before = room_id("bars", "core")
    with pytest.raises(ValueError, match="no room 'attic'"):
        room_id("attic")


def test_the_rooms_behind_a_room_are_those_it_imports() -> None:
    assert rooms_behind("core") == ("core",)
    assert rooms_behind("features") == ("bars", "core", "features")
    behind = rooms_behind("models")
    assert {"core", "bars", "datasets", "models"} <= set(behind)
    assert not {"cli", "reports", "evaluation", "testing", "experiments"} & set(behind)
