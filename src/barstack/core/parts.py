"""Parts that studies name: whose they are, and the sentence where one breaks its contract."""

from __future__ import annotations

from importlib.metadata import entry_points
from types import TracebackType
from typing import Any

import numpy as np

from barstack.core.arrays import Floats

from .errors import BarstackError, PluginError
from .forecast import Target

_ROUNDING = 1e-6  # by which probabilities may miss 0, 1 and a sum of 1


def part_name(part: Any) -> str:
    """Kind, name and package of a part, for error messages.

    part  a registered spec or its class, or whatever else has `registered_as`
    """
    kind, name = getattr(part, "registered_as", ()) or ("", _class_of(part).__qualname__)
    return f"{kind} {name!r} of package {package_of(_module(part))}".strip()


def built_in(part: Any) -> bool:
    """Whether a part is barstack's own, whose contract barstack's tests hold it to."""
    return _module(part).partition(".")[0] == "barstack"


def package_of(module: str) -> str:
    """The distribution that a module belongs to by its entry point; else its topmost module."""
    top = module.partition(".")[0]
    for each in entry_points(group="barstack"):
        if each.dist is not None and each.module.partition(".")[0] == top:
            return str(each.dist.name)
    return top


class Calling:
    """As `with Calling(model, "fit"):` what the part raises becomes a sentence that names it.

    That holds of parts of other packages, whose `BarstackError`s keep their class. An interrupt
    stays one, and what barstack's own parts raise is a fault to be seen whole.
    """

    def __init__(self, part: Any, what: str) -> None:
        self._part, self._what = part, what

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, KeyboardInterrupt) or built_in(self._part):
            return
        message = _message_of(error)
        if not isinstance(error, BarstackError):
            message = f": {message}".rstrip(". ") if message else ""
            raise broken(
                self._part,
                f"{self._what} raises {type(error).__name__}{message}. Mend it, or leave it out.",
            ) from error
        if part_name(self._part)[1:] not in message:
            text = f"{_begun(self._part)}, {self._what}: {message}"
            raise _same_kind(error, text) from error


def broken(part: Any, what: str) -> PluginError:
    """The error of a part that did something else than its contract says.

    what  such as "predict returns None. Return an array."
    """
    return PluginError(f"{_begun(part)}: {what}")


def numbers(part: Any, what: str, found: Any, shape: tuple[int, ...]) -> Floats:
    """What a part returned, as float64 of that shape; `PluginError` unless it is real numbers."""
    try:
        array = np.asarray(found)
    except Exception as error:
        raise broken(
            part, f"{what} returns a {type(found).__name__}, which is no array of numbers."
        ) from error
    if array.dtype.kind not in "fiub":
        given = f"a {type(found).__name__}" if array.dtype.kind == "O" else f"{array.dtype} values"
        raise broken(part, f"{what} returns {given}. Return real numbers, as float64.")
    if array.shape != shape:
        raise broken(part, f"{what} returns shape {array.shape}. Return {shape}.")
    return np.asarray(array, np.float64)


def forecasts(part: Any, what: str, found: Any, n_rows: int, target: Target) -> Floats:
    """(n_rows, n_horizons, n_outputs) finite forecasts: of classes, probabilities."""
    values = numbers(part, what, found, (n_rows, len(target.horizons), len(target.outputs)))
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values).all(axis=(1, 2))))
        raise broken(
            part,
            f"{what} returns {values[row].tolist()} in row {row} of {n_rows:,}. Return finite "
            "numbers.",
        )
    if target.n_classes and len(values):
        least, most = values.min(), values.max()
        if least < -_ROUNDING or most > 1.0 + _ROUNDING:
            raise broken(
                part,
                f"{what} returns probabilities from {least:.6g} to {most:.6g}. Return numbers "
                "from 0 to 1.",
            )
        if len(target.outputs) > 1:
            away = np.abs(values.sum(axis=2) - 1.0)
            if away.max() > _ROUNDING:
                row = int(np.argmax(away.max(axis=1)))
                raise broken(
                    part,
                    f"{what} returns {values[row].tolist()} in row {row}. Return probabilities "
                    "that sum to 1 over the classes.",
                )
    return values


def _begun(part: Any) -> str:
    """The part's name at the beginning of a sentence."""
    name = part_name(part)
    return name[:1].upper() + name[1:]


def _message_of(error: BaseException) -> str:
    """What an error says, in one line of bounded length."""
    try:
        return " ".join(str(error).split())[:400]
    except Exception:  # noqa: BLE001 (a class of another package may fail even at that)
        return ""


def _same_kind(error: BarstackError, text: str) -> BarstackError:
    try:
        return type(error)(text)
    except TypeError:  # its class takes more than a text
        return PluginError(text)


def _module(part: Any) -> str:
    return str(getattr(part, "module", "") or _class_of(part).__module__)


def _class_of(part: Any) -> type:
    return part if isinstance(part, type) else type(part)
