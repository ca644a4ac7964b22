"""One forecast at a time, without what a whole table needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from barstack.core.errors import FaultError, MissingPackageError
from barstack.core.forecast import uncrossed
from barstack.datasets import Inputs, StandardScaler

from ._model import Values
from ._trainer import FittedModel

_CHECKED = 32  # forecasts by which a quicker form is checked
# Networks add up in float32, and each form in an order of its own.
_SAME_RETURN = 1e-5  # of the forecasts' deviation
_SAME_CHANCE = 1e-6


@dataclass(frozen=True, eq=False)
class OneRow:
    """A fitted model asked for one forecast at a time.

    run  inputs of one row to (1, n_horizons, n_outputs)
    how  "compiled", or "predict" where the model's own is quick or, with the reason, has to do
    """

    fitted: FittedModel
    run: Callable[[Inputs], Values]
    how: str

    @classmethod
    def plain(cls, fitted: FittedModel, how: str = "predict") -> OneRow:
        """By the model's own `predict`, the same to the bit."""
        model, learned, target = fitted.model, fitted.learned, fitted.target
        return cls(fitted, lambda inputs: model.predict(learned, inputs, target), how)

    @classmethod
    def fast(cls, fitted: FittedModel) -> OneRow:
        """The quickest form there is; `FaultError` where it forecasts something else."""
        try:
            run = fitted.model.compiled(fitted.learned, fitted.target)
        except MissingPackageError as error:
            return cls.plain(fitted, f"predict. {error}")
        if run is None:
            return cls.plain(fitted)
        _check(fitted, run)
        return cls(fitted, run, "compiled")

    def predict(self, table: Values) -> Values:
        """(n_horizons, n_outputs) for the newest of consecutive rows.

        table  (n_rows, n_columns) features as computed, oldest first, finite; as many as the model
               looks back, or more. The caller has checked that no long gap lies between them.
        """
        n_rows = len(table)
        inputs = Inputs(table, np.array([n_rows - 1]), self.fitted.scaler, np.array([n_rows]))
        found = self.run(inputs)[0] * self.fitted.y_scale[:, None]
        return uncrossed(found, self.fitted.target)


def _check(fitted: FittedModel, run: Callable[[Inputs], Values]) -> None:
    """Both forms on rows drawn as scaled features lie."""
    lookback, n_columns = fitted.model.lookback_bars, len(fitted.columns)
    rng = np.random.default_rng(0)
    table = rng.standard_t(5, (lookback + _CHECKED - 1, n_columns))
    as_they_are = StandardScaler().fit(np.array([[-1.0], [1.0]]).repeat(n_columns, axis=1))
    rows = np.arange(lookback - 1, len(table))
    plain = fitted.model.predict(
        fitted.learned, Inputs(table, rows, as_they_are, rows + 1), fitted.target
    )
    quick = np.concatenate(
        [run(Inputs(table, rows[[at]], as_they_are, rows[[at]] + 1)) for at in range(_CHECKED)]
    )
    allowed = _SAME_CHANCE
    if not fitted.target.n_classes:
        # Where a network says the same of everything there is only its own size to compare with.
        allowed = _SAME_RETURN * np.maximum(plain.std(axis=0), 1e-3)
    if not (np.abs(quick - plain) <= allowed).all():
        at = int(np.argmax(np.abs(quick - plain).max(axis=(1, 2))))
        raise FaultError(
            f"The quick form of {type(fitted.model).__name__} forecasts {quick[at].tolist()} where "
            f"the model says {plain[at].tolist()}. Forecast without fast(), and report this."
        )
