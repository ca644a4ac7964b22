"""Scalers: recipes, what they learned from training rows, and their registry."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from barstack.core.arrays import Floats, Rows
from barstack.core.errors import ArtifactError, BarstackError, DataError
from barstack.core.parts import Calling, broken, built_in, numbers, part_name
from barstack.core.registry import SpecRegistry
from barstack.core.spec import Spec

Windows = npt.NDArray[np.float32]
Learned = Mapping[str, Floats]

# Values scaled at a time: few enough to stay in the processor's cache from one pass to the next.
_AT_ONCE = 2**16
_LARGEST = 1e100  # of what a scaler learned


class Scaler(Spec):
    """A recipe that brings features to one scale by what training rows showed.

    Subclass it, decorate with `register(name)`, name what it learns and write the two methods.
    Each value is scaled by itself and its own column, so a row by itself equals it in a batch.
    """

    learns: ClassVar[tuple[str, ...]] = ()  # names of what `learn` gives

    @abstractmethod
    def learn(self, values: Floats, rows: Rows) -> dict[str, Floats]:
        """Arrays whose first axis is that of the columns, learned from `rows` and no others.

        values  (n_all_rows, n_columns), finite in `rows`; may be far larger than memory has room
                for twice
        """

    def check(self, learned: Learned) -> str:
        """What is wrong with arrays from a file, whose numbers are finite and of all columns."""
        return ""

    @abstractmethod
    def apply(self, values: Floats, learned: Learned) -> Floats:
        """(n, n_columns) float64 scaled values."""

    def windows(self, table: Floats, rows: Rows, lookback: int, learned: Learned) -> Windows:
        """(n_rows, lookback, n_columns) float32: the rows of `table` up to each, scaled.

        What `apply` says of each value, rounded; override it only to be faster.
        """
        found = np.empty((len(rows), lookback, table.shape[1]), np.float32)
        steps = np.arange(1 - lookback, 1)
        size = max(1, _AT_ONCE // (lookback * table.shape[1]))
        for start in range(0, len(rows), size):
            taken = rows[start : start + size, None] + steps
            scaled = self.apply(table[taken.ravel()], learned)
            found[start : start + size] = scaled.reshape(*taken.shape, -1)
        return found

    def fit(self, values: Floats, rows: Rows | None = None) -> FittedScaler:
        """A scaler that has seen `rows` of `values` only, by default all.

        >>> from barstack.datasets import StandardScaler
        >>> fitted = StandardScaler().fit(np.array([[1.0], [3.0]]))
        >>> fitted.apply(np.array([[2.0], [4.0]])).ravel().tolist()
        [0.0, 2.0]
        """
        rows = np.arange(len(values)) if rows is None else rows
        with Calling(self, "learn"):
            learned = self.learn(values, rows)
        return FittedScaler(self, _checked(self, learned, values.shape[1]))


@dataclass(frozen=True, eq=False)
class FittedScaler:
    """A scaler with what it learned: plain arrays whose first axis is that of the columns.

    >>> from barstack.datasets import StandardScaler
    >>> fitted = StandardScaler().fit(np.array([[1.0], [3.0]]))
    >>> fitted.to_json()["learned"]
    {'centre': [2.0], 'scale': [1.0]}
    """

    scaler: Scaler
    learned: Learned

    def apply(self, values: Floats) -> Floats:
        """Scaled values of the same shape."""
        if built_in(self.scaler):  # checked by barstack's tests, and called for single rows
            return self.scaler.apply(values, self.learned)
        with Calling(self.scaler, "apply"):
            found = self.scaler.apply(values, self.learned)
        scaled = numbers(self.scaler, "apply", found, values.shape)
        _check_finite(self.scaler, "apply", scaled, values)
        return scaled

    def windows(self, table: Floats, rows: Rows, lookback: int) -> Windows:
        """(n_rows, lookback, n_columns) float32: the rows of `table` up to each, scaled."""
        if built_in(self.scaler):
            return self.scaler.windows(table, rows, lookback, self.learned)
        with Calling(self.scaler, "windows"):
            found = self.scaler.windows(table, rows, lookback, self.learned)
        shape = (len(rows), lookback, table.shape[1])
        scaled = numbers(self.scaler, "windows", found, shape).astype(np.float32)
        _check_finite(self.scaler, "windows", scaled, np.zeros(shape))
        return scaled

    def same_as(self, other: FittedScaler) -> bool:
        """Whether both scale every value alike."""
        return self.scaler == other.scaler and all(
            np.array_equal(array, other.learned[name]) for name, array in self.learned.items()
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data, from which `from_json` makes the same to the bit."""
        learned = {name: array.tolist() for name, array in self.learned.items()}
        return {"scaler": self.scaler.content(), "learned": learned}

    @classmethod
    def from_json(cls, content: Any, n_columns: int) -> FittedScaler:
        """Read what `to_json` gave; `ArtifactError` unless it is a known scaler of `n_columns`."""
        try:
            scaler = SCALERS.parse(content["scaler"])
            if {*content, *content["learned"]} != {"scaler", "learned", *scaler.learns}:
                raise ValueError(f"it has {', '.join(map(str, content['learned']))}.")
            learned = {name: _numbers(content["learned"][name]) for name in scaler.learns}
        except (KeyError, TypeError, ValueError, AttributeError, BarstackError) as error:
            raise ArtifactError(
                f"What is stored of a scaler cannot be read: {error} Load it with the barstack "
                "and plugins that wrote it, or run its study again."
            ) from None
        for name, array in learned.items():
            if array.ndim == 0 or array.shape[0] != n_columns:
                raise ArtifactError(
                    f"The scaler's {name} has shape {array.shape} and there are {n_columns} "
                    "columns. Restore it from a copy, or run the study again."
                )
        if wrong := scaler.check(learned):
            raise ArtifactError(
                f"What is stored of a scaler is not what was learned: {wrong}. Restore it from a "
                "copy, or run the study again."
            )
        return cls(scaler, learned)


