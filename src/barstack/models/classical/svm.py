"""Support vector machines: exact for few rows, with an approximate kernel for many."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field
from scipy.special import expit

from barstack.core.arrays import Floats
from barstack.core.forecast import Target

from .._horizons import Part, PerHorizon
from .._model import register
from .._scikit import bounded_threads, scikit
from ._kernel import Kernel

_LEAST = 1e-12  # probability of a class before they are made to add up to one
_PARTS = 3  # of time, each decided on by a machine that was fitted on the others


@register("svm", family="classical", tasks=("return", "direction", "three_class"))
class SVM(PerHorizon):
    """Support vectors with a Gaussian kernel; above `exact_rows` by `landmarks`.

    Cortes, Vapnik (1995). Classes are each told from the rest, and get their probability from
    Platt's sigmoid over decisions on stretches of time that the machine was not fitted on. With
    many rows the kernel is Nyström's, and what lies above it a linear machine with a squared loss:
    Williams, Seeger (2001).
    """

    packages: ClassVar[tuple[str, ...]] = ("scikit-learn",)

    cost: float = Field(0.1, gt=0, description="penalty of a row on the wrong side")
    width: float = Field(
        0.1, ge=0, description="training deviations of return within which no row costs"
    )
    gamma: float | None = Field(
        None, gt=0, description="of the Gaussian kernel; none is 1 / features"
    )
    exact_rows: int = Field(
        4_000, ge=0, le=1_000_000, description="training rows up to which it is exact"
    )
    landmarks: int = Field(300, ge=1, le=100_000, description="rows that stand for all above that")

    def fit_one(self, train: Part, stop: Part | None, target: Target, seed: int) -> Kernel:
        own = train.counted().with_every_class(target)
        with bounded_threads(len(own.X)):
            if not target.n_classes:
                return self._machine(own, True, seed)
            classes = (1.0,) if target.task == "direction" else (0.0, 1.0, 2.0)
            return _beside(
                [self._calibrated(own._replace(y=(own.y == each) * 1.0), seed) for each in classes]
            )

    def _calibrated(self, own: Part, seed: int) -> Kernel:
        """A machine for one class against the rest, and the sigmoid over its decisions."""
        decided = np.zeros(len(own.y))
        for inside in np.array_split(np.arange(len(own.y)), _PARTS):
            outside = np.setdiff1d(np.arange(len(own.y)), inside)
            rest = Part(own.X[outside], own.y[outside], own.weight[outside])
            if np.ptp(rest.y) > 0.0:
                decided[inside] = self._machine(rest, False, seed).sums(own.X[inside])[:, 0]
        sigmoid = scikit("linear_model").LogisticRegression(C=1e3)
        sigmoid.fit(decided[:, None], own.y, own.weight)
        whole = self._machine(own, False, seed)
        return whole._replace(slope=sigmoid.coef_[0], shift=sigmoid.intercept_)

    def _machine(self, own: Part, regression: bool, seed: int) -> Kernel:
        gamma = self.gamma or 1.0 / own.X.shape[1]
        if not regression:
            # Of a rare class a machine makes nothing, every row being cheapest on the other side.
            # Both count alike here; the sigmoid, fitted on the weights as given, sets that right.
            share = np.bincount(own.y.astype(np.int64), own.weight) / own.weight.sum()
            own = own._replace(weight=own.weight / (2.0 * share[own.y.astype(np.int64)]))
        exact = len(own.y) <= self.exact_rows
        return (self._exact if exact else self._approximate)(own, regression, gamma, seed)

    def _exact(self, own: Part, regression: bool, gamma: float, seed: int) -> Kernel:
        svm = scikit("svm")
        settings = {"kernel": "rbf", "gamma": gamma, "C": self.cost, "cache_size": 500}
        machine = svm.SVR(epsilon=self.width, **settings) if regression else svm.SVC(**settings)
        machine.fit(own.X, own.y, own.weight)
        return _kernel(
            machine.support_vectors_, machine.dual_coef_[0], machine.intercept_[0], gamma
        )

    def _approximate(self, own: Part, regression: bool, gamma: float, seed: int) -> Kernel:
        svm = scikit("svm")
        nystroem = scikit("kernel_approximation").Nystroem(
            gamma=gamma, n_components=min(self.landmarks, len(own.y)), random_state=seed
        )
        embedded = nystroem.fit_transform(own.X)
        settings: dict[str, Any] = {"C": self.cost, "dual": False, "random_state": seed}
        if regression:
            loss = "squared_epsilon_insensitive"
            machine = svm.LinearSVR(epsilon=self.width, loss=loss, **settings)
        else:
            machine = svm.LinearSVC(**settings)
        machine.fit(embedded, own.y, own.weight)
        # The embedding is linear in the kernels with the landmarks, which are thus all it takes.
        coefficients = nystroem.normalization_.T @ machine.coef_.reshape(-1)
        intercept = np.ravel(machine.intercept_)[0]
        return _kernel(nystroem.components_, coefficients, intercept, gamma)

    def predict_one(self, learned: Kernel, X: Floats, target: Target) -> Floats:
        sums = learned.sums(X)
        if not target.n_classes:
            return sums
        each = np.maximum(expit(learned.slope * sums + learned.shift), _LEAST)
        return each / each.sum(axis=1, keepdims=True) if target.task == "three_class" else each

    def save_one(self, learned: Kernel, file: Path) -> None:
        learned.save(file)

    def load_one(self, file: Path, target: Target) -> Kernel:
        return Kernel.load(file, len(target.outputs))


def _kernel(centres: Floats, coefficients: Floats, intercept: float, gamma: float) -> Kernel:
    return Kernel(
        np.array(centres),
        np.array(coefficients)[:, None],
        np.array([intercept]),
        np.array([gamma]),
        np.ones(1),
        np.zeros(1),
    )


def _beside(machines: list[Kernel]) -> Kernel:
    """Several machines as one; a centre that two share stands twice, as each has its own."""
    if len(machines) == 1:
        return machines[0]
    sizes = [len(each.centres) for each in machines]
    coefficients = np.zeros((sum(sizes), len(machines)))
    ends = np.cumsum(sizes)
    for place, (end, each) in enumerate(zip(ends, machines, strict=True)):
        coefficients[end - len(each.centres) : end, place] = each.coefficients[:, 0]
    return Kernel(
        np.vstack([each.centres for each in machines]),
        coefficients,
        np.concatenate([each.intercept for each in machines]),
        machines[0].gamma,
        np.concatenate([each.slope for each in machines]),
        np.concatenate([each.shift for each in machines]),
    )
