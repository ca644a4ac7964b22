"""One forecast at a time, without what a whole table needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.errors import FaultError, MissingPackageError
from barstack.core.parts import Calling
from barstack.datasets import Inputs, NewestRow, StandardScaler

from .._model import Carried
from . import _calls
from ._fitted import FittedModel

_CHECKED = 32  # forecasts by which a faster form is checked
# Networks add up in float32, and each form in an order of its own.
_SAME_RETURN = 1e-5  # of the forecasts' deviation
_SAME_CHANCE = 1e-6


@dataclass(frozen=True, eq=False)
class OneRow:
    """A fitted model that forecasts one row at a time.

    run    maps inputs of one row to (1, n_horizons, n_outputs)
    how    "compiled", or "predict" with the reason why the model's own predict is used
    begin  makes a forecaster with state for one symbol's rows, for models that carry state
    """

    fitted: FittedModel
    run: Callable[[Inputs], Floats]
    how: str
    begin: Callable[[], Carried] | None = None

    @classmethod
    def plain(cls, fitted: FittedModel, how: str = "predict") -> OneRow:
        """By the model's own `predict`, the same to the bit."""
        model, learned, target = fitted.model, fitted.learned, fitted.target
        return cls(fitted, lambda inputs: _calls.predict(model, learned, inputs, target), how)

    @classmethod
    def fast(cls, fitted: FittedModel) -> OneRow:
        """The fastest form; `FaultError` where its forecasts differ from those of `predict`."""
        try:
            with Calling(fitted.model, "compiled"):
                run = fitted.model.compiled(fitted.learned, fitted.target)
                begin = fitted.model.carried(fitted.learned, fitted.target)
        except MissingPackageError as error:
            return cls.plain(fitted, f"predict. {error}")
        if run is None:
            return cls.plain(fitted)
        run = _calls.checked(fitted.model, run, fitted.target, "compiled")
        found = cls(fitted, run, "compiled", begin)
        _check(found)
        return found

    def predict(self, table: Floats) -> Floats:
        """(n_horizons, n_outputs) for the newest of consecutive rows.

        table  (n_rows, n_columns) features as computed, oldest first, finite; as many as the model
               looks back, or more. The caller has checked that no long gap lies between them.
        """
        return self.predict_newest(NewestRow.of(table, self.fitted.scaler))

    def predict_newest(self, inputs: NewestRow) -> Floats:
        """As `predict`; models with equal scalers may share the inputs."""
        return self._forecast(self.run(inputs))

    def advance(self, carried: Carried, rows: Floats) -> Floats:
        """As `predict`, from carried state and the rows since then, (n_rows, n_columns) scaled.

        At least as many rows as the model looks back must have been given, with no gap.
        """
        for at in range(len(rows)):
            values = carried(rows[at : at + 1])
        return self._forecast(values)

    def _forecast(self, values: Floats) -> Floats:
        return self.fitted.scaled(values[0])


def _check(one: OneRow) -> None:
    """Compare all forms on random rows distributed like scaled features."""
    fitted = one.fitted
    lookback, n_columns = fitted.model.lookback_bars, len(fitted.columns)
    rng = np.random.default_rng(0)
    table = rng.standard_t(5, (lookback + _CHECKED - 1, n_columns))
    identity = StandardScaler().fit(np.array([[-1.0], [1.0]]).repeat(n_columns, axis=1))
    rows = np.arange(lookback - 1, len(table))
    inputs = Inputs(table, rows, identity, rows + 1)
    plain = _calls.predict(fitted.model, fitted.learned, inputs, fitted.target)
    quick = [one.run(NewestRow.of(table[: row + 1], identity)) for row in rows]
    _same(fitted, np.concatenate(quick), plain)
    if one.begin is not None:
        carried = one.begin()
        scaled = identity.apply(table)
        steps = [carried(scaled[at : at + 1]) for at in range(len(table))]
        _same(fitted, np.concatenate(steps[lookback - 1 :]), plain)


def _same(fitted: FittedModel, quick: Floats, plain: Floats) -> None:
    """`FaultError` unless a fast form forecasts what the model does."""
    allowed = _SAME_CHANCE
    if not fitted.target.n_classes:
        # Where a network forecasts the same for all rows there is only its size to compare with.
        allowed = _SAME_RETURN * np.maximum(plain.std(axis=0), 1e-3)
    if not (np.abs(quick - plain) <= allowed).all():
        at = int(np.argmax(np.abs(quick - plain).max(axis=(1, 2))))
        raise FaultError(
            f"The fast form of {type(fitted.model).__name__} forecasts {quick[at].tolist()} where "
            f"the model forecasts {plain[at].tolist()}. Forecast without fast(), and report this."
        )