def _checked(scaler: Scaler, learned: Any, n_columns: int) -> Learned:
    """What a scaler learned, by the names that it says: arrays with a first axis of the columns."""
    if not isinstance(learned, Mapping) or set(learned) != set(scaler.learns):
        given = ", ".join(map(str, learned)) if isinstance(learned, Mapping) else repr(learned)
        raise broken(
            scaler, f"learn returns {given[:100]}. Return a dict of {', '.join(scaler.learns)}."
        )
    found = {}
    for name, array in learned.items():
        found[name] = numbers(scaler, f"learn's {name}", array, np.shape(array))
        if found[name].shape[:1] != (n_columns,):
            raise broken(
                scaler,
                f"learn's {name} has shape {found[name].shape}. Let its first axis be that of "
                f"the {n_columns} columns.",
            )
        if not np.isfinite(found[name]).all():
            column = int(np.argmin(np.isfinite(found[name]).reshape(n_columns, -1).all(axis=1)))
            raise DataError(
                f"The {part_name(scaler)} learns no finite {name} of column {column}: its values "
                "are too large. Leave that feature out, or bring it to another unit."
            )
    return found


def _check_finite(scaler: Scaler, what: str, scaled: Any, values: Floats) -> None:
    """`PluginError` where a finite value is scaled to something that is not."""
    wrong = ~np.isfinite(scaled) & np.isfinite(values)
    if wrong.any():
        place = tuple(int(each[0]) for each in np.nonzero(wrong))
        raise broken(
            scaler,
            f"{what} makes {values[place]:g} of column {place[-1]} into {scaled[place]}. Return "
            "finite numbers.",
        )


def _holds_a_bool(content: Any) -> bool:
    """Whether a flag stands among numbers, which numpy takes for 0 or 1."""
    if isinstance(content, list):
        return any(_holds_a_bool(each) for each in content)
    return isinstance(content, bool)


def _numbers(content: Any) -> Floats:
    """An array of numbers between bounds that no training reaches."""
    array = np.array(content)
    if array.dtype.kind not in "fi" or _holds_a_bool(content):
        raise ValueError("it holds what is no number.")
    if not (np.abs(array) < _LARGEST).all():  # a comparison with NaN is false
        raise ValueError("it holds a number that is not finite, or too large.")
    return array.astype(float)


SCALERS: SpecRegistry[Scaler] = SpecRegistry("scaler", "barstack.datasets")
register = SCALERS.register
