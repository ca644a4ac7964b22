"""An extension of griffe: doctests and settings as the reference shows them.

- A doctest begins a section of examples, whether or not the docstring has its heading.
- A setting of a spec, `penalty: float = Field(1.0, description="...")`, its own or inherited, is a
  row in a table, as a parameter is that a docstring describes.

Read from the source; nothing of barstack is imported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import griffe

SPEC = "barstack.core.spec.Spec"
_DOCTEST = re.compile(r"^>>> ", re.MULTILINE)
_HEADING = re.compile(r"^Examples\n-+$", re.MULTILINE)


class Docstrings(griffe.Extension):
    """What is done to the docstrings of a package before they are rendered."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Called by griffe when the whole package is read."""
        for each in list(_objects(pkg)):
            if each.docstring is not None:
                each.docstring.value = with_heading(each.docstring.value)
            if isinstance(each, griffe.Class):
                parents = [parent for parent in each.mro() if isinstance(parent, griffe.Class)]
                if SPEC in {parent.canonical_path for parent in parents}:
                    _describe(each, parents)


def with_heading(text: str) -> str:
    """The docstring, its first doctest below a heading.

    >>> with_heading("Add one.\\n\\n>>> add(1)\\n2").splitlines()[2:]
    ['Examples', '--------', '>>> add(1)', '2']
    """
    first = _DOCTEST.search(text)
    if first is None or _HEADING.search(text):
        return text
    return f"{text[: first.start()]}Examples\n--------\n{text[first.start() :]}"


def _objects(owner: griffe.Module | griffe.Class) -> Iterator[griffe.Object]:
    yield owner
    for member in owner.members.values():
        if isinstance(member, griffe.Module | griffe.Class):
            yield from _objects(member)
        elif isinstance(member, griffe.Object):
            yield member


def _describe(spec: griffe.Class, parents: list[griffe.Class]) -> None:
    """Add a table of settings, those of base classes first, above the examples."""
    fields: dict[str, griffe.Attribute] = {}
    for owner in (*reversed(parents), spec):
        for name, member in owner.members.items():
            if isinstance(member, griffe.Attribute) and _is_setting(member):
                fields[name] = member
            else:
                fields.pop(name, None)  # overridden by a constant or a property
    if "__init__" not in spec.members:
        spec.set_member("__init__", _constructor(fields))
    if spec.docstring is None:
        return
    sections = spec.docstring.parse("numpy")
    described = {
        row.name
        for section in sections
        if isinstance(section, griffe.DocstringSectionParameters)
        for row in section.value
    }
    rows = [_row(name, each) for name, each in fields.items() if name not in described]
    if rows:
        examples = griffe.DocstringSectionExamples
        place = next((n for n, s in enumerate(sections) if isinstance(s, examples)), len(sections))
        sections.insert(place, griffe.DocstringSectionParameters(rows, title="Settings:"))
        spec.docstring.__dict__["parsed"] = sections  # a cached property, which is rendered


def _constructor(fields: dict[str, griffe.Attribute]) -> griffe.Function:
    """What pydantic makes of the fields: keywords with their defaults."""
    keyword = griffe.ParameterKind.keyword_only
    defaults = {name: _row(name, each).value for name, each in fields.items()}
    return griffe.Function(
        "__init__",
        parameters=griffe.Parameters(
            griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword),
            *(griffe.Parameter(n, kind=keyword, default=value) for n, value in defaults.items()),
        ),
    )


def _is_setting(member: griffe.Attribute) -> bool:
    return (
        member.annotation is not None
        and not member.name.startswith("_")
        and "instance-attribute" in member.labels  # neither a ClassVar
        and "property" not in member.labels  # nor a property
    )


def _row(name: str, setting: griffe.Attribute) -> griffe.DocstringParameter:
    default, about = setting.value, ""
    if isinstance(default, griffe.ExprCall) and str(default.function) == "Field":
        positional, named = [], {}
        for argument in default.arguments:
            if isinstance(argument, griffe.ExprKeyword):
                named[argument.name] = argument.value
            else:
                positional.append(argument)
        default = positional[0] if positional else named.get("default")
        about = _literal(named.get("description"))
    shown = None if default is None or str(default) == "..." else str(default)
    return griffe.DocstringParameter(
        name, annotation=setting.annotation, description=about, value=shown
    )


def _literal(expression: Any) -> str:
    """The text of a string literal; empty for any other expression."""
    try:
        return str(ast.literal_eval(str(expression))) if expression is not None else ""
    except (ValueError, SyntaxError):
        return ""
