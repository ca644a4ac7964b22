"""Analysis of a feature's source: its identity, the fields it reads, and what it must not read."""

from __future__ import annotations

import ast
import copy
import dis
import hashlib
import inspect
import itertools
import linecache
import math
from collections.abc import Iterator
from functools import cache
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import Any

import numba
import numpy as np

from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.syntax import syntax_tree

from ._view import FIELDS


def python_function(step: Any) -> FunctionType:
    """The Python function of a step, compiled or not."""
    function = getattr(step, "py_func", step)
    if not isinstance(function, FunctionType):
        name = getattr(step, "__name__", repr(step))
        raise ConfigError(
            f"{name} is of type {type(step).__name__}, and a feature is a function. Write it as "
            "def name(state, bar)."
        )
    return function


def parameters_of(function: FunctionType) -> dict[str, int | float]:
    """Parameters of `step(state, bar, *params)` with their defaults. `ConfigError` otherwise."""
    name = function.__name__
    if not name.isidentifier():
        raise ConfigError(f"A feature needs a name, and this is a {name}. Write it as a def.")
    first: list[str] = []
    params: dict[str, int | float] = {}
    for each in inspect.signature(function).parameters.values():
        in_order = each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
        if in_order and each.default is each.empty and len(first) < 2 and not params:
            first.append(each.name)
        elif in_order and _is_number(each.default):
            params[each.name] = each.default
        else:
            raise ConfigError(
                f"Feature {name!r}: parameter {str(each)!r} needs a number as its default, "
                f"and no star. Write def {name}(state, bar, window=20)."
            )
    if len(first) < 2:
        raise ConfigError(
            f"Feature {name!r} must take state and bar before its parameters, and takes "
            f"{', '.join(first) or 'neither'}. Write def {name}(state, bar)."
        )
    if not _returns_a_value(function):
        raise ConfigError(
            f"Feature {name!r} returns nothing. Let it return a number, or np.nan where it has "
            "none."
        )
    return params


def _is_number(default: object) -> bool:
    number = isinstance(default, int | float) and not isinstance(default, bool)
    return number and math.isfinite(default)  # type: ignore[arg-type]  # a number here


def _returns_a_value(function: FunctionType) -> bool:
    """Whether some `return` gives something other than None."""
    for before, each in itertools.pairwise(dis.get_instructions(function)):
        nothing = before.opname == "LOAD_CONST" and before.argval is None
        if each.opname == "RETURN_VALUE" and not nothing:
            return True
        if each.opname == "RETURN_CONST" and each.argval is not None:
            return True
    return False


