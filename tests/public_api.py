"""The public API as lines of text: what `barstack` exports, and the `__all__` of its packages.

    python -m tests.public_api

rewrites `public_api.txt`. Whoever runs it writes in CHANGELOG.md what changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import griffe

import barstack

FILE = Path(__file__).with_name("public_api.txt")
_SOURCE = Path(barstack.__file__).parent


@cache
def package() -> Any:
    """The package as its source says it, nothing imported."""
    return griffe.load("barstack", search_paths=[_SOURCE.parent], resolve_aliases=True)


def rooms() -> list[str]:
    """Modules whose `__all__` is public, such as `barstack.bars`."""
    found = []
    for file in sorted(_SOURCE.rglob("__init__.py")):
        parts = file.parent.relative_to(_SOURCE).parts
        if (
            parts
            and not any(part.startswith("_") for part in parts)
            and "__all__" in file.read_text()
        ):
            found.append(".".join(("barstack", *parts)))
    return [room for room in found if room != "barstack.cli"]  # whose commands docs/cli.md lists


def public_api() -> str:
    """The whole text: each class and function in full under the first package that lists it."""
    lines = ["# Written by: python -m tests.public_api"]
    seen: set[str] = set()
    for room in rooms():
        module = package()[room.removeprefix("barstack.")]
        lines += ["", room]
        for name in sorted(map(str, module.exports or ())):
            lines += [f"  {line}" for line in _once(name, module[name], seen)]
    lines += ["", "barstack"]
    for name in dir(barstack):
        if not name.startswith("_"):
            lines += [f"  {line}" for line in _once(name, _at_the_top(name), seen)]
    return "\n".join(lines) + "\n"


def _at_the_top(name: str) -> Any:
    """What `barstack.NAME` is, by what its `__getattr__` says."""
    module = package()[barstack._WHERE[name]]
    return module[barstack._CALLED.get(name, name)] if module.name != name else module


def _once(name: str, found: Any, seen: set[str]) -> Iterator[str]:
    target = found.final_target if found.is_alias else found
    if target.path in seen or target.is_module:
        yield f"{name} = {target.path}"
        return
    seen.add(target.path)
    if target.is_class:
        bases = ", ".join(str(base) for base in target.bases)
        yield f"class {name}({bases})" if bases else f"class {name}"
        made = "dataclass" in target.labels  # its parameters are its fields
        for member, each in target.members.items():
            if not member.startswith("_") or (member == "__init__" and not made):
                yield f"  {_line(member, each)}"
    else:
        yield _line(name, target)


def _line(name: str, found: Any) -> str:
    target = found.final_target if found.is_alias else found
    if target.is_function:
        return f"{name}{_signature(target)}"
    if target.is_attribute:
        kind = f": {target.annotation}" if target.annotation is not None else ""
        if "property" in target.labels:
            return f"{name}{kind}  (property)"
        value = f" = {target.value}" if target.value is not None else ""
        text = " ".join(f"{name}{kind}{value}".split())
        return text if len(text) <= _WIDEST else f"{name}{kind} = ..."
    return f"{target.kind.value} {name}"


_WIDEST = 120  # of an attribute with its value


def _signature(function: Any) -> str:
    parameters = []
    star = False
    for each in function.parameters:
        if each.name in ("self", "cls"):
            continue
        kind = each.kind.value if each.kind is not None else ""
        if kind == "keyword-only" and not star:
            parameters.append("*")
            star = True
        prefix = {"variadic positional": "*", "variadic keyword": "**"}.get(kind, "")
        star = star or prefix == "*"
        text = f"{prefix}{each.name}"
        text += f": {each.annotation}" if each.annotation is not None else ""
        if each.default is not None and not prefix:
            text += f" = {each.default}"
        parameters.append(text)
    returns = f" -> {function.returns}" if function.returns is not None else ""
    return " ".join(f"({', '.join(parameters)}){returns}".split())


def main() -> None:
    text = public_api()
    if not FILE.is_file() or FILE.read_text("utf-8") != text:
        FILE.write_text(text, "utf-8")
        print(f"rewrote {FILE.name}: say in CHANGELOG.md what changed")


if __name__ == "__main__":
    main()
