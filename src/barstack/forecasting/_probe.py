"""What was loaded of ensembles answers made-up forecasts, before it is given any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.decisions import Decisions
from barstack.core.errors import ArtifactError, BarstackError
from barstack.core.forecast import Target
from barstack.core.parts import built_in, forecasts
from barstack.core.times import DecidedAt
from barstack.ensembles import Layers, Stacked

from ._manifest import WAY_OUT
from ._regimes import NO_REGIME

_MOVE = 0.01  # of a made-up return


def check_ensembles(layers: Layers, target: Target, n_columns: int, symbol: str, at: Path) -> None:
    """`ArtifactError` unless each ensemble has weights and forecasts of this target.

    Members forecast each extreme in turn, all alike: what combines them to a probability beyond 0
    or 1, or to another number of horizons, is not what was saved.

    Parameters
    ----------
    n_columns : of the features that ensembles may read
    symbol : one that members know
    at : the folder that they were loaded from
    """
    rows = _extremes(target)
    n_rows, n_members = len(rows), len(layers.members)
    stacked = Stacked(
        layers.members,
        Decisions(
            (symbol,), np.zeros(n_rows, np.int32), DecidedAt(np.full(n_rows, "NaT", "M8[us]"))
        ),
        target,
        np.repeat(rows[:, None], n_members, axis=1),
        context={
            "features": np.zeros((n_rows, n_columns)),
            "regimes": np.tile(NO_REGIME, (n_rows, 1)),
        },
    )
    try:
        for each in layers.fitted.values():
            each.weight_matrix(target)
        for name, values in layers.predict(stacked).items():
            forecasts(layers.fitted[name].ensemble, "predict", values, n_rows, target)
    except ArtifactError:
        raise
    except Exception as error:  # whatever a file of another shape leads to
        if not all(built_in(each.ensemble) for each in layers.fitted.values()):
            raise
        why = str(error) if isinstance(error, BarstackError) else repr(error)
        raise ArtifactError(f"{at} does not hold what was saved: {why[:300]} {WAY_OUT}") from error


def _extremes(target: Target) -> Floats:
    """(n_rows, n_horizons, n_outputs) forecasts at the ends of what a target allows."""
    n_outputs, n_horizons = len(target.outputs), len(target.horizons)
    if target.levels:
        rows = _MOVE * np.linspace(-1.0, 1.0, n_outputs)[None]
    elif n_outputs > 1:
        rows = np.eye(n_outputs)
    else:
        rows = np.array([[0.0], [1.0 if target.n_classes else _MOVE]])
    return np.repeat(rows[:, None], n_horizons, axis=1)
