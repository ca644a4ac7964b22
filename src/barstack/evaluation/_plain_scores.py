"""Scores of one forecaster at one horizon as plain numbers, without standard errors."""

from __future__ import annotations

import numpy as np

from barstack.core.errors import DataError
from barstack.core.forecast import Forecast, signal_of
from barstack.labels import LabelTable

from . import _metrics as metrics
from ._naive import baseline


def plain_scores(
    forecast: Forecast, labels: LabelTable, horizon: str
) -> dict[str, int | float | None]:
    """What a table of many experiments shows of each; None where a score has no meaning.

    Parameters
    ----------
    forecast
        Out of fold.
    labels
        Of all decisions, those forecast among them.
    horizon
        One that both have.

    Returns
    -------
    dict
        `n_decisions`, forecast and known by now; `directional_accuracy`, `ic` and `rank_ic` of
        every task; `mse`, `rmse`, `mae` (fractions), `r2` against the historical mean and
        `r2_zero` against a forecast of no change, of returns and quantiles; `log_loss` and
        `accuracy` of classes; `pinball` of quantiles.

    Raises
    ------
    DataError
        Where fewer than two labels are known.
    """
    target, place = labels.target, labels.target.horizons.index(horizon)
    rows = labels.decisions.find(forecast.decisions)
    y = labels.values[rows, place]
    known = np.flatnonzero(~np.isnan(y))
    if len(known) < 2:
        raise DataError(
            f"{len(known)} labels of horizon {horizon} are known among the {len(rows)} decisions "
            "to judge by. Give more bars or a shorter horizon."
        )
    y, returns = y[known], labels.returns[rows, place][known]
    values = forecast.values[known, place]
    signal = signal_of(values[:, None], target)[:, 0]
    found = {
        "directional_accuracy": metrics.directional_accuracy(signal, returns),
        "ic": metrics.ic(signal, returns),
        "rank_ic": metrics.rank_ic(signal, returns),
    }
    if target.n_classes:
        predicted = metrics.class_of(signal, target)
        found["log_loss"] = metrics.mean(metrics.log_losses(values, y))
        found["accuracy"] = float((predicted == y).mean())
    else:
        past = signal_of(baseline(labels, rows[known])[:, [place]], target)[:, 0]
        errors = returns - signal
        found["mse"] = float((errors**2).mean())
        found["rmse"] = float(np.sqrt(found["mse"]))
        found["mae"] = float(np.abs(errors).mean())
        found["r2"] = metrics.r2(signal, returns, past)
        found["r2_zero"] = metrics.r2(signal, returns, np.zeros(len(returns)))
    if target.levels:
        found["pinball"] = metrics.mean(metrics.pinball_losses(values, y, target.levels))
    scores = {name: value if np.isfinite(value) else None for name, value in found.items()}
    return {"n_decisions": len(known), **scores}
