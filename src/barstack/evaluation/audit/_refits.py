"""Fits and forecasts made again on poisoned data: nothing learned may change."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from barstack.core.arrays import Array, Bools, Floats
from barstack.core.errors import ConfigError, DataError
from barstack.core.times import DecidedAt, KnownAt, iso
from barstack.features import FeatureTable
from barstack.labels import LabelTable
from barstack.splits import Fold

from ._control import DAYS, at_other_dates, later, spread
from ._folds import hunt_stage
from ._holdings import hunt_returns
from ._leak import Leak, who
from ._pipeline import Data, Fit, Stage
from ._poison import Dose, Poisoned, poison, retrained, unseen, wild_after

# --- files opened while something is fitted, whose content the audit cannot alter -----------------

# Code, the system's own files and installed packages hold no bars.
_CODE = (".py", ".pyc", ".pyi", ".so", ".pyd", ".dll", ".dylib", ".nbi", ".nbc")
_SYSTEM = ("/proc", "/sys", "/dev", "/etc", "/usr", "/lib")
_watching: list[_Watch] = []
_hooked: list[bool] = []


class _Watch:
    """What one stretch of work opened."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.written: set[str] = set()

    def note(self, event: str, args: tuple[Any, ...]) -> None:
        if event != "open":
            self.read.append(str(args[0] if event != "socket.connect" else args[1]))
            return
        path, mode, flags = args
        if not isinstance(path, str | bytes | os.PathLike):
            return  # a descriptor that is open already
        name = os.path.abspath(os.fsdecode(path))
        writes = any(letter in mode for letter in "wax") if isinstance(mode, str) else False
        if writes or (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_CREAT)):
            self.written.add(name)
        elif name not in self.written and not _innocent(name) and name not in self.read:
            self.read.append(name)


@contextmanager
def files_read() -> Iterator[list[str]]:
    """The paths of data files that are opened within, and addresses that are connected to.

    Files that were written within, code and what is installed do not count; nor does what a
    library opens beside Python, as some readers of Parquet do.
    """
    if not _hooked:
        sys.addaudithook(_hook)  # which cannot be taken back, and costs nothing while unused
        _hooked.append(True)
    watch = _Watch()
    _watching.append(watch)
    try:
        yield watch.read
    finally:
        _watching.remove(watch)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _watching and event in ("open", "sqlite3.connect", "socket.connect"):
        for watch in _watching:
            watch.note(event, args)


def _innocent(name: str) -> bool:
    if name.endswith(_CODE) or Path(name).is_dir():
        return True
    roots = (sys.prefix, sys.base_prefix, str(Path(__file__).parents[3]))
    installed = ("site-packages", "dist-packages")
    within = any(_inside(name, root) for root in (*_SYSTEM, *roots))
    return within or any(each in Path(name).parts for each in installed)


def _inside(name: str, root: str) -> bool:
    return name == root or name.startswith(root.rstrip(os.sep) + os.sep)


# --- forecasts that depend on the rows beside them ------------------------------------------------

_FORECAST_CUTS, _ALONE = 24, 16
_ROUNDING = 1e-4  # of a forecast's deviation: networks sum a batch in another order
_MEND = "Forecast each row from its own features and what was fitted on training rows."


def cuts_of(base: Fit, features: FeatureTable, fold: Fold, most: int) -> list[np.datetime64]:
    """Decisions of the test right after which the future is altered.

    Where a forecast or a feature is at its highest or lowest, where the forecast changes the most,
    then spread over the test by the golden ratio; never the last.
    """
    decided_at = features.decisions.decided_at[fold.test]
    picks = [int(0.618034 * place % 1.0 * len(fold.test)) for place in range(1, most + 1)]
    extreme: list[int] = []
    if base.forecast is not None:
        for column in base.forecast.reshape(len(fold.test), -1).T:
            extreme += _extremes(column)
    for column in features.values[fold.test].T:
        extreme += _extremes(column)
    mixed = [place for pair in zip(extreme, picks, strict=False) for place in pair]
    places = [*mixed, *extreme[len(picks) :], *picks[len(extreme) :]]
    found = dict.fromkeys(decided_at[places].tolist())
    last = decided_at.max().astype(object)
    return [np.datetime64(at, "us") for at in found if at < last][:most]


