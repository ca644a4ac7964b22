"""What is to be forecast, and when its answer is known."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from pydantic import field_validator

from barstack.bars import Bars, Panel, as_panel
from barstack.core.arrays import Array, Bools, Floats, Ints, Rows
from barstack.core.columns import KNOWN_AT, LABEL, LABEL_RETURN, at_horizon
from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, DataError
from barstack.core.forecast import Target, Task
from barstack.core.frames import frame_of
from barstack.core.horizon import Horizon
from barstack.core.notebook import card, table
from barstack.core.parts import Calling, broken, built_in, numbers
from barstack.core.registry import SpecRegistry
from barstack.core.schedule import AT_EACH_CLOSE
from barstack.core.spec import Spec
from barstack.core.times import NEVER, KnownAt, canonical_duration

from ._horizons import across_hole

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class LabelTable:
    """Labels of every decision, each with the moment it becomes known.

    decisions  the rows
    target     what the values are
    values     (n_rows, n_horizons) float64: a return, 0/1 for down/up, or 0/1/2 for
               SELL/HOLD/BUY; NaN while open, and where it is missing
    known_at   (n_rows, n_horizons) when each holding has ended; NaT while open
    returns    (n_rows, n_horizons) the forward return behind each value, fraction: of holding
               from the close at the decision to the close at `known_at`, or to an order placed
               before; profits are computed from it, and the audit computes it again
    eligible   (n_rows,) decisions that can have a label at all; the others, such as the last of
               a session where nothing is held overnight, are neither trained on nor judged
    close      (n_rows,) price at each decision, for weights that ask what its bars returned
    latest     (n_rows,) see `purged_at`; None where the label is not fitted

    >>> from barstack.labels import LABELS
    >>> from barstack.testing import walk
    >>> table = LABELS.parse({"label": "return", "horizons": [2]}).compute(walk(bars=50))
    >>> table.values.shape, bool(np.isnat(table.known_at[-1, 0]))
    ((50, 1), True)
    """

    decisions: Decisions
    target: Target
    values: Floats
    known_at: KnownAt
    returns: Floats
    eligible: Bools
    side: Ints | None = None
    close: Floats | None = None
    latest: KnownAt | None = None

    @property
    def purged_at(self) -> KnownAt:
        """(n_rows,) the latest that each row's labels may become known, by which rows are purged.

        Where the label is fitted that does not depend on what came of the row; else it is when
        they are known.
        """
        return self.all_known_at if self.latest is None else self.latest

    def _repr_html_(self) -> str:
        """How many labels there are and what they are, as notebooks show it."""
        n_classes, rows = self.target.n_classes, []
        for place, horizon in enumerate(self.target.horizons):
            known = self.values[~np.isnan(self.values[:, place]), place]
            what = [float((known == each).mean()) for each in range(n_classes)]
            what = what or [float(known.mean()), float(known.std())]
            rows.append((horizon, len(known), int(self.missing[:, place].sum()), *what))
        head = ("down", "up") if n_classes == 2 else ("sell", "hold", "buy")
        return card(
            f"Labels of {len(self.decisions):,} decisions",
            table(
                ["horizon", "known", "missing", *(head if n_classes else ("mean", "deviation"))],
                rows,
            ),
            note=f"{self.target.task}, {', '.join(self.decisions.symbols[:5])}",
        )

    def to_frame(self) -> pd.DataFrame:
        """A pandas frame with a row for each decision.

        Columns decided_at, symbol, and for each horizon such as 4h: label_4h, label_return_4h, the
        return behind it, and known_at_4h, all times in UTC.
        """
        columns: dict[str, Array] = {}
        for place, horizon in enumerate(self.target.horizons):
            columns[at_horizon(LABEL, horizon)] = self.values[:, place]
            columns[at_horizon(LABEL_RETURN, horizon)] = self.returns[:, place]
            columns[at_horizon(KNOWN_AT, horizon)] = self.known_at[:, place]
        return frame_of(self.decisions, columns)

    @cached_property
    def all_known_at(self) -> KnownAt:
        """(n_rows,) when the last label of each row is known; NaT where one is open or missing."""
        known_at = np.where(np.isnan(self.values), NEVER, self.known_at)
        latest = known_at.max(axis=1)  # numpy: one NaT makes the maximum NaT
        latest.flags.writeable = False  # as every caller is given the same
        return KnownAt(latest)

    @property
    def missing(self) -> Bools:
        """(n_rows, n_horizons) holdings that ended without a label, across a hole or a bad print.

        They teach nothing and are not scored. No decision is spared for it, as none can know what
        lies ahead: it is forecast, and its position is held across the hole.
        """
        return np.asarray(np.isnan(self.values) & ~np.isnat(self.known_at))


Horizons = Sequence[str | int | Horizon] | str | int | Horizon  # as labels take them


class Outcome(NamedTuple):
    """What came of every decision of one symbol over one horizon; each (n_bars,).

    value     the label, NaN while open
    returns   of the holding, fraction, NaN while open
    known_at  NaT while open
    eligible  whether there can be a label
    side      1, 0 or -1 where a rule takes the side, see `LabelTable`
    """

    value: Floats
    returns: Floats
    known_at: KnownAt
    eligible: Bools
    side: Ints | None = None


class Label(Spec):
    """What follows each decision over one or several horizons.

    A horizon is a whole number of bars; a duration such as `4h`, met by the first bar that closes
    that long after the decision or later, so that nights and weekends count as they pass; or
    `2sessions`, met at the close of the second session after the decision's own.

    A holding across a hole in the bars has no label. A hole is where bars are missing that the
    calendar and the bars' own habit expect, see `Bars.holes`; with `max_gap` it is where
    neighbouring bars lie further apart than that, and nowhere else. Nor has a holding a label in
    which some bar has an open, high or low that hardly anybody traded, see `Bars.prints`.
    """

    task: ClassVar[Task]
    fitted: ClassVar[bool] = False  # whether `fit` learns numbers from training rows
    horizons: tuple[Horizon, ...]
    max_gap: str | None = None  # neighbouring bars of one holding lie no further apart than this

    def __init__(self, *horizons: Any, **settings: Any) -> None:
        """Horizons by keyword, or as the only positional argument: several, or one."""
        if len(horizons) > 1 or (horizons and "horizons" in settings):
            raise ConfigError(
                f"{type(self).__name__} takes its horizons once and together, such as "
                f'{type(self).__name__}(["1h", "1d"]).'
            )
        for given in horizons:
            settings["horizons"] = given
        super().__init__(**settings)

    @field_validator("max_gap")
    @classmethod
    def _gap(cls, text: str | None) -> str | None:
        return None if text is None else canonical_duration(text)

    @field_validator("horizons", mode="before")
    @classmethod
    def _one(cls, given: Any) -> Any:
        """A single horizon may stand without a list; a set has no order."""
        if isinstance(given, str | int | Horizon):
            return (given,)
        if isinstance(given, Mapping | set | frozenset) or not isinstance(given, Iterable):
            raise ConfigError(
                f"Cannot read horizons from {given!r:.80}. Write one, such as 4h, or a list."
            )
        return tuple(given)

    @field_validator("horizons")
    @classmethod
    def _check(cls, horizons: tuple[Horizon, ...]) -> tuple[Horizon, ...]:
        if not horizons:
            raise ConfigError("Give at least one horizon, such as 4h.")
        if len(set(horizons)) < len(horizons):
            raise ConfigError(
                f"Horizons {', '.join(map(str, horizons))} repeat one, which would count its "
                "trials twice. Give each once."
            )
        return horizons

    @abstractmethod
    def outcome(self, bars: Bars, horizon: Horizon) -> Outcome:
        """What came of the decision at every bar's close."""

    def fit(self, bars: Bars | Panel, rows: Rows) -> Label:
        """This label with its numbers learned from the holdings of `rows`, and of no others.

        rows  of `compute`'s table, whose `latest_known_at` lies before anything to be judged

        A label that has nothing to learn is its own fit.
        """
        return self

    def latest_known_at(self, bars: Bars | Panel) -> KnownAt:
        """(n_rows, n_horizons) the latest that each label may become known, however it is fitted.

        Purging goes by it. NaT where even that lies beyond the last bar.
        """
        return self.compute(bars).known_at

    def newest_side(self, bars: Bars) -> int | None:
        """The side that a rule takes at the newest bar, 1, 0 or -1; None where there is no rule."""
        return None

    @property
    def target(self) -> Target:
        """What a model of this label forecasts."""
        return Target(self.task, self.horizon_names)

    @property
    def horizon_names(self) -> tuple[str, ...]:
        """As columns are called, such as `4h` or `12bars`."""
        return tuple(each.name for each in self.horizons)

    def compute(self, bars: Bars | Panel) -> LabelTable:
        """Labels of the decision at every bar's close."""
        panel = as_panel(bars)
        parts = [
            [self._known_outcome(each, horizon) for horizon in self.horizons]
            for each in panel.values()
        ]

        def joined(name: str) -> Array:
            columns = [[getattr(each, name) for each in part] for part in parts]
            return np.concatenate([np.column_stack(each) for each in columns])

        sides = [part[0].side for part in parts if part[0].side is not None]  # as at any horizon
        return LabelTable(
            AT_EACH_CLOSE.decisions(panel),
            self.target,
            joined("value"),
            KnownAt(joined("known_at")),
            joined("returns"),
            np.asarray(joined("eligible").all(axis=1)),
            np.concatenate(sides) if sides else None,
            np.concatenate([each.close for each in panel.values()]),
        )

    def _known_outcome(self, bars: Bars, horizon: Horizon) -> Outcome:
        horizon.check_bar_length(bars.length_us, bars.symbol)
        outcome = checked_outcome(self, bars, horizon)
        if np.isnat(outcome.known_at).all():
            raise DataError(
                f"{bars!r} is too short for horizon {horizon}: no label would ever be known. "
                "Give more bars or a shorter horizon."
            )
        across = self.across_hole(bars, horizon, outcome.known_at)
        value, returns = (
            np.where(across, np.nan, each) for each in (outcome.value, outcome.returns)
        )
        if np.isnan(value).all():
            raise DataError(
                f"Every holding of {bars!r} over {horizon} reaches across missing bars, so that no "
                "label is left. Name the calendar that the symbol trades on, give more bars or a "
                "shorter horizon, or allow holes with max_gap, such as max_gap: 10d."
            )
        return outcome._replace(value=value, returns=returns)

    def across_hole(self, bars: Bars, horizon: Horizon, known_at: KnownAt) -> Bools:
        """(n_bars,) which holdings that end at `known_at` reach across a hole or a bad print."""
        return across_hole(bars, horizon, known_at, self.max_gap)


