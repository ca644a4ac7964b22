"""Functions of rows made of plain arrays, which fitted estimators come to once they are data.

A form maps rows (n_rows, inputs) to (n_rows, outputs). A chain hands rows from one form to the
next, and forms beside each other share their rows. What is read from a file is checked whole
before it is used: every array's type, shape and values, and that widths fit from part to part.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy

from barstack.core.arrays import Floats
from barstack.core.errors import ArtifactError
from barstack.core.untrusted import read_json

from .._arrays import check_width, read_arrays, require, write_arrays
from .._trees import Trees

Places = npt.NDArray[np.int32]

_MOST_CLASSES = 16
_LEAST = 1e-100  # of what is divided by
_HIGHEST_POWER = 16
_AT_ONCE = 2**22  # rows times centres whose kernels are computed together
_LARGEST_PLAN = 2**20  # bytes
_MOST_PARTS = 1_000
_WIDEST = 100_000  # columns


class Form(ABC):
    """One step; its arrays by name, with the type and dimensions that `read_arrays` holds to."""

    arrays: ClassVar[dict[str, str]] = {}

    @property
    def inputs(self) -> int:
        """Columns of the rows that it takes, by the shapes of its arrays."""
        return self._length("inputs")

    @property
    def outputs(self) -> int:
        """Columns of its result, likewise."""
        return self._length("outputs")

    def _length(self, dimension: str) -> int:
        for name, kind in self.arrays.items():
            dimensions = kind.partition(" ")[2].split(",")
            if dimension in dimensions:
                return int(getattr(self, name).shape[dimensions.index(dimension)])
        raise TypeError(f"{type(self).__name__} has no array with {dimension}")

    @abstractmethod
    def apply(self, X: Floats) -> Floats:
        """(n_rows, inputs) to (n_rows, outputs), each row by itself."""

    def check(self, file: Path) -> None:  # noqa: B027 (most have no rules of their own)
        """`ArtifactError` unless the arrays hold to the form's own rules."""

    def plan(self) -> dict[str, Any]:
        """What it is, as JSON; its arrays lie elsewhere."""
        return {"form": _TAGS[type(self)]}


@dataclass(frozen=True, eq=False)
class LinearForm(Form):
    """A weighted sum and an intercept."""

    arrays: ClassVar[dict[str, str]] = {
        "weights": "float64 inputs,outputs",
        "intercept": "float64 outputs",
    }
    weights: Floats
    intercept: Floats

    def apply(self, X: Floats) -> Floats:
        return np.asarray(X @ self.weights + self.intercept)


@dataclass(frozen=True, eq=False)
class ScaleForm(Form):
    """Each column less its centre, divided by its scale."""

    arrays: ClassVar[dict[str, str]] = {"centre": "float64 inputs", "scale": "float64 inputs"}
    centre: Floats
    scale: Floats

    outputs = Form.inputs

    def apply(self, X: Floats) -> Floats:
        return np.asarray((X - self.centre) / self.scale)

    def check(self, file: Path) -> None:
        require(file, (np.abs(self.scale) > _LEAST).all(), "a scale is 0")


@dataclass(frozen=True, eq=False)
class ColumnsForm(Form):
    """Some of the columns."""

    arrays: ClassVar[dict[str, str]] = {"places": "int32 outputs", "width": "int32 1"}
    places: Places
    width: Places

    @property
    def inputs(self) -> int:
        return int(self.width[0])

    def apply(self, X: Floats) -> Floats:
        return np.asarray(X[:, self.places])

    def check(self, file: Path) -> None:
        fine = ((self.places >= 0) & (self.places < self.width[0])).all()
        require(file, fine, "it picks a column that there is not")


@dataclass(frozen=True, eq=False)
class ProductsForm(Form):
    """Products of powers of the columns."""

    arrays: ClassVar[dict[str, str]] = {"powers": "int32 outputs,inputs"}
    powers: Places

    def apply(self, X: Floats) -> Floats:
        return np.column_stack([np.prod(X**each, axis=1) for each in self.powers])

    def check(self, file: Path) -> None:
        fine = ((self.powers >= 0) & (self.powers <= _HIGHEST_POWER)).all()
        require(file, fine, f"a power is not within 0 and {_HIGHEST_POWER}")