def _extremes(column: Floats) -> list[int]:
    there = np.flatnonzero(np.isfinite(column))
    if len(there) < 2:
        return []
    seen = column[there]
    return [int(there[np.argmax(seen)]), int(there[np.argmin(seen)])]


def hunt_batch(base: Fit, features: FeatureTable, fold: Fold, number: int) -> Iterator[Leak]:
    """The first forecast that another tested row changes."""
    assert base.predict is not None
    test = fold.test
    whole = np.asarray(base.predict(features, test))
    decided_at = features.decisions.decided_at[test]
    cuts = cuts_of(base, features, fold, _FORECAST_CUTS)
    for place, at in enumerate(cuts):
        values = wild_after(features, fold, at, np.random.default_rng(place))
        again = np.asarray(base.predict(replace(features, values=values), test))
        early = decided_at <= at
        wrong = np.flatnonzero(early & _differs(whole, again, 0.0))
        if len(wrong):
            what = f"when features of rows decided after {iso(at)} are altered"
            yield _forecast_leak(features, fold, number, int(wrong[-1]), whole, again, what)
            return
    deviation = spread(whole.reshape(len(whole), -1)).reshape(whole.shape[1:])
    picks = np.searchsorted(np.sort(decided_at), np.array(cuts[:_ALONE], "datetime64[us]"))
    order = np.argsort(decided_at, kind="stable")
    for place in dict.fromkeys(order[picks % len(test)].tolist()):
        again = whole.copy()
        again[place] = np.asarray(base.predict(features, test[place : place + 1]))[0]
        if _differs(whole, again, _ROUNDING * deviation)[place]:
            what = "when it is made alone instead of with the others"
            yield _forecast_leak(features, fold, number, place, whole, again, what)
            return


def _differs(before: Any, after: Any, allowed: Any) -> Bools:
    """(n_rows,) whether any number of a row differs."""
    with np.errstate(invalid="ignore"):
        wrong = ~(np.abs(before - after) <= allowed) & ~(np.isnan(before) & np.isnan(after))
    return np.asarray(wrong.reshape(len(before), -1).any(axis=1))


def _forecast_leak(
    features: FeatureTable, fold: Fold, number: int, place: int, before: Any, after: Any, what: str
) -> Leak:
    decisions, row = features.decisions, int(fold.test[place])
    symbol, at = who(decisions, row)
    one, other = before[place].ravel(), after[place].ravel()
    first = int(np.argmax(~((one == other) | (np.isnan(one) & np.isnan(other)))))
    return Leak(
        "forecast",
        "forecast",
        symbol,
        at,
        f"The forecast of {symbol} at {iso(at)} in fold {number} changes from {one[first]:.17g} to "
        f"{other[first]:.17g} {what}.",
        _MEND,
    )


DOSES: tuple[Dose, ...] = ("driven", "drowned", "answers")
# --- fits made again ------------------------------------------------------------------------------

CLOSE = 1e-5  # of the largest number: sums of other dates, or of fewer rows, are rounded elsewhere
_THOROUGH = 2  # folds that also show whether fits answer to their training, and remember others
_CUTS = 5  # of the test, where the future of forecasts is altered, if that takes a fit each
_JUMP = 30.0  # times the change from one fit to the next that other data must cause


@dataclass(frozen=True)
class Difference:
    """The first thing in the flow that is not the same."""

    stage: str
    column: str
    before: float
    after: float
    name: str = ""  # of the number learned
    row: int | None = None  # of the test, where it is a forecast
    further: int = 0  # other numbers of the stage that differ too


def chosen_folds(count: int, refits: int | None = None) -> list[int]:
    """Folds to fit again, the last first, which has most to learn from; by default all.

    >>> chosen_folds(3), chosen_folds(9, 2)
    ([2, 1, 0], [8, 0])
    """
    if refits is None or refits >= count:
        return list(range(count))[::-1]
    between = np.random.default_rng(count).permutation(np.arange(1, count - 1))
    return [count - 1, 0, *map(int, between)][:refits]


