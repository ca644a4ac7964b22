"""Weights by regime: learned from performance in each, mixed by how likely each is now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from barstack.core.arrays import Array, Floats, Rows
from barstack.core.forecast import EVERY_TASK, REGIMES, signal_of
from barstack.core.times import KnownAt
from barstack.models._arrays import read_arrays, require, write_arrays

from ._ensemble import ENSEMBLES, Ensemble, register
from ._losses import directional_accuracies, errors, losses_of, mean_losses, row_weights
from ._regime_evidence import RegimeEvidence, rows_open, shrinkage
from ._stacked import Stacked

_FILE = "regimes.npz"
_PARTS = 3  # of the rows in order of time; each but the first judges what those before it taught
_FEWEST = 20  # rows on either side, for a comparison to be worth making


@register("regime_aware")
class RegimeAware(Ensemble):
    """Members weighed by how well they forecast in each regime, as likely as each is now.

    In each of the six regimes `base` is fitted with rows weighted by the square of the regime's
    probability (rows of other regimes would blur what is learned), to the `top_k` members of least
    loss there. The weights are then drawn to those of all rows,

        w = B w_regime + (1 - B) w_all,    B = t^2 n / (t^2 n + s^2),

    with n the effective number of rows of the regime, the sum of squared probabilities over the
    number of labels open side by side, s^2 the variance of members' losses around each other and
    t^2 that of true differences between regimes, estimated by moments: empirical Bayes (Efron,
    Morris 1973), t^2 as the score of a variance component (Lin 1997). Where members do as well in
    one regime as in another, or a regime is seldom seen, B is near zero.

    Whether weights by regime pay is judged forward in time: of three parts of the rows, the second
    and third are forecast by what the rows before them taught whose labels were known when the part
    began. Where that is no better than the weights of all those rows, these forecast, and `note`
    says so.

    Needs the regimes that a study's detector gives.

    >>> from barstack.testing import small_stacked
    >>> ensemble = RegimeAware()
    >>> learned = ensemble.fit(small_stacked("return"))
    >>> learned.by_regime.shape
    (6, 2, 4)
    """

    tasks: ClassVar = EVERY_TASK

    base: Literal["nnls", "performance_weighted"] = "nnls"
    top_k: int = Field(10, ge=1)  # members in each regime

    @property
    def needs(self) -> tuple[str, ...]:
        return ("regimes",)

    def fit(self, stacked: Stacked) -> RegimeEvidence:
        gain, error = self._gain_on_later_rows(stacked)
        used = (gain > 0.0).astype(np.int64)
        return self._fitted(stacked)._replace(used=used, gain=gain, gain_error=error)

    def predict(self, learned: RegimeEvidence, stacked: Stacked) -> Floats:
        return _combined(_mixed(learned, stacked), stacked)

    def weights(self, learned: RegimeEvidence) -> Floats:
        """At the shares of regimes among the rows that it learned from."""
        by_regime = np.einsum("r,rhm->hm", learned.share, learned.by_regime)
        return np.where(learned.used[:, None] > 0, by_regime, learned.plain)

    def explain(self, learned: RegimeEvidence, stacked: Stacked) -> Mapping[str, Array]:
        """What led to each forecast.

        regime      (n_rows,) the likeliest, its place in `REGIMES`
        confidence  (n_rows,) its probability
        agreement   (n_rows, n_horizons) share of the weight of members that take the same side
        weights     (n_rows, n_horizons, n_members) as mixed
        used        (n_rows, n_horizons) whether by regime, or those of all rows
        """
        regimes, weights = stacked.context["regimes"], _mixed(learned, stacked)
        side = np.sign(signal_of(_combined(weights, stacked), stacked.target))
        n_rows, n_members = stacked.forecasts.shape[:2]
        flat = stacked.forecasts.reshape(n_rows * n_members, *stacked.forecasts.shape[2:])
        sides = np.sign(signal_of(flat, stacked.target)).reshape(n_rows, n_members, -1)
        same = np.einsum("nhm,nmh->nh", weights, (sides == side[:, None]).astype(float))
        total = weights.sum(axis=2)
        return {
            "regime": regimes.argmax(axis=1),
            "confidence": regimes.max(axis=1),
            "agreement": same / np.where(total > 0.0, total, 1.0),
            "weights": weights,
            "used": np.tile(learned.used > 0, (n_rows, 1)),
        }

    def note(self, learned: RegimeEvidence) -> str | None:
        """A sentence where weights by regime are not used; None where they are."""
        left_out = int((learned.used == 0).sum())
        if not left_out:
            return None
        return (
            f"Weights by regime are not used at {left_out} of {len(learned.used)} horizons: they "
            "were no better on later rows."
        )

    def save(self, learned: RegimeEvidence, folder: Path) -> None:
        write_arrays(folder / _FILE, **learned._asdict())

    def load(self, folder: Path) -> RegimeEvidence:
        file = folder / _FILE
        each = f"float64 {len(REGIMES)},horizons,members"
        found = RegimeEvidence(
            **read_arrays(
                file,
                plain="float64 horizons,members",
                **dict.fromkeys(("by_regime", "loss", "accuracy"), each),
                shrinkage=f"float64 {len(REGIMES)},horizons",
                **dict.fromkeys(("share", "rows"), f"float64 {len(REGIMES)}"),
                used="int64 horizons",
                **dict.fromkeys(("gain", "gain_error"), "float64 horizons"),
            )
        )
        require(file, found.plain.size > 0, "it has no weights")
        fine = (found.plain >= 0.0).all() and (found.by_regime >= 0.0).all()
        require(file, fine, "a weight is below 0")
        require(file, np.isin(found.used, (0, 1)).all(), "a decision is neither 0 nor 1")
        return found

    def _fitted(self, stacked: Stacked) -> RegimeEvidence:
        """Weights by regime and of all rows, without a decision between them."""
        regimes, row = stacked.context["regimes"], row_weights(stacked)
        losses = losses_of(errors(stacked), stacked.target)
        rows, drawn = shrinkage(losses, regimes, row, rows_open(stacked))
        plain = self._base_weights(stacked, mean_losses(stacked))
        by_regime, loss, accuracy = [], [], []
        for place, own_part in enumerate(drawn):
            own = replace(stacked, sample_weight=row * regimes[:, place] ** 2)
            loss.append(mean_losses(own))
            accuracy.append(directional_accuracies(own))
            weights = plain
            if own_part.any():
                own_weights = self._base_weights(own, loss[-1])
                weights = own_part[:, None] * own_weights + (1.0 - own_part[:, None]) * plain
            by_regime.append(weights)
        nothing = np.zeros(len(plain))
        return RegimeEvidence(
            plain=plain,
            by_regime=np.stack(by_regime),
            loss=np.stack(loss),
            accuracy=np.stack(accuracy),
            shrinkage=drawn,
            share=(row[:, None] * regimes).mean(axis=0),
            rows=rows,
            used=np.ones(len(plain), np.int64),
            gain=nothing,
            gain_error=nothing,
        )

    def _base_weights(self, stacked: Stacked, losses: Floats) -> Floats:
        """(n_horizons, n_members) of the base, zero but for the best `top_k`."""
        base, found = ENSEMBLES.parse(self.base), np.zeros(losses.shape)
        for h in range(len(losses)):
            best = np.sort(np.argsort(losses[h], kind="stable")[: self.top_k])
            own = _part(stacked, best, h)
            weights = base.weights(base.fit(own))
            assert weights is not None  # of a weighted sum
            found[h, best] = weights[0]
        return found

    def _gain_on_later_rows(self, stacked: Stacked) -> tuple[Floats, Floats]:
        """(n_horizons,) loss of all rows' weights - that of weights by regime, and its error."""
        decided_at = stacked.decisions.decided_at
        bounds = np.sort(decided_at)[np.arange(1, _PARTS) * len(stacked) // _PARTS]
        part_of = np.searchsorted(bounds, decided_at, side="right")
        rows, gains = [], []
        for part, begins in enumerate(bounds, start=1):
            early = np.flatnonzero(stacked.all_known_at <= begins)
            late = np.flatnonzero(part_of == part)
            if min(len(early), len(late)) < _FEWEST:
                continue
            learned, later = self._fitted(stacked.take(early)), stacked.take(late)
            without = learned._replace(used=0 * learned.used)
            rows.append(late)
            gains.append(_losses(without, later) - _losses(learned, later))
        if not rows:
            return np.zeros(len(stacked.target.horizons)), np.zeros(len(stacked.target.horizons))
        judged = stacked.take(np.concatenate(rows))
        row, each = row_weights(judged)[:, None], np.concatenate(gains)
        gain = (row * each).mean(axis=0)
        spread = (row * (each - gain) ** 2).mean(axis=0)
        return gain, np.sqrt(spread / len(judged) * rows_open(judged))


def _part(stacked: Stacked, members: Rows, h: int) -> Stacked:
    """Some members at one horizon."""
    y, known_at, returns = stacked.y, stacked.known_at, stacked.returns
    assert y is not None  # in fitting
    assert known_at is not None
    assert returns is not None
    at = slice(h, h + 1)
    return replace(
        stacked,
        members=tuple(stacked.members[place] for place in members),
        target=replace(stacked.target, horizons=stacked.target.horizons[at]),
        forecasts=np.ascontiguousarray(stacked.forecasts[:, members, at]),
        y=y[:, at],
        known_at=KnownAt(known_at[:, at]),
        returns=returns[:, at],
    )


def _mixed(learned: RegimeEvidence, stacked: Stacked) -> Floats:
    """(n_rows, n_horizons, n_members) weights of each row."""
    regimes = stacked.context["regimes"]
    # einsum without optimisation adds up row by row; BLAS rounds by the number of rows.
    mixed = np.einsum("nr,rhm->nhm", regimes, learned.by_regime, optimize=False)
    return np.where(learned.used[:, None] > 0, mixed, learned.plain)


def _combined(weights: Floats, stacked: Stacked) -> Floats:
    return np.asarray(np.einsum("nhm,nmhk->nhk", weights, stacked.forecasts, optimize=False))


def _losses(learned: RegimeEvidence, stacked: Stacked) -> Floats:
    """(n_rows, n_horizons) of the combined forecasts."""
    combined = _combined(_mixed(learned, stacked), stacked)
    return losses_of(errors(replace(stacked, forecasts=combined[:, None]))[:, 0], stacked.target)
