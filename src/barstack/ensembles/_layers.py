"""Ensembles of members and of one another, in the order in which they are combined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError

from ._fitted import FittedEnsemble
from ._stacked import Stacked


@dataclass(frozen=True, eq=False)
class Layers:
    """Fitted ensembles over one set of members; the last is the one that answers.

    Attributes
    ----------
    members : names of the models, in the order of their forecasts
    fitted : by name, each combining members and ensembles before it
    """

    members: tuple[str, ...]
    fitted: Mapping[str, FittedEnsemble]

    def __post_init__(self) -> None:
        known = set(self.members)
        for name, each in self.fitted.items():
            if lacking := [one for one in each.members if one not in known]:
                raise ConfigError(
                    f"Ensemble {name!r} combines {lacking[0]!r}, which is no member and no "
                    "ensemble before it."
                )
            if name in known:
                raise ConfigError(f"Two forecasters are called {name!r}. Rename one.")
            known.add(name)

    @property
    def updates(self) -> bool:
        """Whether any of them learns on as labels become known."""
        return any(each.ensemble.updates for each in self.fitted.values())

    @property
    def trained_through(self) -> np.datetime64:
        """Latest label that any of them has seen."""
        found: np.datetime64 = max(each.trained_through for each in self.fitted.values())
        return found

    def predict(self, stacked: Stacked) -> dict[str, Floats]:
        """By name, (n_rows, n_horizons, n_outputs) of each ensemble, from members' forecasts."""
        found: dict[str, Floats] = {}
        for name, each in self.fitted.items():
            found[name] = each.predict(_of(stacked, found, each.members))
        return found

    def with_ensembles(self, stacked: Stacked, found: Mapping[str, Floats]) -> Stacked:
        """Members' forecasts and, behind them, those that `predict` gave, to `update` by."""
        lower = list(found)[:-1]
        if not lower:
            return stacked
        forecasts = [stacked.forecasts, *(found[name][:, None] for name in lower)]
        names = (*stacked.members, *lower)
        return replace(stacked, members=names, forecasts=np.concatenate(forecasts, axis=1))

    def update(self, stacked: Stacked) -> Layers:
        """Learned on from rows as `with_ensembles` makes them, now that their labels are known."""
        fitted = {
            name: each.update(_of(stacked, {}, each.members)) if each.ensemble.updates else each
            for name, each in self.fitted.items()
        }
        return Layers(self.members, fitted)


def _of(stacked: Stacked, more: Mapping[str, Floats], members: tuple[str, ...]) -> Stacked:
    """The forecasts of some of the members, and of ensembles before."""
    if members == stacked.members:
        return stacked
    places = {name: place for place, name in enumerate(stacked.members)}
    forecasts = [
        more[name] if name in more else stacked.forecasts[:, places[name]] for name in members
    ]
    return replace(stacked, members=members, forecasts=np.stack(forecasts, axis=1))