class Fits:
    """Folds of a pipeline, fitted again on altered data."""

    def __init__(
        self,
        fit: Callable[[Data, FeatureTable, LabelTable, Sequence[Fold], int], Fit],
        data: Data,
        features: FeatureTable,
        labels: LabelTable,
        folds: Sequence[Fold],
        chosen: Sequence[int],
    ) -> None:
        self.fit, self.data, self.features, self.labels = fit, data, features, labels
        self.folds, self.chosen = folds, chosen
        self.seen = False  # whether what was altered in training showed

    def hunt(self) -> Iterator[Leak]:
        """What each fold's stages say they have seen, and what they have seen in truth."""
        for place, number in enumerate(self.chosen):
            clean = True
            for leak in self._fold(number, thorough=place < _THOROUGH):
                yield leak
                clean = False
            if clean:
                yield from self._moved(number)
        if not self.seen:
            why = "it stays as it is whatever it is trained on"
            yield self._blind(self.chosen[0], "fit", "fit", why)

    def _refit(self, number: int, *given: Any) -> Fit:
        data, features, labels = given or (self.data, self.features, self.labels)
        return _checked(
            self.fit(data, features, labels, self.folds, number), self.folds[number], number
        )

    def _fold(self, number: int, *, thorough: bool) -> Iterator[Leak]:
        fold = self.folds[number]
        with files_read() as opened:
            base = self._refit(number)
        yield from self._files(base, fold, number, opened)
        for stage in base.stages:
            yield from hunt_stage(self.labels, fold, number, stage)
        for own in {id(stage.labels): stage.labels for stage in base.stages}.values():
            if own is not None:  # the fold's own labels, such as those of barriers fitted to it
                yield from hunt_returns(own, None, self.data)
        if thorough and (moved := self._difference(base, self._refit(number))) is not None:
            self.seen = True
            yield self._unsteady(number, moved)
            return
        leak = self._poisoned(base, number)
        if leak is not None:
            self.seen = True  # what moves is not blind
            yield leak
            return
        if base.predict is not None:
            yield from hunt_batch(base, self.features, fold, number)
        if thorough:
            yield from self._others(base, number)

    def _poisoned(self, base: Fit, number: int) -> Leak | None:
        fold = self.folds[number]
        hidden = unseen(self.labels, fold, base)
        doses: list[tuple[Dose, np.datetime64 | None]] = [(dose, None) for dose in DOSES]
        if base.predict is None:  # else many cuts are made without fitting
            doses += [("cut", at) for at in cuts_of(base, self.features, fold, _CUTS)]
        for dose, at in doses:
            given = poison(self.data, self.features, self.labels, fold, hidden, dose, at)
            try:
                again = self._refit(number, given.data, given.features, given.labels)
            except Exception as error:
                error.add_note(
                    f"This is the audit: fold {number} is fitted again, with numbers altered that "
                    "it must not read. If the fit works otherwise, it reads them."
                )
                raise
            found = difference(base, again, self.features.columns, given.compared)
            if found is None:
                continue
            if (moved := self._difference(base, self._refit(number))) is not None:
                return self._unsteady(number, moved)
            return self._poison_leak(base, number, given, hidden, found)
        return None

    def _others(self, base: Fit, number: int) -> Iterator[Leak]:
        """The positive control, then the same fit once more: others may leave nothing behind."""
        other = retrained(self.data, self.features, self.labels, self.folds[number])
        try:
            self.seen |= self._difference(base, self._refit(number, *other)) is not None
        except Exception:  # noqa: BLE001 (a fit that fails on other training has looked at it)
            self.seen = True
        if not base.stages and (base.forecast is None or not _varies(base.forecast)):
            self.seen = True  # it forecasts one number: there is nothing to see
        after = self._refit(number) if base.afresh is None else base.afresh()
        if (moved := self._difference(base, after)) is not None:
            yield self._remembers(number, moved)

    def _difference(self, base: Fit, again: Fit, *, close: bool = False) -> Difference | None:
        every = np.ones(0 if base.forecast is None else len(base.forecast), bool)
        return difference(base, again, self.features.columns, every, close=close)

    def _unsteady(self, number: int, moved: Difference) -> Leak:
        """It learned other numbers the second time: by what it saw before, or an unset seed.

        Who remembers gives the same once nothing else was seen between, or jumps after fits on
        wild numbers; what is drawn at random goes on as it did.
        """
        last, latest = self._refit(number), self._refit(number)
        jitter = _distance(last, latest)
        self._refit(number, *retrained(self.data, self.features, self.labels, self.folds[number]))
        if jitter and not _distance(latest, self._refit(number)) > _JUMP * jitter:
            raise _unseeded(moved, number)
        return self._remembers(number, moved)

    def _moved(self, number: int) -> Iterator[Leak]:
        """The same fit 28 years later: what is looked up by date is not found there."""
        try:
            again = self._elsewhere(number, DAYS)
        except Exception as error:  # noqa: BLE001 (whatever a look-up raises)
            again, raised = None, error
        if again is not None and self._difference(self._refit(number), again, close=True) is None:
            return
        try:
            base = self._elsewhere(number, 0)  # what is left is the dates' doing
        except Exception:  # noqa: BLE001 (it asks for a calendar, and nothing can be concluded)
            return
        if again is None:
            why = f"28 years later it raises {type(raised).__name__}: {raised}"
            yield self._blind(number, "fit", "fit", why)
            return
        found = self._difference(base, again, close=True)
        if found is not None:
            yield self._blind(
                number,
                found.stage,
                found.column,
                f"{found.name or found.column} is {found.before:.10g}, and {found.after:.10g} "
                "when all dates lie 28 years later, numbers alike: something is looked up by date",
            )

    def _elsewhere(self, number: int, days: int) -> Fit:
        """A fit at other dates, in a market without a calendar."""
        decisions, latest = self.features.decisions, self.labels.latest
        there = replace(decisions, decided_at=DecidedAt(later(decisions.decided_at, days)))
        labels = replace(
            self.labels,
            decisions=there,
            known_at=KnownAt(later(self.labels.known_at, days)),
            latest=None if latest is None else KnownAt(later(latest, days)),
        )
        features = replace(self.features, decisions=there)
        return self._refit(number, at_other_dates(self.data, days), features, labels)

    def _files(self, base: Fit, fold: Fold, number: int, opened: Sequence[str]) -> Iterator[Leak]:
        reported = {path for stage in base.stages for path in stage.reads}
        parts = [(stage.name, path) for stage in base.stages for path in stage.reads]
        parts += [
            ("fit", path) for path in opened if path not in reported and not base.declared(path)
        ]
        for name, path in parts:
            yield self._blind(
                number,
                name,
                "files",
                f"it opens {path} while it is fitted, which may hold answers",
                "Hand its content over as a series with the moment at which each row was known, or "
                "declare what weights have seen (pretrained_through).",
            )

    def _remembers(self, number: int, moved: Difference) -> Leak:
        symbol, at = self._first(number)
        return Leak(
            moved.stage,
            moved.column,
            symbol,
            at,
            f"{_part(moved.stage)} of fold {number} gives {moved.before:.17g} for "
            f"{moved.name or moved.column}, and {moved.after:.17g} on the same data after other "
            "fits that have seen more: it remembers what those saw.",
            "Keep nothing between fits: no module variables, class attributes or caches.",
        )

    def _blind(self, number: int, stage: str, column: str, why: str, mend: str = "") -> Leak:
        symbol, at = self._first(number)
        return Leak(
            stage,
            column,
            symbol,
            at,
            f"The audit cannot see what {_part(stage).lower()} of fold {number} learns from: "
            f"{why}.",
            mend or "Fit it on the tables it is handed, and on nothing else.",
            blind=True,
        )

    def _first(self, number: int) -> tuple[str, np.datetime64]:
        decisions, test = self.labels.decisions, self.folds[number].test
        row = int(test[np.argmin(decisions.decided_at[test])])
        return who(decisions, row)

    def _poison_leak(
        self, base: Fit, number: int, given: Poisoned, hidden: Bools, found: Difference
    ) -> Leak:
        """Names whose alteration it was: of labels, features, or the bars themselves."""
        fold, data, features, labels = self.folds[number], self.data, self.features, self.labels
        none = np.zeros(len(fold.test), bool)
        compared = given.compared if found.stage == "forecast" else none
        whose = "bars after the test begins"
        for what, args in (
            ("labels outside its training", (data, features, given.labels)),
            ("features of tested rows", (data, given.features, labels)),
        ):
            if difference(base, self._refit(number, *args), features.columns, compared) is not None:
                whose = what
                break
        decisions = labels.decisions
        wrong = np.flatnonzero(hidden) if whose.startswith("labels") else fold.test
        row = int(wrong[np.argmin(decisions.decided_at[wrong])])
        if found.row is not None:
            row = int(fold.test[found.row])
        symbol, at = who(decisions, row)
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