def hash_of(parts: list[str]) -> str:
    """Sixteen hex digits of their SHA-256."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def code_of(feature: str, step: Any) -> list[str]:
    """Source of a step and of all functions it calls, with the value of each name they use.

    Raises `ConfigError` for values that a feature must not read, as they could hold the future.
    """
    code: dict[int, str] = {}
    _add_code(feature, step, code)
    return list(code.values())


def _add_code(feature: str, step: Any, code: dict[int, str]) -> str:
    function = python_function(step)
    if id(function) in code:
        return code[id(function)]
    code[id(function)] = ""  # a function may call itself
    options = sorted(getattr(step, "targetoptions", {}).items())
    lines = [_formula(function), repr(options)]
    for name, value in sorted(_names_used(function).items()):
        lines.append(f"{name} = {_value_text(feature, name, value, code)}")
    code[id(function)] = "\n".join(lines)
    return code[id(function)]


def _value_text(feature: str, name: str, value: Any, code: dict[int, str]) -> str:
    if _is_compiled(value):
        return hash_of([_add_code(feature, value, code)])
    if isinstance(value, int | float | np.number):
        return repr(value)
    if value is math or value is np:
        return str(value.__name__)
    if isinstance(value, BuiltinFunctionType | np.ufunc):
        return f"{getattr(value, '__module__', 'numpy')}.{value.__name__}"
    raise ConfigError(
        f"Feature {feature!r} uses {name!r}, a {_kind(value)} outside it. A feature may read only "
        "its state, the bar and its parameters, so that it cannot see the future; helper functions "
        "need @numba.njit."
    )


def bounds_checked(
    function: FunctionType, made: dict[FunctionType, FunctionType] | None = None
) -> FunctionType:
    """The same function, with helpers that raise `IndexError` for an index outside an array."""
    made = {} if made is None else made
    if function in made:
        return made[function]
    names: dict[str, Any] = dict(function.__globals__)
    cells = tuple(CellType(cell.cell_contents) for cell in function.__closure__ or ())
    again = FunctionType(function.__code__, names, function.__name__, function.__defaults__, cells)
    made[function] = again
    helpers = {name: value for name, value in _names_used(function).items() if _is_compiled(value)}
    for name, value in helpers.items():
        options = value.targetoptions | {"nopython": True, "boundscheck": True}
        checked = numba.jit(**options)(bounds_checked(value.py_func, made))
        if name in function.__code__.co_freevars:
            cells[function.__code__.co_freevars.index(name)].cell_contents = checked
        else:
            names[name] = checked
    return again


def _is_compiled(value: Any) -> bool:
    return hasattr(value, "py_func")


def _names_used(function: FunctionType) -> dict[str, Any]:
    """Values that a function uses from outside, by name: globals, closure and defaults."""
    # Not inspect.getclosurevars: it takes `bar.beta` for a use of a global `beta`, and misses inner
    # functions and comprehensions.
    read = _globals_read(function.__code__)
    if "random" in read and "np" in read:
        raise ConfigError(
            f"{function.__name__!r} uses np.random: a feature must give the same value each time."
        )
    used = {name: function.__globals__[name] for name in read if name in function.__globals__}
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    used |= {name: cell.cell_contents for name, cell in cells}
    for place, value in enumerate(function.__defaults__ or ()):
        used[f"default {place}"] = value
    for name, value in (function.__kwdefaults__ or {}).items():
        used[f"default {name}"] = value
    return used


@cache
def _globals_read(code: CodeType) -> frozenset[str]:
    """Names of globals that a function, or any function written within it, reads."""
    operations = list(dis.get_instructions(code))
    read = {each.argval for each in operations if each.opname == "LOAD_GLOBAL"}
    if any(each.opname == "LOAD_ATTR" and each.argval == "random" for each in operations):
        read.add("random")
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return frozenset(read.union(*(_globals_read(each) for each in inner)))


def fields_read(function: FunctionType) -> tuple[str, ...]:
    """Fields of the bar that a step reads; all of them if it passes the bar on."""
    tree = _tree(function)
    if tree is None:
        return FIELDS
    bar = list(inspect.signature(function).parameters)[1]
    nodes = list(ast.walk(tree))
    uses = [node for node in nodes if isinstance(node, ast.Name) and node.id == bar]
    read = [
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == bar
    ]
    for name in read:
        if name not in FIELDS:
            raise ConfigError(
                f"Feature {function.__name__!r} reads {bar}.{name}. {did_you_mean(name, FIELDS)}"
            )
    return tuple(name for name in FIELDS if name in read) if len(read) == len(uses) else FIELDS


def _kind(value: object) -> str:
    return f"module ({value.__name__})" if isinstance(value, ModuleType) else type(value).__name__


@cache
def _formula(function: FunctionType) -> str:
    """The function without what does not affect values: comments, docstring, decorator, layout."""
    tree = _tree(function)
    if tree is None:
        return repr(_code_content(function.__code__))
    tree = copy.copy(tree)
    tree.decorator_list = []
    if ast.get_docstring(tree, clean=False) is not None:
        tree.body = tree.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _tree(function: FunctionType) -> ast.FunctionDef | None:
    """The function's syntax tree; None if it was typed in a shell, or is a lambda."""
    file = function.__code__.co_filename
    linecache.checkcache(file)  # it may have been edited
    written = _functions("".join(linecache.getlines(file, function.__globals__)))
    found = written.get(function.__code__.co_firstlineno)
    return found if found is not None and found.name == function.__name__ else None


@cache
def _functions(text: str) -> dict[int, ast.FunctionDef]:
    """Every function of a file by its first line, decorators included.

    A file is parsed once: inspect takes ten times as long for each function's source.
    """
    try:
        tree = syntax_tree(text)
    except SyntaxError:
        return {}
    functions = [node for node in _statements(tree) if isinstance(node, ast.FunctionDef)]
    return {
        min([node.lineno, *(d.lineno for d in node.decorator_list)]): node for node in functions
    }


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """All statements below; expressions, which are many more, contain no functions."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.expr):
            yield node
            yield from _statements(node)


def _code_content(code: CodeType) -> tuple[object, ...]:
    constants = [_code_content(c) if isinstance(c, CodeType) else c for c in code.co_consts]
    return (code.co_code, code.co_names, constants)
