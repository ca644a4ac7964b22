"""The structure of the package: order of rooms, import circles, names, no code in data.

Every check reads the syntax trees of all files, which are parsed once, and lists all violations.
What is `KNOWN` is a debt that may only shrink.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import barstack
from barstack.models import MODELS

PACKAGE = Path(barstack.__file__).parent
ROOMS = [
    *("core", "tracking", "bars", "worlds", "features", "labels", "splits", "datasets", "models"),
    *("ensembles", "forecasting", "portfolio", "simulation", "evaluation", "experiments"),
    *("reports", "serving", "live", "cli"),
]
ENTRY = {"__init__", "__main__", "_api"}  # the entry points of the package, which reach everywhere
HEAVY = {
    "alembic", "catboost", "exchange_calendars", "lightgbm", "numba", "pandas", "plotly", "polars",
    "scipy", "sqlalchemy", "torch", "xgboost",
}  # fmt: skip
RUNS_CODE = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
HOUSE_WORDS = {"apart", "asked", "came", "said", "told"}
ARRAY_ALIASES = {"Array", "Bools", "Column", "Floats", "Ints", "Rows", "Values"}
ALIASES_FILE = "core/arrays.py"

# Counts by room: modules that are part of an import circle, names that contain a house word.
KNOWN_CIRCLES: dict[str, int] = {}
KNOWN_TWICE: set[str] = set()
KNOWN_HOUSE_WORDS: dict[str, int] = {}
KNOWN_ALIASES = {"Numbers", "Places", "Times", "Values", "Windows"}


@cache
def trees() -> dict[str, ast.Module]:
    """The syntax tree of each file, by its path below the package, such as `core/times.py`."""
    files = sorted(PACKAGE.rglob("*.py"))
    return {
        file.relative_to(PACKAGE).as_posix(): ast.parse(file.read_text("utf-8")) for file in files
    }


@cache
def nodes(file: str) -> list[ast.AST]:
    return list(ast.walk(trees()[file]))


def room_of(file: str) -> str:
    return file.split("/", maxsplit=1)[0].removesuffix(".py")


@cache
def module_of(file: str) -> str:
    parts = ("barstack", *file.removesuffix(".py").removesuffix("__init__").split("/"))
    return ".".join(part for part in parts if part)


@cache
def imports(file: str) -> list[tuple[str, str]]:
    """Each import as (module, name or ""), inside functions and type checks too."""
    package = ("barstack", *file.split("/")[:-1])
    found = []
    for node in nodes(file):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [(module, alias.name) for alias in node.names]
    return found


def roots_imported(file: str) -> set[str]:
    return {module.split(".")[0] for module, _ in imports(file)}


def rooms_used(file: str) -> set[str]:
    names = [f"{module}.{name}".split(".") for module, name in imports(file)]
    return {parts[1] for parts in names if parts[0] == "barstack"} & {*ROOMS, "testing", *ENTRY}


def test_rooms_only_import_from_rooms_above() -> None:
    wrong = []
    for file in trees():
        room = room_of(file)
        if room in ENTRY or room == "testing":
            continue
        allowed = {*ROOMS[: ROOMS.index(room) + 1], *(["_api"] if room == "cli" else [])}
        wrong += [f"{file} imports barstack.{used}" for used in rooms_used(file) - allowed]
    assert wrong == []


def test_every_room_is_in_the_design() -> None:
    assert {room_of(file) for file in trees()} <= {*ROOMS, *ENTRY, "testing"}


@cache
def imported_by(module: str) -> set[str]:
    """Modules of the package that a module imports, lazily and for types too."""
    modules = {module_of(file): file for file in trees()}
    named = [(f"{base}.{name}", base) for base, name in imports(modules[module])]
    return {whole if whole in modules else base for whole, base in named} & set(modules) - {module}


def reaches(start: str, end: str) -> bool:
    seen, ahead = set[str](), [start]
    while ahead:
        found = imported_by(ahead.pop())
        ahead += found - seen
        seen |= found
    return end in seen


def test_no_import_circle() -> None:
    by_room: dict[str, list[str]] = defaultdict(list)
    for file in trees():
        module = module_of(file)
        if reaches(module, module):
            by_room[room_of(file)].append(module)
    assert beyond(by_room, KNOWN_CIRCLES) == {}


def beyond(found: dict[str, list[str]], known: dict[str, int]) -> dict[str, list[str]]:
    """What was found in rooms where it is more than is known."""
    return {room: names for room, names in found.items() if len(names) > known.get(room, 0)}


def test_no_class_name_is_defined_twice() -> None:
    where: dict[str, list[str]] = defaultdict(list)
    for file in trees():
        for node in nodes(file):
            if isinstance(node, ast.ClassDef):
                where[node.name].append(file)
    twice = {name: files for name, files in where.items() if len(files) > 1}
    assert {name: files for name, files in twice.items() if name not in KNOWN_TWICE} == {}


def test_array_aliases_are_defined_in_one_file() -> None:
    found = []
    for file in trees():
        if file == ALIASES_FILE:
            continue
        for node in trees()[file].body:
            targets: list[ast.expr] = [node.target] if isinstance(node, ast.AnnAssign) else []
            targets += node.targets if isinstance(node, ast.Assign) else []
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            value = getattr(node, "value", None)
            of_arrays = isinstance(value, ast.Subscript) and "NDArray" in ast.unparse(value.value)
            found += [f"{file}: {name}" for name in names if of_arrays or name in ARRAY_ALIASES]
    assert [each for each in found if each.split(": ")[1] not in KNOWN_ALIASES] == []


def names_defined(file: str) -> Iterator[str]:
    """Names that a file gives: of itself, variables, parameters, attributes, functions, classes."""
    yield file.rsplit("/", maxsplit=1)[-1].removesuffix(".py")
    for node in nodes(file):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.alias(asname=str(name)):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case ast.arg(arg=name):
                yield name


def words(name: str) -> set[str]:
    """
    >>> sorted(words("_what_wasAsked_4h"))
    ['4h', 'asked', 'was', 'what']
    """
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", name)}


def test_names_are_professional_english() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for file in trees():
        for name in names_defined(file):
            if words(name) & HOUSE_WORDS:
                found[room_of(file)].append(f"{file}: {name}")
    assert beyond(found, KNOWN_HOUSE_WORDS) == {}


def test_nothing_loads_code() -> None:
    """No pickle and the like, no `torch.load`, no `eval`; `exec` only compiles kernels."""
    wrong = [
        f"{file} imports {name}" for file in trees() for name in roots_imported(file) & RUNS_CODE
    ]
    for file in trees():
        for node in nodes(file):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            place = f"{file}:{node.lineno} calls {called}"
            if called in {"eval", "torch.load", "torch.save", "__import__"} or (
                called == "exec" and "kernel" not in file
            ):
                wrong.append(place)
            if called in {"np.load", "np.save"} and not any(
                keyword.arg == "allow_pickle" and ast.unparse(keyword.value) == "False"
                for keyword in node.keywords
            ):
                wrong.append(f"{place} and may pickle")
    assert wrong == []


@pytest.mark.parametrize("module", ["barstack", "barstack.cli"])
def test_starting_imports_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {name.split(".")[0] for name in loaded.stdout.split()} & HEAVY


@pytest.mark.slow
def test_a_study_needs_only_the_libraries_it_uses(tmp_path: Path) -> None:
    """With PyTorch, boosters and scikit-learn out of reach, models are listed and ridge is run."""
    code = """
import sys

FAR = {"torch", "safetensors", "lightgbm", "xgboost", "catboost", "sklearn"}

class OutOfReach:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in FAR:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, OutOfReach())
import barstack as bs
from barstack.models import MODELS

print(*MODELS.names())
label = {"label": "return", "horizons": [1]}
study = bs.Study(bars="sample", features=["rsi"], label=label, members=["ridge"])
print(bs.run(study, runs=sys.argv[1]))
try:
    bs.run(bs.Study(bars="sample", label=label, members=["lstm"]), runs=sys.argv[1])
except bs.BarstackError as error:
    print(error)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    names, run, error = ran.stdout.splitlines()
    assert names.split() == MODELS.names()
    assert run.startswith("Run(")
    assert "This model needs PyTorch: pip install 'barstack[neural]'" in error