def _part(stage: str) -> str:
    return "The fit" if stage in ("fit", "forecast") else f"Stage {stage!r}"


def _unseeded(moved: Difference, number: int) -> ConfigError:
    return ConfigError(
        f"Stage {moved.stage!r} of fold {number} gives other numbers when it is fitted twice to "
        f"the same data, so it is not deterministic: {moved.column} is {moved.before:.17g}, then "
        f"{moved.after:.17g}. Set its seeds and threads, so that a leak can be recognised."
    )


def _varies(forecast: Floats) -> bool:
    seen = forecast[np.isfinite(forecast)]
    return len(seen) > 1 and bool((seen != seen[0]).any())


def _distance(base: Fit, again: Fit) -> float:
    """Largest root mean square difference of any array of two fits, relative to its size."""
    pairs = [
        (np.asarray(stage.learned[name]), np.asarray(after.learned.get(name, np.nan)))
        for stage, after in zip(base.stages, again.stages, strict=False)
        for name in stage.learned
    ]
    if base.forecast is not None and again.forecast is not None:
        pairs.append((base.forecast, again.forecast))
    found = 0.0
    for before, after in pairs:
        if before.dtype.kind not in "fiub" or before.shape != after.shape:
            continue
        gap = np.nan_to_num(np.asarray(before, float) - np.asarray(after, float))
        size = float(np.sqrt(np.mean(np.nan_to_num(np.asarray(before, float)) ** 2))) + 1e-300
        found = max(found, float(np.sqrt(np.mean(gap**2))) / size)
    return found