@dataclass(frozen=True, eq=False)
class KernelsForm(Form):
    """Weighted sums of kernels at centres.

    degree  0: exp(-gamma |x - c|^2). 1 and more: (gamma x.c + shift)^degree. -1: its tanh
    """

    arrays: ClassVar[dict[str, str]] = {
        "centres": "float64 centres,inputs",
        "coefficients": "float64 centres,outputs",
        "intercept": "float64 outputs",
        "gamma": "float64 1",
        "shift": "float64 1",
        "degree": "int32 1",
    }
    centres: Floats
    coefficients: Floats
    intercept: Floats
    gamma: Floats
    shift: Floats
    degree: Places

    def apply(self, X: Floats) -> Floats:
        out = np.empty((len(X), self.outputs))
        size = max(1, _AT_ONCE // max(len(self.centres), 1))
        for begin in range(0, len(X), size):
            kernels = self._kernels(X[begin : begin + size])
            out[begin : begin + size] = kernels @ self.coefficients + self.intercept
        return out

    def _kernels(self, X: Floats) -> Floats:
        gamma, shift, degree = self.gamma[0], self.shift[0], int(self.degree[0])
        products = X @ self.centres.T
        if degree == 0:
            lengths = (X**2).sum(axis=1)[:, None] + (self.centres**2).sum(axis=1)
            return np.asarray(np.exp(-gamma * np.maximum(lengths - 2.0 * products, 0.0)))
        scaled = gamma * products + shift
        return np.asarray(np.tanh(scaled) if degree < 0 else scaled**degree)

    def check(self, file: Path) -> None:
        require(file, self.gamma[0] > 0.0, "gamma is not above 0")
        fine = -1 <= self.degree[0] <= _HIGHEST_POWER
        require(file, fine, f"the degree is not within -1 and {_HIGHEST_POWER}")


@dataclass(frozen=True, eq=False)
class GaussiansForm(Form):
    """Log densities of classes whose columns are normal and independent, with their priors."""

    arrays: ClassVar[dict[str, str]] = {
        "mean": "float64 outputs,inputs",
        "variance": "float64 outputs,inputs",
        "log_prior": "float64 outputs",
    }
    mean: Floats
    variance: Floats
    log_prior: Floats

    def apply(self, X: Floats) -> Floats:
        squared = ((X[:, None] - self.mean) ** 2 / self.variance).sum(axis=2)
        return np.asarray(
            self.log_prior - 0.5 * np.log(2.0 * np.pi * self.variance).sum(axis=1) - 0.5 * squared
        )

    def check(self, file: Path) -> None:
        require(file, (self.variance > _LEAST).all(), "a variance is not above 0")
        require(file, len(self.mean) <= _MOST_CLASSES, f"it has {len(self.mean)} classes")


@dataclass(frozen=True, eq=False)
class TreesForm(Form):
    """Sums of trees."""

    arrays: ClassVar[dict[str, str]] = Trees.arrays
    trees: Trees

    @property
    def inputs(self) -> int:
        return int(self.trees.n_features[0])

    @property
    def outputs(self) -> int:
        return len(self.trees.start)

    def apply(self, X: Floats) -> Floats:
        return self.trees.sums(X)

    def check(self, file: Path) -> None:
        self.trees.checked(file)


def _softmax(X: Floats) -> Floats:
    return np.asarray(np.exp(X - scipy.special.logsumexp(X, axis=1, keepdims=True)))


def _shares(X: Floats, least: float = 0.0) -> Floats:
    """Probabilities that sum to one; of nothing but zeros, all alike. Of one column, as it is."""
    held = np.clip(X, least, 1.0)
    if X.shape[1] == 1:
        return np.asarray(held)
    total = held.sum(axis=1, keepdims=True)
    alike = np.full_like(held, 1.0 / X.shape[1])
    return np.asarray(np.divide(held, total, out=alike, where=total > 0.0))


# What is done to each column by itself, or to all of a row.
FUNCTIONS: dict[str, Callable[[Floats], Floats]] = {
    "exp": lambda X: np.asarray(np.exp(X)),
    "float32": lambda X: X.astype(np.float32).astype(float),  # as trees of scikit-learn compare
    "logistic": lambda X: np.asarray(scipy.special.expit(X)),
    "relu": lambda X: np.maximum(X, 0.0),
    "shares": _shares,
    # Below this share of a class a regressor is taken to mean it.
    "shares_of_numbers": lambda X: _shares(X, 1e-6),
    "softmax": _softmax,
    "tanh": lambda X: np.asarray(np.tanh(X)),
}
PROBABILITIES = ("shares", "shares_of_numbers")


@dataclass(frozen=True, eq=False)
class FunctionForm(Form):
    """A function by its name, of rows of some width."""

    arrays: ClassVar[dict[str, str]] = {"width": "int32 1"}
    name: str
    width: Places

    @property
    def inputs(self) -> int:
        return int(self.width[0])

    outputs = inputs

    def apply(self, X: Floats) -> Floats:
        return FUNCTIONS[self.name](X)

    def plan(self) -> dict[str, Any]:
        return {"form": "function", "name": self.name}


@dataclass(frozen=True, eq=False)
class ChainForm(Form):
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
class SideBySideForm(Form):
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
    "beside": SideBySideForm,
    "chain": ChainForm,
    "columns": ColumnsForm,
    "function": FunctionForm,
    "gaussians": GaussiansForm,
    "grown": TreesForm,
    "kernels": KernelsForm,
    "linear": LinearForm,
    "products": ProductsForm,
    "scale": ScaleForm,
}
_TAGS = {kind: tag for tag, kind in _FORMS.items()}


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
            f"{place}.{name}": getattr(each.trees if isinstance(each, TreesForm) else each, name)
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
    if isinstance(form, (ChainForm, SideBySideForm)):
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
        if kind in (ChainForm, SideBySideForm):
            fine = keys == {"form", "of"} and isinstance(each["of"], list) and bool(each["of"])
            waiting += reversed(each["of"]) if fine else []
        elif kind is FunctionForm:
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
    if kind is ChainForm:
        form = ChainForm(tuple(_made(each, file, arrays, places) for each in plan["of"]))
    elif kind is SideBySideForm:
        form = SideBySideForm(tuple(_made(each, file, arrays, places) for each in plan["of"]))
    elif kind is FunctionForm:
        form = FunctionForm(plan["name"], own["width"])
    elif kind is TreesForm:
        form = TreesForm(Trees(**own))
    else:
        form = kind(**own)
    form.check(file)
    fine = 0 < form.inputs <= _WIDEST and 0 < form.outputs <= _WIDEST
    require(file, fine, f"a form takes or gives no columns, or more than {_WIDEST:,}")
    return form


def _plan_file(file: Path) -> Path:
    return file.with_name(f"{file.stem}.form.json")
