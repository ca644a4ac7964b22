"""A trained ensemble that makes one forecast at a time, from the newest rows of features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from barstack.core.arrays import Array, Floats
from barstack.core.decisions import Decisions
from barstack.core.errors import DataError
from barstack.core.forecast import Target
from barstack.core.times import DecidedAt, KnownAt, iso
from barstack.datasets import FittedScaler, NewestRow
from barstack.ensembles import Layers, Stacked
from barstack.models import OneRow

from ._artifact import TrainedEnsemble
from ._regimes import NO_REGIME

_MOST_WAITING = 100_000  # decisions whose labels are not known yet
_FIRST = np.zeros(1, np.int32)
_NO_TIME = DecidedAt(np.array(["NaT"], "datetime64[us]"))


@dataclass(frozen=True, eq=False)
class OneRowEnsemble:
    """Scalers, members and ensemble, prepared for one row at a time.

    members  in the ensemble's order
    """

    trained: TrainedEnsemble
    members: dict[str, OneRow]

    @classmethod
    def plain(cls, trained: TrainedEnsemble) -> OneRowEnsemble:
        """By each model's own `predict`, the same to the bit."""
        return cls(trained, {name: OneRow.plain(each) for name, each in trained.members.items()})

    @classmethod
    def fast(cls, trained: TrainedEnsemble) -> OneRowEnsemble:
        """By the fastest form of each member; `FaultError` where one forecasts something else."""
        return cls(trained, {name: OneRow.fast(each) for name, each in trained.members.items()})

    @cached_property
    def scalers(self) -> dict[str, FittedScaler]:
        """Each member's, one and the same where they are equal, as after training on equal rows."""
        found: dict[str, FittedScaler] = {}
        for name, member in self.members.items():
            own = member.fitted.scaler
            found[name] = next((each for each in found.values() if each.same_as(own)), own)
        return found

    def predict(
        self,
        table: Floats,
        symbol: str | None = None,
        decided_at: DecidedAt = _NO_TIME,
        regimes: Floats | None = None,
    ) -> dict[str, Floats]:
        """(n_horizons, n_outputs) of the ensemble, then of all behind it, for the newest row.

        table  (n_rows, n_columns) consecutive rows of features, oldest first, finite, as many as
               `lookback_bars` or more
        symbol  whose rows they are, for models that tell symbols apart
        decided_at  (1,) of the newest row
        regimes  (1, 6) probabilities, for ensembles that need them
        """
        inputs = self.inputs(table, symbol)
        found = {name: each.predict_newest(inputs[name]) for name, each in self.members.items()}
        return self.combined(found, self.stacked(found, table, symbol, decided_at, regimes))

    def regimes(self, window: Floats | None, symbol: str | None) -> Floats:
        """(1, 6) probabilities by the newest rows of the detector's features, alike without any."""
        detector = self._detector
        if detector is None or window is None:
            return NO_REGIME[None]
        return detector.predict_newest(NewestRow.of(window, detector.fitted.scaler, symbol))

    @cached_property
    def _detector(self) -> OneRow | None:
        detector = self.trained.detector
        return None if detector is None else OneRow.plain(detector)

    def inputs(self, table: Floats, symbol: str | None = None) -> dict[str, NewestRow]:
        """Inputs by member; members with equal scalers share them."""
        scalers = set(self.scalers.values())
        each = {scaler: NewestRow.of(table, scaler, symbol) for scaler in scalers}
        return {name: each[scaler] for name, scaler in self.scalers.items()}

    def stacked(
        self,
        found: Mapping[str, Floats],
        table: Floats,
        symbol: str | None,
        decided_at: DecidedAt,
        regimes: Floats | None,
    ) -> Stacked:
        """Members' forecasts of the newest row, as the ensemble takes them."""
        context = {"features": table[-1:]}
        if regimes is not None:
            context["regimes"] = regimes
        return Stacked(
            tuple(self.trained.members),
            Decisions((symbol or "",), _FIRST, decided_at),
            self.trained.target,
            np.array([list(found.values())]),
            context=context,
        )

    def combined(
        self, found: Mapping[str, Floats], stacked: Stacked, online: OnlineEnsembles | None = None
    ) -> dict[str, Floats]:
        """The ensemble's forecast, then those that it combines; `online` if any may learn on."""
        layers = self.trained.layers if online is None else online.layers
        made = layers.predict(stacked)
        if online is not None:
            online.remember(layers.with_ensembles(stacked, made))
        *lower, (name, last) = made.items()
        return {name: last[0]} | {each: values[0] for each, values in lower} | dict(found)


