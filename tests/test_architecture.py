"""What holds the house up: data flows down, `barstack` starts fast, artifacts hold no code."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import barstack
from barstack.models import MODELS

HOUSE = Path(barstack.__file__).parent
ROOMS = [
    *("core", "tracking", "bars", "worlds", "features", "labels", "splits", "datasets", "models"),
    *("ensembles", "evaluation", "portfolio", "simulation", "experiments", "reports", "serving"),
    *("live", "cli"),
]
FRONT = {"__init__", "__main__", "_api"}  # the doors of the package, which reach everywhere
HEAVY = {
    "catboost", "exchange_calendars", "lightgbm", "numba", "pandas", "plotly", "polars",
    "scipy", "torch", "xgboost",
}  # fmt: skip
RUNS_CODE = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
FILES = sorted(HOUSE.rglob("*.py"))


def room_of(file: Path) -> str:
    return file.relative_to(HOUSE).parts[0].removesuffix(".py")


def imported_modules(file: Path) -> Iterator[str]:
    """Absolute names of all that a file imports, inside functions and type checks too."""
    package = ("barstack", *file.relative_to(HOUSE).parts[:-1])
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def rooms_used(file: Path) -> set[str]:
    names = [name.split(".") for name in imported_modules(file)]
    used = {parts[1] for parts in names if parts[0] == "barstack" and len(parts) > 1}
    return used & {*ROOMS, "testing", *FRONT}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(HOUSE)))
def test_rooms_only_look_upstream(file: Path) -> None:
    room = room_of(file)
    if room in FRONT or room == "testing":
        return
    for used in rooms_used(file) - {room}:
        if room == "cli" and used == "_api":
            continue
        assert used in ROOMS, f"{room} imports barstack.{used}, which rooms do not look at"
        assert ROOMS.index(used) < ROOMS.index(room), f"{room} imports {used}, which comes later"


def test_every_room_is_in_the_design() -> None:
    assert {room_of(file) for file in FILES} <= {*ROOMS, *FRONT, "testing"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(HOUSE)))
def test_nothing_loads_code(file: Path) -> None:
    """No pickle and the like, no `torch.load`, no `eval`; `exec` only compiles kernels."""
    assert not {name.split(".")[0] for name in imported_modules(file)} & RUNS_CODE
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        assert called not in {"eval", "torch.load", "torch.save", "__import__"}
        assert called != "exec" or file.name == "_kernel.py"
        if called in {"np.load", "np.save"}:
            assert any(
                keyword.arg == "allow_pickle" and ast.unparse(keyword.value) == "False"
                for keyword in node.keywords
            ), f"{called} at line {node.lineno} may pickle"


@pytest.mark.parametrize("module", ["barstack", "barstack.cli"])
def test_starting_imports_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {name.split(".")[0] for name in loaded.stdout.split()} & HEAVY


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
