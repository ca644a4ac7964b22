"""Fits, made again with everything poisoned that they may not see: nothing learned may change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from barstack.core.errors import ConfigError, DataError
from barstack.core.times import iso
from barstack.features import FeatureTable
from barstack.labels import LabelTable
from barstack.splits import Fold

from ._apart import hunt_stage
from ._earned import hunt_returns
from ._leak import Leak
from ._pipeline import Data, Fit, Stage
from ._poison import Dose, Poisoned, poison, unseen

Refit = Callable[[Data, FeatureTable, LabelTable], Fit]

DOSES: tuple[Dose, ...] = ("driven", "drowned")


@dataclass(frozen=True)
class Difference:
    """The first thing in the flow that came out differently."""

    stage: str
    column: str
    before: float
    after: float
    name: str = ""  # of the number learned
    row: int | None = None  # of the test, where it is a forecast
    further: int = 0  # other numbers of the stage that differ too


def hunt_fit(
    fit: Callable[[Data, FeatureTable, LabelTable, Sequence[Fold], int], Fit],
    data: Data,
    features: FeatureTable,
    labels: LabelTable,
    folds: Sequence[Fold],
    number: int,
) -> Iterator[Leak]:
    """What one fold's stages say they have seen, and what they have seen in truth."""
    fold = folds[number]

    def refit(data: Data, features: FeatureTable, labels: LabelTable) -> Fit:
        return fit(data, features, labels, folds, number)

    base = _checked(refit(data, features, labels), fold, number)
    for stage in base.stages:
        yield from hunt_stage(labels, fold, number, stage)
    for own in {id(stage.labels): stage.labels for stage in base.stages}.values():
        if own is not None:  # the fold's own labels, such as those of barriers fitted to it
            yield from hunt_returns(own, None, data)
    hidden = unseen(labels, fold, base)
    for dose in DOSES:
        given = poison(data, features, labels, fold, hidden, dose)
        try:
            again = refit(given.data, given.features, given.labels)
        except Exception as error:
            error.add_note(
                f"This is the audit: fold {number} is fitted again, with numbers altered that it "
                "must not read. If the fit works otherwise, it reads them."
            )
            raise
        found = difference(base, again, features.columns, given.compared)
        if found is None:
            continue
        again = refit(data, features, labels)
        everything = np.ones(len(fold.test), bool)
        if (moved := difference(base, again, features.columns, everything)) is not None:
            raise ConfigError(
                f"Stage {moved.stage!r} of fold {number} gives other numbers when it is fitted "
                f"twice to the same data: {moved.column} is {moved.before:.17g}, then "
                f"{moved.after:.17g}. Set its seeds and threads, so that a leak can be told."
            )
        yield _told(refit, base, data, features, labels, fold, number, given, hidden, found)
        return


def difference(
    base: Fit, again: Fit, columns: Sequence[str], compared: npt.NDArray[np.bool_]
) -> Difference | None:
    """The first stage, and in it the first number, that is not the same to the last bit.

    compared  (n_test_rows,) which forecasts must be the same
    """
    for place, stage in enumerate(base.stages):
        if place >= len(again.stages) or again.stages[place].name != stage.name:
            return Difference(stage.name, "stages", np.nan, np.nan)
        if (found := _learned(stage, again.stages[place], columns)) is not None:
            return found
    if base.forecast is None or again.forecast is None:
        return None
    wrong = _unequal(base.forecast, again.forecast)
    if wrong.shape:
        wrong &= compared.reshape(-1, *[1] * (wrong.ndim - 1))
    if not wrong.any():
        return None
    row = int(np.argwhere(wrong)[0][0])
    first = tuple(np.argwhere(wrong)[0])
    before, after = float(base.forecast[first]), float(again.forecast[first])
    return Difference("forecast", "forecast", before, after, row=row)


def _learned(stage: Stage, again: Stage, columns: Sequence[str]) -> Difference | None:
    found = []
    for name in sorted(
        {*stage.learned, *again.learned}, key=[*stage.learned, *again.learned].index
    ):
        if name not in stage.learned or name not in again.learned:
            return Difference(stage.name, name, np.nan, np.nan)
        before, after = np.asarray(stage.learned[name]), np.asarray(again.learned[name])
        if before.shape != after.shape:
            return Difference(stage.name, name, before.size, after.size)
        wrong = _unequal(before, after)
        for place in np.argwhere(wrong):
            by_column = before.ndim and before.shape[-1] == len(columns)
            label = columns[place[-1]] if by_column else name
            whose = f"{name} of {label}" if by_column else name
            found.append((label, before[tuple(place)], after[tuple(place)], whose))
    if not found:
        return None
    label, was, now, whose = found[0]
    further = len({each[0] for each in found}) - 1
    return Difference(stage.name, str(label), _number(was), _number(now), whose, further=further)


def _number(value: Any) -> float:
    return float(value) if np.asarray(value).dtype.kind in "fiub" else np.nan


def _unequal(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    before, after = np.asarray(before), np.asarray(after)
    if before.shape != after.shape:
        return np.ones(before.shape, bool)
    wrong = before != after
    if before.dtype.kind == "f" and after.dtype.kind == "f":
        wrong &= ~(np.isnan(before) & np.isnan(after))
    return np.asarray(wrong)


def _checked(fit: Fit, fold: Fold, number: int) -> Fit:
    if fit.forecast is not None and len(fit.forecast) != len(fold.test):
        raise DataError(
            f"The fit of fold {number} forecasts {len(fit.forecast):,} rows; its test has "
            f"{len(fold.test):,}. Give one for each, NaN where there is none."
        )
    return fit


def _told(
    refit: Refit,
    base: Fit,
    data: Data,
    features: FeatureTable,
    labels: LabelTable,
    fold: Fold,
    number: int,
    given: Poisoned,
    hidden: npt.NDArray[np.bool_],
    found: Difference,
) -> Leak:
    """With whose numbers were altered: labels, features, or the bars themselves."""
    none = np.zeros(len(fold.test), bool)
    compared = given.compared if found.stage == "forecast" else none
    whose = "bars after the test begins"
    for what, args in (
        ("labels outside its training", (data, features, given.labels)),
        ("features of tested rows", (data, given.features, labels)),
    ):
        if difference(base, refit(*args), features.columns, compared) is not None:
            whose = what
            break
    decisions = labels.decisions
    wrong = np.flatnonzero(hidden) if whose.startswith("labels") else fold.test
    row = int(wrong[np.argmin(decisions.decided_at[wrong])])
    if found.row is not None:
        row = int(fold.test[found.row])
    symbol, at = str(decisions.symbols[decisions.symbol_code[row]]), decisions.decided_at[row]
    more = f" and {found.further} more" if found.further else ""
    if found.stage == "forecast":
        text = (
            f"The forecast of {symbol} at {iso(at)} in fold {number} changes from "
            f"{found.before:.17g} to {found.after:.17g} when {whose} are altered, from rows "
            "other than its own."
        )
        mend = "Forecast each row from its own features and what was fitted on training rows."
    else:
        text = (
            f"Stage {found.stage!r} of fold {number} learned {found.name or found.column} = "
            f"{found.before:.17g}{more}, and {found.after:.17g} when {whose} are altered, the "
            f"first of {symbol} at {iso(at)}: it has seen them."
        )
        mend = "Fit it on the training rows of the fold, and on nothing else."
    return Leak(found.stage, found.column, symbol, at, text, mend)