class OnlineEnsembles:
    """The ensembles of one stream, which learn on from labels as they become known."""

    def __init__(self, layers: Layers, target: Target) -> None:
        self.layers, self._target = layers, target
        self._waiting: dict[tuple[str, np.datetime64], Stacked] = {}

    def remember(self, stacked: Stacked) -> None:
        """Keep the forecasts that are combined at one decision until its labels are known."""
        if self.layers.updates:
            decisions = stacked.decisions
            own = {name: values.copy() for name, values in stacked.context.items()}
            waiting = replace(stacked, context=own)  # the rows it was made of are overwritten
            self._waiting[decisions.symbols[0], decisions.decided_at[0]] = waiting
            if len(self._waiting) > _MOST_WAITING:
                del self._waiting[next(iter(self._waiting))]

    def know(
        self, symbol: str, decided_at: np.datetime64, y: Floats, known_at: np.datetime64
    ) -> None:
        """Learn on from the labels of one decision that was forecast here."""
        if (stacked := self._waiting.get((symbol, decided_at))) is None:
            raise DataError(
                f"No forecast of {symbol} at {iso(decided_at)} waits for its labels in this stream."
            )
        n_horizons = len(stacked.target.horizons)
        labels = np.asarray(y, float)
        if labels.shape != (n_horizons,) or not np.isfinite(labels).all():
            raise DataError(
                f"The labels of {symbol} at {iso(decided_at)} are {labels.tolist()}. Give a finite "
                f"number for each of {', '.join(stacked.target.horizons)}, once all are known."
            )
        through = self.layers.trained_through
        if known_at <= decided_at or known_at < through:
            raise DataError(
                f"The labels of {symbol} at {iso(decided_at)} were known at {iso(known_at)}; the "
                f"ensemble has learned through {iso(through)}. Give labels "
                "after their decision, in the order in which they become known."
            )
        known = KnownAt(np.full((1, n_horizons), known_at, "datetime64[us]"))
        self.layers = self.layers.update(replace(stacked, y=labels[None], known_at=known))
        del self._waiting[symbol, decided_at]

    def arrays(self) -> dict[str, Array]:
        """What waits, as plain arrays."""
        if not self._waiting:
            return {}
        symbols, times = zip(*self._waiting, strict=True)
        return {
            "symbol": np.array(symbols),
            "decided_at": np.array(times, "datetime64[us]"),
            "forecasts": np.concatenate([each.forecasts for each in self._waiting.values()]),
        } | {
            name: np.concatenate([each.context[name] for each in self._waiting.values()])
            for name in next(iter(self._waiting.values())).context
        }

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Take over what `arrays` gave; `ValueError` for forecasts of anything else."""
        members = (*self.layers.members, *list(self.layers.fitted)[:-1])
        shape = (len(members), len(self._target.horizons), len(self._target.outputs))
        if arrays:
            if arrays["forecasts"].shape[1:] != shape:
                raise ValueError(f"forecasts of shape {arrays['forecasts'].shape}")
            if arrays["decided_at"].dtype != np.dtype("datetime64[us]"):
                raise ValueError(f"decisions at {arrays['decided_at'].dtype}")
            needed = {name for each in self.layers.fitted.values() for name in each.ensemble.needs}
            lacking = needed - arrays.keys()
            if lacking or len({len(each) for each in arrays.values()}) > 1:
                raise ValueError(f"waiting decisions without {sorted(lacking)} or of other lengths")
            if not np.isfinite(arrays["forecasts"]).all():
                raise ValueError("forecasts that are not finite")
        for row, symbol in enumerate(arrays.get("symbol", np.empty(0))):
            decided_at = DecidedAt(arrays["decided_at"][row : row + 1])
            self._waiting[str(symbol), decided_at[0]] = Stacked(
                members,
                Decisions((str(symbol),), _FIRST, decided_at),
                self._target,
                arrays["forecasts"][row : row + 1],
                context={
                    name: each[row : row + 1]
                    for name, each in arrays.items()
                    if name not in ("symbol", "decided_at", "forecasts")
                },
            )


class NewestRows:
    """The newest rows of one symbol, side by side, as many as one forecast looks at."""

    def __init__(self, keep: int, n_columns: int) -> None:
        self._keep = keep
        # Twice as long as needed, so that the newest lie side by side and move only now and then.
        self._buffer = np.empty((2 * keep, n_columns))
        self._end = 0
        self.usable = 0  # newest rows without a gap or an incomplete row among them

    @property
    def rows(self) -> Floats:
        """(n, n_columns) the newest rows, as many as one forecast needs."""
        return self._buffer[max(self._end - self._keep, 0) : self._end].copy()

    @property
    def window(self) -> Floats | None:
        """The rows of one forecast; None until enough have come since the last reset."""
        if self.usable < self._keep:
            return None
        return self._buffer[self._end - self._keep : self._end]

    def reset(self) -> None:
        """A gap follows: earlier rows are not part of the next windows."""
        self.usable = 0

    def take(self, rows: Floats) -> None:
        """(n, n_columns) consecutive rows, oldest first; an incomplete one resets."""
        finite = np.isfinite(rows)
        if finite.all():
            self.usable += len(rows)
        else:
            last_incomplete = np.flatnonzero(~finite.all(axis=1))[-1]
            self.usable = len(rows) - 1 - int(last_incomplete)
        rows = rows[-self._keep :]
        if self._end + len(rows) > len(self._buffer):
            left = self._keep - len(rows)
            self._buffer[:left] = self._buffer[self._end - left : self._end]
            self._end = left
        self._buffer[self._end : self._end + len(rows)] = rows
        self._end += len(rows)

    def restore(self, rows: Floats, usable: int) -> None:
        """Take over the newest rows of another.

        Raises `ValueError` for rows of another width, or fewer than are usable.
        """
        width = self._buffer.shape[1]
        fits = rows.ndim == 2 and rows.shape[1] == width
        if not fits or not 0 <= min(usable, self._keep) <= len(rows):
            raise ValueError(f"rows of shape {rows.shape}, of which {usable} are usable")
        self.take(rows)
        self.usable = usable


class LiveEnsemble:
    """Keeps the newest rows, and a state for each member that carries one.

    States are advanced when a forecast is made, and depend on the rows kept here alone, so that
    they can be computed again from those rows.
    """

    def __init__(
        self,
        one_row: OneRowEnsemble,
        symbol: str | None = None,
        online: OnlineEnsembles | None = None,
    ) -> None:
        self._one_row, self._symbol, self._online = one_row, symbol, online
        trained = one_row.trained
        self._keep = trained.lookback_bars
        self._newest = NewestRows(self._keep, len(trained.features.columns))
        self._regimes: NewestRows | None = None
        if trained.detector is not None:
            n_columns = len(trained.detector.columns)
            self._regimes = NewestRows(trained.detector.model.lookback_bars, n_columns)
        self._ahead = 0  # newest rows that the states have not seen
        self._states = {
            name: each.begin() for name, each in one_row.members.items() if each.begin is not None
        }

    @property
    def rows(self) -> Floats:
        """(n, n_columns) the newest rows, as many as one forecast needs."""
        return self._newest.rows

    @property
    def usable(self) -> int:
        """How many of the newest rows have no gap and no incomplete row among them."""
        return self._newest.usable

    def reset(self) -> None:
        """A gap follows: earlier rows are not part of the next windows."""
        self._newest.reset()
        if self._regimes is not None:
            self._regimes.reset()

    def take(self, rows: Floats) -> None:
        """(n, n_live_columns) consecutive rows, oldest first; an incomplete one resets."""
        trained = self._one_row.trained
        self._ahead += len(rows)
        self._newest.take(rows[:, : len(trained.features.columns)])
        if self._regimes is not None:
            self._regimes.take(rows[:, trained.detector_columns])

    def arrays(self) -> dict[str, Array]:
        """The rows that it keeps, and how many of them are usable."""
        found: dict[str, Array] = {"rows": self._newest.rows}
        if self._regimes is not None:
            found["regime_rows"] = self._regimes.rows
            found["regime_usable"] = np.array([self._regimes.usable])
        return found

    def restore(self, arrays: Mapping[str, Array], usable: int) -> None:
        """Take over the newest rows of another; carried states are made of them again.

        Raises `KeyError` or `ValueError` for rows of another width, or fewer than are usable.
        """
        self._newest.restore(arrays["rows"], usable)
        self._ahead += len(arrays["rows"])
        if self._regimes is not None:
            usable = int(arrays["regime_usable"][0])
            self._regimes.restore(arrays["regime_rows"], usable)

    def update(self, row: Floats) -> dict[str, Floats] | None:
        """(n_live_columns,) -> `forecast` after one more row."""
        self.take(row[None])
        return self.forecast()

    def forecast(self, decided_at: DecidedAt = _NO_TIME) -> dict[str, Floats] | None:
        """As `OneRowEnsemble.predict`; None until enough rows have come since the last reset."""
        if (table := self._newest.window) is None:
            return None
        # A state depends on the last `keep` rows alone. With none ahead, as when a forecast is
        # repeated, all of them are fed again and lead to the same state.
        ahead, self._ahead = min(self._ahead, self._keep), 0
        inputs = self._one_row.inputs(table, self._symbol)
        found = {}
        for name, member in self._one_row.members.items():
            own = inputs[name]
            if name not in self._states:
                found[name] = member.predict_newest(own)
                continue
            rows = own.last() if ahead == 1 else own.scaler.apply(table[-ahead:])
            found[name] = member.advance(self._states[name], rows)
        regimes = None
        if self._regimes is not None:
            regimes = self._one_row.regimes(self._regimes.window, self._symbol)
        stacked = self._one_row.stacked(found, table, self._symbol, decided_at, regimes)
        return self._one_row.combined(found, stacked, self._online)
