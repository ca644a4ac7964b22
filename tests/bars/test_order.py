"""The order within `barstack.bars`: a sub-room imports only those before it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import barstack.bars

ROOM = Path(barstack.bars.__file__).parent
ORDER = ("", "checks", "catalog", "importing", "sources")  # "": the modules of the room itself
FILES = sorted(ROOM.rglob("*.py"))


def sub_room_of(file: Path) -> str:
    return "" if file.parent == ROOM else file.parent.name


def sub_rooms_used(file: Path) -> set[str]:
    """Sub-rooms that a file imports, inside functions and type checks too."""
    package = file.relative_to(ROOM).parts[:-1]
    used = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            assert node.level <= len(package) + 1, f"{file}: import from barstack by its full name"
            module = [*base, *(node.module or "").split(".")]
            used.add(module[0] if module[0] in ORDER else "")
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            names = names if isinstance(node, ast.Import) else [node.module or ""]
            assert not any(name.startswith("barstack.bars") for name in names), file
    return used


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOM)))
def test_sub_rooms_import_only_what_stands_before_them(file: Path) -> None:
    if file == ROOM / "__init__.py":  # the public door shows names of every sub-room
        return
    own = ORDER.index(sub_room_of(file))
    later = {name for name in sub_rooms_used(file) if ORDER.index(name) > own}
    assert not later, f"{file.relative_to(ROOM)} imports {', '.join(sorted(later))}"
