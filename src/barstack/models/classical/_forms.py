"""Functions of rows made of plain arrays, which fitted estimators come to once they are data.

A form maps rows (n_rows, inputs) to (n_rows, outputs). A chain hands rows from one form to the
next, and forms beside each other share their rows. What is read from a file is checked whole
before it is used: every array's type, shape and values, and that widths fit from part to part.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.errors import ArtifactError
from barstack.core.untrusted import read_json

from .._arrays import read_arrays, require, write_arrays
from .._horizons import check_width
from .._trees import Trees
from ._form_kinds import (
    FUNCTIONS,
    Columns,
    Form,
    Function,
    Gaussians,
    Grown,
    Kernels,
    Linear,
    Products,
    Scale,
)

_LARGEST_PLAN = 2**20  # bytes
_MOST_PARTS = 1_000
_WIDEST = 100_000  # columns


@dataclass(frozen=True, eq=False)
class Chain(Form):
    """One after the other."""

    parts: tuple[Form, ...]

    @property
    def inputs(self) -> int:
        return self.parts[0].inputs

    @property
    def outputs(self) -> int:
        return self.parts[-1].outputs

    def apply(self, X: Floats) -> Floats:
        for part in self.parts:
            X = part.apply(X)
        return X

    def check(self, file: Path) -> None:
        for one, two in zip(self.parts, self.parts[1:], strict=False):
            fits = one.outputs == two.inputs
            require(file, fits, f"{one.outputs} columns are handed to a form of {two.inputs}")

    def plan(self) -> dict[str, Any]:
        return {"form": "chain", "of": [each.plan() for each in self.parts]}


@dataclass(frozen=True, eq=False)
class Beside(Form):
    """Of the same rows, the columns of each beside those of the next."""

    parts: tuple[Form, ...]

    @property
    def inputs(self) -> int:
        return self.parts[0].inputs

    @property
    def outputs(self) -> int:
        return sum(each.outputs for each in self.parts)

    def apply(self, X: Floats) -> Floats:
        return np.hstack([each.apply(X) for each in self.parts])

    def check(self, file: Path) -> None:
        alike = len({each.inputs for each in self.parts}) == 1
        require(file, alike, "forms that share their rows take rows of different widths")

    def plan(self) -> dict[str, Any]:
        return {"form": "beside", "of": [each.plan() for each in self.parts]}


_FORMS: dict[str, type[Form]] = {
    kind.__name__.lower(): kind
    for kind in (
        *(Beside, Chain, Columns, Function, Gaussians, Grown, Kernels, Linear, Products, Scale),
    )
}


def applied(form: Form, X: Floats) -> Floats:
    """(n_rows, outputs); `ArtifactError` for rows of another width, or what is not finite."""
    check_width(form.inputs, X)
    with np.errstate(all="ignore"):
        found = form.apply(X)
    if not np.isfinite(found).all():
        raise ArtifactError(
            "A model's forecast is not finite: its files are not what was saved. Restore them "
            "from a copy, or run the study again."
        )
    return found


def save(form: Form, file: Path) -> None:
    """The arrays of all its parts into `file`, and what they are beside it."""
    write_arrays(
        file,
        **{
            f"{place}.{name}": getattr(each.trees if isinstance(each, Grown) else each, name)
            for place, each in enumerate(_all(form))
            for name in each.arrays
        },
    )
    _plan_file(file).write_text(json.dumps(form.plan()))


def load(file: Path) -> Form:
    """What `save` wrote; `ArtifactError` for what breaks a rule of its form."""
    plan_file = _plan_file(file)
    plan = read_json(plan_file, _LARGEST_PLAN)
    kinds: dict[str, str] = {}
    for place, each in enumerate(_plans(plan, plan_file)):
        for name, kind in _FORMS[each["form"]].arrays.items():
            # Names of dimensions hold within one part; numbers stand for themselves.
            dtype, _, dimensions = kind.partition(" ")
            own = [n if n.isdigit() else f"{n} of {place}" for n in dimensions.split(",")]
            kinds[f"{place}.{name}"] = f"{dtype} {','.join(own)}"
    return _made(plan, file, read_arrays(file, **kinds), iter(range(_MOST_PARTS)))


def _all(form: Form) -> Iterator[Form]:
    """It and its parts, each before its own."""
    yield form
    if isinstance(form, (Chain, Beside)):
        for part in form.parts:
            yield from _all(part)


def _plans(plan: Any, file: Path) -> list[dict[str, Any]]:
    """Those of a form and its parts, in the order of `_all`, once each is one."""
    found: list[dict[str, Any]] = []
    waiting = [plan]
    while waiting:
        each = waiting.pop()
        keys = each.keys() if isinstance(each, dict) else set()
        kind = _FORMS.get(each["form"]) if "form" in keys and type(each["form"]) is str else None
        if kind in (Chain, Beside):
            fine = keys == {"form", "of"} and isinstance(each["of"], list) and bool(each["of"])
            waiting += reversed(each["of"]) if fine else []
        elif kind is Function:
            fine = keys == {"form", "name"} and type(each["name"]) is str
            fine = fine and each["name"] in FUNCTIONS
        else:
            fine = kind is not None and keys == {"form"}
        require(file, fine, f"it describes no form: {str(each)[:100]}")
        found.append(each)
        require(file, len(found) < _MOST_PARTS, f"it has more than {_MOST_PARTS} parts")
    return found


def _made(plan: dict[str, Any], file: Path, arrays: Any, places: Iterator[int]) -> Form:
    """The form of a plan, from arrays in the order of `_all`."""
    place, kind = next(places), _FORMS[plan["form"]]
    own = {name: arrays[f"{place}.{name}"] for name in kind.arrays}
    form: Form
    if kind is Chain:
        form = Chain(tuple(_made(each, file, arrays, places) for each in plan["of"]))
    elif kind is Beside:
        form = Beside(tuple(_made(each, file, arrays, places) for each in plan["of"]))
    elif kind is Function:
        form = Function(plan["name"], own["width"])
    elif kind is Grown:
        form = Grown(Trees(**own))
    else:
        form = kind(**own)
    form.check(file)
    fine = 0 < form.inputs <= _WIDEST and 0 < form.outputs <= _WIDEST
    require(file, fine, f"a form takes or gives no columns, or more than {_WIDEST:,}")
    return form


def _plan_file(file: Path) -> Path:
    return file.with_name(f"{file.stem}.form.json")