def difference(
    base: Fit,
    again: Fit,
    columns: Sequence[str],
    compared: Bools,
    *,
    close: bool = False,
) -> Difference | None:
    """The first stage, and in it the first number, that is not the same to the last bit.

    compared  (n_test_rows,) which forecasts must be the same
    close     whether rounding is allowed for
    """
    for place, stage in enumerate(base.stages):
        if place >= len(again.stages) or again.stages[place].name != stage.name:
            return Difference(stage.name, "stages", np.nan, np.nan)
        rounded = close or stage.shares_sums
        if (found := _learned(stage, again.stages[place], columns, close=rounded)) is not None:
            return found
    if base.forecast is None or again.forecast is None:
        return None
    close = close or any(stage.shares_sums for stage in base.stages)
    wrong = unequal(base.forecast, again.forecast, close=close)
    if wrong.shape:
        wrong &= compared.reshape(-1, *[1] * (wrong.ndim - 1))
    if not wrong.any():
        return None
    row = int(np.argwhere(wrong)[0][0])
    first = tuple(np.argwhere(wrong)[0])
    before, after = float(base.forecast[first]), float(again.forecast[first])
    return Difference("forecast", "forecast", before, after, row=row)


def _learned(
    stage: Stage, again: Stage, columns: Sequence[str], *, close: bool = False
) -> Difference | None:
    found = []
    for name in sorted(
        {*stage.learned, *again.learned}, key=[*stage.learned, *again.learned].index
    ):
        if name not in stage.learned or name not in again.learned:
            return Difference(stage.name, name, np.nan, np.nan)
        before, after = np.asarray(stage.learned[name]), np.asarray(again.learned[name])
        if before.shape != after.shape:
            return Difference(stage.name, name, before.size, after.size)
        wrong = unequal(before, after, close=close)
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


def unequal(before: Array, after: Array, *, close: bool = False) -> Bools:
    """Where two arrays are not the same to the last bit, or but for rounding."""
    before, after = np.asarray(before), np.asarray(after)
    if before.shape != after.shape:
        return np.ones(before.shape, bool)
    if close and before.dtype.kind == "M":
        return np.zeros(before.shape, bool)
    wrong = before != after
    if before.dtype.kind == "f" and after.dtype.kind == "f":
        wrong &= ~(np.isnan(before) & np.isnan(after))
        if close and wrong.any():
            size = float(np.nanmax(np.abs(before))) if np.isfinite(before).any() else 0.0
            wrong &= ~(np.abs(before - after) <= CLOSE * size)
    return np.asarray(wrong)


def _checked(fit: Fit, fold: Fold, number: int) -> Fit:
    if fit.forecast is not None and len(fit.forecast) != len(fold.test):
        raise DataError(
            f"The fit of fold {number} forecasts {len(fit.forecast):,} rows; its test has "
            f"{len(fold.test):,}. Give one for each, NaN where there is none."
        )
    return fit
