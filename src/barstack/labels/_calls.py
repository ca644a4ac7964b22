"""The calls of labels. What a label of another package raises or returns is checked right here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from barstack.bars import Bars, Panel, as_panel
from barstack.core.arrays import Floats, Rows
from barstack.core.horizon import Horizon
from barstack.core.parts import Calling, broken, built_in, numbers
from barstack.core.times import KnownAt

if TYPE_CHECKING:
    from ._label import Label, Outcome


def outcome(label: Label, bars: Bars, horizon: Horizon) -> Outcome:
    """What came of every decision, as `Outcome` says."""
    from ._label import Outcome  # noqa: PLC0415 (which calls this)

    with Calling(label, "outcome"):
        found = label.outcome(bars, horizon)
    if built_in(label):  # held to it by barstack's tests
        return found
    if not isinstance(found, Outcome):
        raise broken(label, f"outcome returns a {type(found).__name__}. Return an Outcome.")
    shape = (len(bars),)
    value = numbers(label, "value of outcome", found.value, shape)
    returns = numbers(label, "returns of outcome", found.returns, shape)
    known_at = _moments(label, "known_at of outcome", found.known_at, shape)
    eligible = np.asarray(found.eligible)
    if eligible.dtype != np.bool_ or eligible.shape != shape:
        raise broken(
            label,
            f"eligible of outcome has shape {eligible.shape} of {eligible.dtype}. Return {shape} "
            "of bool.",
        )
    side = None if found.side is None else np.asarray(found.side)
    if side is not None and not (
        side.dtype.kind == "i" and side.shape == shape and np.isin(side, (-1, 0, 1)).all()
    ):
        raise broken(label, f"side of outcome is not {shape} whole numbers of -1, 0 or 1.")
    _check_values(label, bars, value, returns, known_at)
    open_but_eligible = ~eligible & ~np.isnat(known_at)
    if open_but_eligible.any():
        raise broken(
            label, "outcome gives labels to decisions that are not eligible. Leave them open."
        )
    return Outcome(value, returns, known_at, eligible, side)


def fitted_on(label: Label, bars: Bars | Panel, rows: Rows) -> Label:
    """The label with its numbers learned."""
    with Calling(label, "fit"):
        found = label.fit(bars, rows)
    if built_in(label):
        return found
    from ._label import Label  # noqa: PLC0415 (which calls this)

    if not isinstance(found, Label) or found.fitted or found.target != label.target:
        raise broken(
            label,
            f"fit returns {found!r:.200}. Return a label of the same target that has nothing "
            "left to fit.",
        )
    return found


def latest_known_at(label: Label, bars: Bars | Panel) -> KnownAt:
    """(n_rows, n_horizons) the latest that each label may become known."""
    with Calling(label, "latest_known_at"):
        found = label.latest_known_at(bars)
    if built_in(label):
        return found
    n_rows = sum(len(each) for each in as_panel(bars).values())
    return _moments(label, "latest_known_at", found, (n_rows, len(label.horizons)))


def _moments(label: Label, what: str, found: Any, shape: tuple[int, ...]) -> KnownAt:
    array = np.asarray(found)
    if array.dtype.kind != "M" or array.shape != shape:
        raise broken(
            label,
            f"{what} has shape {array.shape} of {array.dtype}. Return {shape} of datetime64[us].",
        )
    return KnownAt(array.astype("datetime64[us]"))


def _check_values(
    label: Label,
    bars: Bars,
    value: Floats,
    returns: Floats,
    known_at: KnownAt,
) -> None:
    """Labels are open where nothing is known, known after the decision, and of their task."""
    open_ = np.isnat(known_at)
    for name, column in (("value", value), ("returns", returns)):
        differs = np.isnan(column) != open_
        if differs.any() or np.isinf(column).any():
            row = int(np.argmax(differs | np.isinf(column)))
            raise broken(
                label,
                f"{name} of outcome is {column[row]} at bar {row:,}, where known_at is "
                f"{known_at[row]}. Give NaN and NaT where a label is open, finite numbers and "
                "times elsewhere.",
            )
    early = ~open_ & ~(known_at > bars.closed_at)
    if early.any():
        row = int(np.argmax(early))
        raise broken(
            label,
            f"outcome says that the label of bar {row:,} is known at {known_at[row]}, and the "
            f"bar closes at {bars.closed_at[row]}. A label is known after its decision.",
        )
    classes = label.target.n_classes
    strange = value[~open_ & ~np.isin(value, np.arange(classes))]
    if classes and len(strange):
        raise broken(
            label,
            f"value of outcome holds {strange[0]:g}, and {label.task} has classes 0 to "
            f"{classes - 1}. Return those.",
        )
