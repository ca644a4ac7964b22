"""Ensembles fitted walk-forward, on known outcomes only; what plugins return is checked here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from barstack.core.arrays import Array, Floats, Ints, Rows
from barstack.core.errors import ConfigError, DataError
from barstack.core.forecast import Forecast, Target, concatenate, uncrossed
from barstack.core.parts import Calling, broken, built_in, forecasts, numbers
from barstack.core.seeds import derive_seed
from barstack.core.times import TrainedThrough, iso
from barstack.tracking import OutOfFold

from ._ensemble import Ensemble
from ._stacked import Stacked


@dataclass(frozen=True, eq=False)
class FittedEnsemble:
    """What an ensemble learned, from which members, and the latest label that it has seen.

    >>> from barstack.ensembles import ENSEMBLES, fit_known
    >>> from barstack.testing import small_stacked
    >>> fitted = fit_known(ENSEMBLES.parse("average"), small_stacked("return"))
    >>> fitted.trained_through
    np.datetime64('2026-01-10T08:30:00.000000')
    """

    ensemble: Ensemble
    learned: Any
    members: tuple[str, ...]
    trained_through: np.datetime64

    @classmethod
    def fit(cls, ensemble: Ensemble, stacked: Stacked) -> FittedEnsemble:
        """Fit on rows whose labels are all known, by the seed that `stacked` carries."""
        _check_context(ensemble, stacked)
        with Calling(ensemble, "fit"):
            learned = ensemble.fit(stacked)
        through = stacked.all_known_at.max()
        if stacked.trained_through is not None:
            through = max(through, stacked.trained_through.max())
        return cls(ensemble, _not_none(ensemble, "fit", learned), stacked.members, through)

    def predict(self, stacked: Stacked) -> Floats:
        """(n_rows, n_horizons, n_outputs), finite; outcomes in `stacked` are not handed on."""
        _check_context(self.ensemble, stacked)
        with Calling(self.ensemble, "predict"):
            found = self.ensemble.predict(self.learned, stacked.without_outcomes())
        if not built_in(self.ensemble):  # barstack's own are held to it by its tests
            found = forecasts(self.ensemble, "predict", found, len(stacked), stacked.target)
        return uncrossed(found, stacked.target)

    def update(self, stacked: Stacked) -> FittedEnsemble:
        """Learned on from rows with known labels, in the order in which those became known."""
        with Calling(self.ensemble, "update"):
            learned = self.ensemble.update(self.learned, stacked)
        through = max(self.trained_through, stacked.all_known_at.max())
        learned = _not_none(self.ensemble, "update", learned)
        return replace(self, learned=learned, trained_through=through)

    def follow(self, known: Stacked, counts: Ints, stacked: Stacked) -> Floats:
        """(n_rows, n_horizons, n_outputs), each row after `update` with the first rows of `known`.

        counts  (n_rows,) rising, of how many of them
        """
        with Calling(self.ensemble, "follow"):
            found = self.ensemble.follow(self.learned, known, counts, stacked.without_outcomes())
        if found is None:
            return self._in_turn(known, counts, stacked)
        if not built_in(self.ensemble):
            found = forecasts(self.ensemble, "follow", found, len(stacked), stacked.target)
        return uncrossed(found, stacked.target)

    def _in_turn(self, known: Stacked, counts: Ints, stacked: Stacked) -> Floats:
        values, done, fitted = [], 0, self
        times, starts = np.unique(counts, return_index=True)
        for count, rows in zip(times, np.split(np.arange(len(stacked)), starts[1:]), strict=True):
            if count > done:
                fitted = fitted.update(known.take(np.arange(done, count)))
                done = count
            values.append(fitted.predict(stacked.take(rows)))
        return np.concatenate(values)

    def weights(self, target: Target) -> dict[str, dict[str, float]]:
        """Weight of each member at each horizon; empty where members have no fixed weights."""
        matrix = self.weight_matrix(target)
        if matrix is None:
            return {}
        return {
            horizon: dict(zip(self.members, map(float, row), strict=True))
            for horizon, row in zip(target.horizons, matrix, strict=True)
        }

    def weight_matrix(self, target: Target) -> Floats | None:
        """(n_horizons, n_members) the same as an array of finite numbers, or None."""
        with Calling(self.ensemble, "weights"):
            found = self.ensemble.weights(self.learned)
        if found is None:
            return None
        shape = (len(target.horizons), len(self.members))
        matrix = numbers(self.ensemble, "weights", found, shape)
        if not np.isfinite(matrix).all():
            text = f"weights returns {matrix.tolist()}. Return finite numbers."
            raise broken(self.ensemble, text)
        return matrix

    def explain(self, stacked: Stacked) -> dict[str, Array]:
        """By name, (n_rows, ...) of what led to each forecast; empty where that is unknown."""
        with Calling(self.ensemble, "explain"):
            found = self.ensemble.explain(self.learned, stacked.without_outcomes())
            arrays = {str(name): np.asarray(values) for name, values in dict(found).items()}
        for name, values in arrays.items():
            if values.shape[:1] != (len(stacked),):
                text = f"explain returns {name!r} of shape {values.shape}. Return a row for each "
                raise broken(self.ensemble, f"{text}of {len(stacked)} forecasts.")
        return arrays

    @property
    def note(self) -> str | None:
        """What the ensemble has to say of what it learned; None where that is nothing."""
        with Calling(self.ensemble, "note"):
            return self.ensemble.note(self.learned)

    def save(self, folder: Path) -> None:
        """Write what was learned as data into a new folder."""
        folder.mkdir(parents=True)
        with Calling(self.ensemble, "save"):
            self.ensemble.save(self.learned, folder)

    @classmethod
    def load(
        cls,
        ensemble: Ensemble,
        folder: Path,
        members: tuple[str, ...],
        trained_through: np.datetime64,
    ) -> FittedEnsemble:
        """Read back what `save` wrote."""
        with Calling(ensemble, "load"):
            learned = ensemble.load(folder)
        return cls(ensemble, _not_none(ensemble, "load", learned), members, trained_through)


def fit_known(
    ensemble: Ensemble,
    stacked: Stacked,
    rows: Rows | None = None,
    *,
    seed: int = 0,
    fold: int | None = None,
) -> FittedEnsemble:
    """Fit on the given rows, by default all whose labels are known.

    seed  of the study; that of the fit follows from it, the ensemble's id and the fold
    fold  before which it is fitted; None for the final fit

    >>> from barstack.ensembles import ENSEMBLES
    >>> from barstack.testing import small_stacked
    >>> fit_known(ENSEMBLES.parse("average"), small_stacked("return")).members
    ('good', 'fair', 'poor', 'noise')
    """
    if rows is None:
        rows = np.flatnonzero(~np.isnat(stacked.all_known_at))
    own = derive_seed(seed, ensemble.id, "final" if fold is None else fold)
    return FittedEnsemble.fit(ensemble, replace(stacked.take(rows), seed=own))


def walk_forward(
    ensemble: Ensemble, stacked: Stacked, *, seed: int = 0
) -> tuple[OutOfFold, dict[int, FittedEnsemble]]:
    """The ensemble's own forward forecasts, from the second fold on.

    For each fold it learns from forecasts of earlier folds whose labels were known when the
    fold began. One that learns on is also updated within the fold, before each decision, with the
    rows whose labels have become known since.

    Parameters
    ----------
    stacked : aligned with labels
    seed : of the study; that of each fit follows from it, the ensemble's id and the fold

    Returns
    -------
    tuple
        The forecasts, and by fold the ensemble as it was fitted before the fold began.

    >>> from barstack.ensembles import ENSEMBLES
    >>> from barstack.testing import small_stacked
    >>> forecasts, fitted = walk_forward(ENSEMBLES.parse("average"), small_stacked("return"))
    >>> sorted(fitted), len(forecasts.forecast)
    ([1, 2], 333)
    """
    fold_of, through_of = stacked.fold, stacked.trained_through
    assert fold_of is not None  # aligned forecasts have both
    assert through_of is not None
    known_at = stacked.all_known_at
    parts, folds, fitted = [], [], {}
    for fold in np.unique(fold_of)[1:]:
        test = np.flatnonzero(fold_of == fold)
        begins = stacked.decisions.decided_at[test].min()
        rows = np.flatnonzero((fold_of < fold) & (known_at <= begins))
        if not len(rows):
            raise DataError(
                f"No out-of-fold label is known by {iso(begins)}, when fold {fold} begins, for the "
                "ensemble to learn from. Use fewer folds, more bars or a shorter horizon."
            )
        fitted[int(fold)] = one = fit_known(ensemble, stacked, rows, seed=seed, fold=int(fold))
        if ensemble.updates:
            later = np.flatnonzero((fold_of <= fold) & (known_at > begins))
            values, through = _online(one, stacked, test, later)
        else:
            values = one.predict(stacked.take(test))
            through = TrainedThrough(np.full(len(test), one.trained_through))
        parts.append(
            Forecast(
                stacked.decisions.take(test),
                stacked.target,
                values,
                TrainedThrough(np.maximum(through_of[test], through)),
            )
        )
        folds.append(np.full(len(test), fold))
    if not parts:
        raise ConfigError("An ensemble needs two folds or more: it learns from the first.")
    return OutOfFold(concatenate(parts), np.concatenate(folds)), fitted


def _online(
    fitted: FittedEnsemble, stacked: Stacked, test: Rows, later: Rows
) -> tuple[Floats, TrainedThrough]:
    """Forecasts of `test`, each after updates with those of `later` known by its decision.

    test  rows in the order of their times
    """
    known_at, decided_at = stacked.all_known_at, stacked.decisions.decided_at
    later = later[np.argsort(known_at[later], kind="stable")]
    counts = np.searchsorted(known_at[later], decided_at[test], side="right")
    later = later[: counts.max()]
    through = np.concatenate([[fitted.trained_through], known_at[later]])
    values = fitted.follow(stacked.take(later), counts, stacked.take(test))
    return values, TrainedThrough(np.maximum.accumulate(through)[counts])


def _check_context(ensemble: Ensemble, stacked: Stacked) -> None:
    for name in ensemble.needs:
        if name not in stacked.context:
            kind = ensemble.registered_as[1] if ensemble.registered_as else type(ensemble).__name__
            given: Mapping[str, Floats] = stacked.context
            raise ConfigError(
                f"Ensemble {kind} needs {name!r} of each decision, and is given "
                f"{', '.join(given) or 'forecasts alone'}. Align the forecasts with it."
            )


def _not_none(ensemble: Ensemble, what: str, learned: Any) -> Any:
    if learned is None and not built_in(ensemble):
        raise broken(ensemble, f"{what} returns None. Return what was learned.")
    return learned
