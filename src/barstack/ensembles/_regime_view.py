"""What a regime-aware ensemble learned, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.forecast import REGIMES

from ._fitted import FittedEnsemble
from ._regime_evidence import RegimeEvidence


@dataclass(frozen=True, eq=False)
class RegimeView:
    """Weights and performance of members in each regime.

    fitted    a fitted `regime_aware`
    horizons  of its target; the first one is meant where none is named

    >>> from barstack.ensembles import ENSEMBLES, fit_known
    >>> from barstack.testing import small_stacked
    >>> fitted = fit_known(ENSEMBLES.parse("regime_aware"), small_stacked("return"))
    >>> found = RegimeView(fitted, ("1h", "4h"))
    >>> sorted(found.get_regime_weights("crash"))
    ['fair', 'good', 'noise', 'poor']
    >>> found.select_best_models("bull_trend", top_k=2)
    ['good', 'fair']
    """

    fitted: FittedEnsemble
    horizons: tuple[str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.fitted.learned, RegimeEvidence):
            raise ConfigError(
                f"A {type(self.fitted.ensemble).__name__} has no weights by regime. Give a fitted "
                "regime_aware."
            )

    @classmethod
    def of(cls, fitted: FittedEnsemble, horizons: tuple[str, ...]) -> RegimeView | None:
        """Of a fitted ensemble; None where it has no weights by regime."""
        return cls(fitted, horizons) if isinstance(fitted.learned, RegimeEvidence) else None

    @property
    def _learned(self) -> RegimeEvidence:
        learned = self.fitted.learned
        assert isinstance(learned, RegimeEvidence)  # as was checked when it was made
        return learned

    def get_regime_weights(self, regime: str, horizon: str | None = None) -> dict[str, float]:
        """By member, the weights that would forecast were the market in that regime for sure."""
        place, h = self._places(regime, horizon)
        learned = self._learned
        weights = learned.by_regime[place, h] if learned.used[h] else learned.plain[h]
        return dict(zip(self.fitted.members, map(float, weights), strict=True))

    def select_best_models(
        self, regime: str, top_k: int = 3, horizon: str | None = None
    ) -> list[str]:
        """The members of least loss there, best first; losses are drawn to those of all rows."""
        place, h = self._places(regime, horizon)
        learned = self._learned
        drawn = learned.shrinkage[place, h]
        overall = np.einsum("r,rm->m", learned.share, learned.loss[:, h])
        loss = drawn * learned.loss[place, h] + (1.0 - drawn) * overall
        best = np.argsort(loss, kind="stable")[: max(top_k, 0)]
        return [self.fitted.members[member] for member in best]

    def performance(self) -> list[dict[str, Any]]:
        """A row for each regime, horizon and member.

        regime, horizon, member, effective_rows, loss (squared error, Brier score or mean pinball
        loss), directional_accuracy, weight (as `get_regime_weights`), used (whether weights by
        regime forecast at this horizon)
        """
        learned = self._learned
        return [
            {
                "regime": regime,
                "horizon": horizon,
                "member": member,
                "effective_rows": float(learned.rows[place]),
                "loss": float(learned.loss[place, h, m]),
                "directional_accuracy": float(learned.accuracy[place, h, m]),
                "weight": weight,
                "used": bool(learned.used[h]),
            }
            for place, regime in enumerate(REGIMES)
            for h, horizon in enumerate(self.horizons)
            for m, (member, weight) in enumerate(self.get_regime_weights(regime, horizon).items())
        ]

    def _places(self, regime: str, horizon: str | None) -> tuple[int, int]:
        if regime not in REGIMES:
            raise ConfigError(f"Unknown regime {regime!r}. {did_you_mean(regime, REGIMES)}")
        if horizon is not None and horizon not in self.horizons:
            hint = did_you_mean(horizon, self.horizons)
            raise ConfigError(f"Unknown horizon {horizon!r}. {hint}")
        return REGIMES.index(regime), 0 if horizon is None else self.horizons.index(horizon)
