"""What is fitted for a fold, in numpy: a dozen stages, each on rows that can be chosen wrongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from barstack.evaluation.audit import Data, Fit, Stage
from barstack.features import FeatureTable
from barstack.labels import LabelTable
from barstack.splits import Fold

STAGES = (
    *("imputer", "winsoriser", "scaler", "selection", "pca", "target encoding", "thresholds"),
    *("weights", "tuning", "early stopping", "member", "meta_learner", "conformal"),
)
_CLASSES = 24  # hours of the day


@dataclass(frozen=True)
class Flow:
    """Which stages there are, and on which rows each learns.

    scope   by stage, `all` or `test` in place of the rows it ought to have
    honest  stages that say which rows they learned from, wrong or not
    blur    edges between the parts of training are not purged
    claims  by stage, what to add to its claim of being trained through
    batch   the test is scaled by itself
    """

    stages: tuple[str, ...] = STAGES
    scope: Mapping[str, str] = field(default_factory=dict)
    honest: frozenset[str] = frozenset()
    blur: bool = False
    claims: Mapping[str, np.timedelta64] = field(default_factory=dict)
    batch: bool = False

    def fit(
        self,
        data: Data,
        features: FeatureTable,
        labels: LabelTable,
        folds: Sequence[Fold],
        number: int,
    ) -> Fit:
        return _Fitting(self, features, labels, folds[number]).run()


class _Fitting:
    """One fold. Training is parted in time: to fit on, to stop by, to combine and calibrate."""

    def __init__(self, flow: Flow, features: FeatureTable, labels: LabelTable, fold: Fold) -> None:
        self.flow, self.fold, self.labels = flow, fold, labels
        self.X = features.values.copy()
        self.y = labels.values[:, 0].copy()
        self.decided_at = features.decisions.decided_at
        self.known_at = labels.all_known_at
        answered = np.isfinite(self.y)
        self.train = fold.train[answered[fold.train]]
        self.everything = np.flatnonzero(answered)
        self.test = fold.test[answered[fold.test]]
        times = np.unique(self.decided_at[self.train])
        first, second = times[len(times) * 6 // 10], times[len(times) * 8 // 10]
        decided, known = self.decided_at[self.train], self.known_at[self.train]
        ends = decided if flow.blur else known  # the mistake: to part by decision
        self.fit_rows = self.train[(ends < first) if flow.blur else (ends <= first)]
        inside = (decided >= first) & ((ends < second) if flow.blur else (ends <= second))
        self.stop_rows = self.train[inside]
        self.last_rows = self.train[decided >= second]
        self.stages: list[Stage] = []

    def run(self) -> Fit:
        for name in STAGES:
            if name in self.flow.stages:
                getattr(self, "_" + name.replace(" ", "_"))()
        rows = self.fold.test
        X = self.X
        if self.flow.batch:
            X = X.copy()
            X[rows] = (X[rows] - X[rows].mean(axis=0)) / (X[rows].std(axis=0) + 1e-9)
        first = self._forecast(X[rows])
        if "conformal" in self.flow.stages:
            width = float(self.stages[-1].learned["width"][0])
            first = np.column_stack([first, first - width, first + width])
        return Fit(self.stages, first)

    def _rows(self, name: str, honest: Any) -> Any:
        return {"all": self.everything, "test": self.test}.get(
            self.flow.scope.get(name, ""), honest
        )

    def _add(
        self, name: str, rows: Any, apart: Mapping[str, Any] | None = None, **learned: Any
    ) -> None:
        named = rows if name in self.flow.honest or name not in self.flow.scope else None
        own = self.train if named is None else named
        claim = self.known_at[own].max() + self.flow.claims.get(name, np.timedelta64(0, "us"))
        numbers = {key: np.atleast_1d(value) for key, value in learned.items()}
        self.stages.append(Stage(name, numbers, named, apart or {}, claim))

    def _imputer(self) -> None:
        rows = self._rows("imputer", self.train)
        mean = np.nan_to_num(np.nanmean(self.X[rows], axis=0))
        self._add("imputer", rows, mean=mean)
        self.X = np.where(np.isfinite(self.X), self.X, mean)

    def _winsoriser(self) -> None:
        rows = self._rows("winsoriser", self.train)
        low, high = np.quantile(self.X[rows], [0.01, 0.99], axis=0)
        self._add("winsoriser", rows, low=low, high=high)
        self.X = np.clip(self.X, low, high)

    def _scaler(self) -> None:
        rows = self._rows("scaler", self.train)
        mean, scale = self.X[rows].mean(axis=0), self.X[rows].std(axis=0) + 1e-9
        self._add("scaler", rows, mean=mean, scale=scale)
        self.X = (self.X - mean) / scale

    def _selection(self) -> None:
        rows = self._rows("selection", self.train)
        x, y = self.X[rows], self.y[rows] - self.y[rows].mean()
        scores = np.abs(x.T @ y) / len(rows)
        chosen = np.sort(np.argsort(scores)[-max(3, len(scores) // 2) :])
        self._add("selection", rows, chosen=chosen)
        self.X = self.X[:, chosen]

    def _pca(self) -> None:
        rows = self._rows("pca", self.train)
        mean = self.X[rows].mean(axis=0)
        vectors = np.linalg.svd(self.X[rows] - mean, full_matrices=False)[2][:3]
        vectors *= np.sign(vectors[:, :1] + 1e-300)
        self._add("pca", rows, components=vectors, mean=mean)
        self.X = np.column_stack([self.X, (self.X - mean) @ vectors.T])

    def _target_encoding(self) -> None:
        rows = self._rows("target encoding", self.train)
        hours = self.decided_at.astype("datetime64[h]").astype(np.int64) % _CLASSES
        sums = np.bincount(hours[rows], self.y[rows], _CLASSES)
        mean = sums / (np.bincount(hours[rows], minlength=_CLASSES) + 10.0)
        self._add("target encoding", rows, mean_by_hour=mean)
        self.X = np.column_stack([self.X, mean[hours] / (self.y[self.train].std() + 1e-12)])

    def _thresholds(self) -> None:
        rows = self._rows("thresholds", self.train)
        returns = self.labels.returns[:, 0]
        low, high = np.quantile(returns[rows], [0.3, 0.7])
        self._add("thresholds", rows, quantiles=np.array([low, high]))
        with np.errstate(invalid="ignore"):
            side = (returns > high).astype(float) - (returns < low)
        self.y = np.where(np.isfinite(returns), side, np.nan)

    def _weights(self) -> None:
        rows = self._rows("weights", self.train)
        size = np.abs(self.y[rows] - self.y[rows].mean())
        self._add("weights", rows, scale=np.array([size.mean(), size.std()]))

    def _tuning(self) -> None:
        rows = self._rows("tuning", self.stop_rows)
        penalties = np.logspace(-2, 5, 15)
        losses = [self._loss(self._ridge(self.fit_rows, each), rows) for each in penalties]
        self.penalty = float(penalties[int(np.argmin(losses))])
        apart = {"members": self.fit_rows} if "tuning" not in self.flow.scope else {}
        self._add("tuning", rows, apart, penalty=self.penalty, loss=np.min(losses))

    def _early_stopping(self) -> None:
        rows = self._rows("early stopping", self.stop_rows)
        gram, target = self._moments(self.fit_rows, 1.0)
        rate = 1.0 / np.linalg.eigvalsh(gram).max()
        beta, best, kept, step = np.zeros(len(gram)), np.inf, np.zeros(len(gram)), 0
        for number in range(60):
            beta = beta - rate * (gram @ beta - target)
            if (loss := self._loss(beta, rows)) < best:
                best, kept, step = loss, beta, number
        self.boosted = kept
        apart = {"early stopping": self.stop_rows}
        self._add("early stopping", rows, steps=step, loss=best)
        stage = Stage("member boosted", {"beta": kept}, self.fit_rows, apart)
        self.stages.append(stage)

    def _member(self) -> None:
        rows = self._rows("member", self.fit_rows)
        self.beta = self._ridge(rows, getattr(self, "penalty", 10.0))
        self._add("member", rows, {"early stopping": self.stop_rows}, beta=self.beta)

    def _meta_learner(self) -> None:
        rows = self._rows("meta_learner", self.last_rows)
        if self.flow.scope.get("meta_learner") == "stop":
            rows = self.stop_rows
        apart = {"early stopping": self.stop_rows, "members": self.fit_rows}
        Z = np.column_stack([self._one(self.X[rows]), self._two(self.X[rows])])
        gram = Z.T @ Z + 1e-6 * len(rows) * np.eye(2)
        self.blend = np.linalg.solve(gram, Z.T @ (self.y[rows] - self.centre))
        if self.flow.scope.get("meta_learner") in ("all", "test"):
            apart = {}
        self._add("meta_learner", rows, apart, blend=self.blend)

    def _conformal(self) -> None:
        rows = self._rows("conformal", self.last_rows)
        errors = np.abs(self.y[rows] - self._forecast(self.X[rows]))
        self._add("conformal", rows, width=np.quantile(errors, 0.9))

    def _moments(self, rows: Any, penalty: float) -> tuple[Any, Any]:
        self.centre = float(self.y[self.fit_rows].mean())
        X, y = self.X[rows], self.y[rows] - self.centre
        return X.T @ X / len(rows) + penalty / len(rows) * np.eye(X.shape[1]), X.T @ y / len(rows)

    def _ridge(self, rows: Any, penalty: float) -> Any:
        return np.linalg.solve(*self._moments(rows, penalty))

    def _loss(self, beta: Any, rows: Any) -> float:
        return float(np.mean((self.y[rows] - self.centre - self.X[rows] @ beta) ** 2))

    def _one(self, X: Any) -> Any:
        return X @ self.beta

    def _two(self, X: Any) -> Any:
        return X @ getattr(self, "boosted", 0.5 * self.beta)

    def _forecast(self, X: Any) -> Any:
        # Row by row, so that the number of rows does not change how sums are rounded.
        blend = getattr(self, "blend", np.array([1.0, 0.0]))
        one = (X * self.beta).sum(axis=1)
        two = (X * getattr(self, "boosted", self.beta)).sum(axis=1)
        return self.centre + blend[0] * one + blend[1] * two