LABELS: SpecRegistry[Label] = SpecRegistry("label", "barstack.labels")
register = LABELS.register


def checked_outcome(label: Label, bars: Bars, horizon: Horizon) -> Outcome:
    """The label's `outcome`, checked where the label is of another package."""
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
    """The label with its numbers learned.

    >>> from barstack.labels import LABELS
    >>> from barstack.testing import walk
    >>> label = LABELS.parse({"label": "three_class_quantiles", "horizons": [2]})
    >>> fitted_on(label, walk(bars=100), np.arange(50)).fitted
    False
    """
    with Calling(label, "fit"):
        found = label.fit(bars, rows)
    if built_in(label):
        return found
    if not isinstance(found, Label) or found.fitted or found.target != label.target:
        raise broken(
            label,
            f"fit returns {found!r:.200}. Return a label of the same target that has nothing "
            "left to fit.",
        )
    return found


def latest_known_at(label: Label, bars: Bars | Panel) -> KnownAt:
    """(n_rows, n_horizons) the latest that each label may become known.

    >>> from barstack.labels import LABELS
    >>> from barstack.testing import walk
    >>> latest_known_at(LABELS.parse({"label": "return", "horizons": [1]}), walk(bars=50))[0, 0]
    np.datetime64('2026-01-05T15:30:00.000000')
    """
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
