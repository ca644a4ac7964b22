"""Source code as an id: an edited plugin is another plugin, an edited room another room."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import sys
from functools import cache
from itertools import chain
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from .syntax import syntax_tree

_OWN = __name__.partition(".")[0]
_CODE = {".py", ".so", ".pyd"}
_PLAIN = (bool, int, float, str, bytes, tuple, frozenset)
_PACKAGE = Path(__file__).parents[1]

# Groups hold what counts: code and strings, and the quotes of docstrings. Comments, blank lines and
# docstrings are in none. Parsing the whole package instead takes forty times as long.
_COUNTS = re.compile(
    r"""
    (:)[ ]*(?:\#[^\n]*)?(\n\s*[rR]?\"{3})
        [^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*
        (\"{3})(?=[ ]*(?:\#|\n|\Z))
    | ((?>
        [^"'\#:\n]+
      | \"{3}[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*\"{3}
      | "[^"\\\n]*(?:\\.[^"\\\n]*)*"
      | '{3}[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'{3}
      | '[^'\\\n]*(?:\\.[^'\\\n]*)*'
      | :(?![ ]*(?:\#[^\n]*)?\n\s*[rR]?\"{3})
      | \n(?![ ]*(?:\#|\n))
      )++)
    | \#[^\n]*
    | \n[ ]*(?:\#[^\n]*)?(?=\n)
    | (.)
    """,
    re.DOTALL | re.VERBOSE,
)
_IMPORT = re.compile(rf"^ *(?:from|import) {_OWN}(?: import (\w+)|\.(\w+))", re.MULTILINE)

_BESIDE = re.compile(r"^ *from \.(\w+) import", re.MULTILINE)


def source_id(thing: Any) -> str | None:
    """Sixteen hex digits for code from outside barstack; None for barstack's own.

    thing  a class or function

    Of a package all its code counts; of a module that is a single file also the modules beside it
    that it imports, directly or through one another. What was typed in a shell counts by its
    compiled code.
    """
    name = str(thing.__module__)
    top = name.partition(".")[0]
    if top == _OWN:
        return None
    file = getattr(sys.modules.get(name), "__file__", None)
    if not file or not _written_in(thing, file):
        return hashlib.sha256(repr(_compiled(thing, set())).encode()).hexdigest()[:16]
    folders = getattr(sys.modules.get(top), "__path__", ())
    found = {each for folder in folders for each in _code_below(Path(folder))}
    return _hash(found or _with_imports(Path(file)))


def room_id(*rooms: str) -> str:
    """Sixteen hex digits for all code of some of barstack's rooms.

    Comments, docstrings and blank lines do not count.
    """
    digest = hashlib.sha256()
    for room in sorted(set(rooms)):
        for file, found in _room(room).items():
            digest.update(f"{file.relative_to(_PACKAGE).as_posix()}\0{found.digest}\0".encode())
    return digest.hexdigest()[:16]


def rooms_behind(room: str) -> tuple[str, ...]:
    """A room and all those that it imports, directly or through one another, sorted.

    >>> rooms_behind("bars")
    ('bars', 'core')
    """
    found: set[str] = set()
    ahead = {room}
    while ahead:
        found |= ahead
        files = [file for each in ahead for file in _room(each).values()]
        imported = set().union(*(file.imports for file in files))
        ahead = {name for name in imported - found if (_PACKAGE / name).is_dir()}
    return tuple(sorted(found))


@cache
def module_id(name: str) -> str:
    """Sixteen hex digits for a module of barstack and the modules beside it that it imports.

    Comments, docstrings and blank lines do not count.
    """
    folder = Path(str(sys.modules[name].__file__)).parent
    found: dict[str, str] = {}
    ahead = [name.rpartition(".")[2]]
    while ahead:
        each = ahead.pop()
        if each not in found and (folder / f"{each}.py").is_file():
            found[each] = without_comments((folder / f"{each}.py").read_text("utf-8"))
            ahead += _BESIDE.findall(found[each])
    digest = hashlib.sha256()
    for each, code in sorted(found.items()):
        digest.update(f"{each}\0{code}\0".encode())
    return digest.hexdigest()[:16]


class _SourceFile(NamedTuple):
    digest: str
    imports: frozenset[str]  # rooms


def _room(room: str) -> dict[Path, _SourceFile]:
    files = {
        Path(folder, name)
        for folder, _, names in os.walk(_PACKAGE / room)
        if not folder.endswith("__pycache__")
        for name in names
    }
    if not files:
        raise ValueError(f"{_OWN} has no room {room!r}.")
    facts = ((file, file.stat()) for file in sorted(files))
    return {file: _source_file(file, fact.st_size, fact.st_mtime_ns) for file, fact in facts}


@cache
def _source_file(file: Path, _size: int, _mtime_ns: int) -> _SourceFile:
    if file.suffix != ".py":
        return _SourceFile(hashlib.sha256(file.read_bytes()).hexdigest(), frozenset())
    code = without_comments(file.read_text("utf-8"))
    rooms = {one or other for one, other in _IMPORT.findall(code)}
    return _SourceFile(hashlib.sha256(code.encode()).hexdigest(), frozenset(rooms))


def without_comments(code: str) -> str:
    """Formatted Python without comments and blank lines, and with empty docstrings."""
    marked = f":\n{code}"  # so that the module's docstring follows a colon, as all others do
    lines = "".join(chain.from_iterable(_COUNTS.findall(marked))).split("\n")
    return "\n".join(map(str.rstrip, lines[1:]))


def _written_in(thing: Any, file: str) -> bool:
    """Whether it stands in its module's file: what `exec` made has the name of another module."""
    functions = [thing, *(vars(thing).values() if isinstance(thing, type) else ())]
    files = {each.__code__.co_filename for each in functions if isinstance(each, FunctionType)}
    return Path(file).is_file() and (not files or file in files)


def _code_below(folder: Path) -> set[Path]:
    return {
        each
        for each in folder.rglob("*")
        if each.suffix in _CODE and "__pycache__" not in each.parts and each.is_file()
    }


def _hash(files: set[Path]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted((file.name, file.read_bytes()) for file in files):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def _with_imports(file: Path) -> set[Path]:
    """The file and all modules of its folder that it imports, directly or through one another."""
    found: set[Path] = set()
    ahead = [file]
    while ahead:
        each = ahead.pop()
        if each not in found:
            found.add(each)
            beside = (file.parent / f"{name}.py" for name in _imported(each.read_bytes()))
            ahead += [module for module in beside if module.is_file()]
    return found


@cache
def _imported(text: bytes) -> frozenset[str]:
    """First parts of the names of all modules that a source file imports."""
    try:
        nodes = list(ast.walk(syntax_tree(text)))
    except (SyntaxError, ValueError):  # a compiled module
        return frozenset()
    plain = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    of = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return frozenset(name.partition(".")[0] for name in plain | of)


def _compiled(thing: Any, seen: set[int]) -> Any:
    """Plain constants as they are; a class or function by its compiled code and what that uses."""
    if isinstance(thing, classmethod | staticmethod):
        return _compiled(thing.__func__, seen)
    if isinstance(thing, property):
        return _compiled(thing.fget, seen)
    if isinstance(thing, _PLAIN):
        return _text(thing)
    if not isinstance(thing, FunctionType | type) or id(thing) in seen:
        return None
    seen.add(id(thing))
    if isinstance(thing, type):
        return {name: _compiled(part, seen) for name, part in sorted(vars(thing).items())}
    used = {
        name: _compiled(value, seen)
        for name, value in sorted(thing.__globals__.items())
        if name in _names(thing.__code__)
        and getattr(value, "__module__", thing.__module__) == thing.__module__
    }
    return [_content(thing.__code__), used]


def _names(code: CodeType) -> set[str]:
    inner = [_names(each) for each in code.co_consts if isinstance(each, CodeType)]
    return set(code.co_names).union(*inner)


def _content(code: CodeType) -> tuple[Any, ...]:
    constants = [
        _content(each) if isinstance(each, CodeType) else _text(each) for each in code.co_consts
    ]
    return (code.co_code, code.co_names, constants)


def _text(value: Any) -> str:
    """As `repr` has it; of a set in an order that is the same in every process."""
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)
