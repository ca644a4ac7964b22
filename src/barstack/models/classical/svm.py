"""Support vector machines: exact for few rows, with an approximate kernel for many."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import scipy
from pydantic import Field

from barstack.core.arrays import Floats
from barstack.core.forecast import Target

from .._arrays import check_width, read_arrays, require, write_arrays
from .._libraries import scikit
from .._model import register
from .._per_horizon import HorizonRows, PerHorizon
from ._forms import KernelsForm

_LEAST = 1e-12  # probability of a class before they are made to add up to one
_PARTS = 3  # of time, each decided on by a machine that was fitted on the others


class KernelMachine(NamedTuple):
    """Sums over centres of a coefficient times exp(-gamma |x - centre|^2).

    centres       (n_centres, n_features)
    coefficients  (n_centres, n_sums)
    intercept     (n_sums,)
    gamma         (1,)
    slope, shift  (n_sums,) of Platt's sigmoid, which makes a probability of a sum
    """

    centres: Floats
    coefficients: Floats
    intercept: Floats
    gamma: Floats
    slope: Floats
    shift: Floats

    def sums(self, X: Floats) -> Floats:
        """(n_rows, n_sums)."""
        check_width(self.centres.shape[1], X)
        gaussian = np.zeros(1), np.zeros(1, np.int32)  # no shift, and degree 0
        kernels = (self.centres, self.coefficients, self.intercept, self.gamma, *gaussian)
        return KernelsForm(*kernels).apply(X)

    def save(self, file: Path) -> None:
        """Write as arrays."""
        write_arrays(file, **self._asdict())

    @classmethod
    def load(cls, file: Path, n_sums: int) -> KernelMachine:
        """Read what `save` wrote."""
        each = f"float64 {n_sums}"
        read = cls(
            **read_arrays(
                file,
                centres="float64 centres,features",
                coefficients=f"float64 centres,{n_sums}",
                intercept=each,
                gamma="float64 1",
                slope=each,
                shift=each,
            )
        )
        require(file, read.gamma[0] > 0.0, "gamma is not above 0")
        return read


@register("svm", family="classical", tasks=("return", "direction", "three_class"))
class SVM(PerHorizon):
    """Support vectors with a Gaussian kernel; above `exact_rows` by `landmarks`.

    Cortes, Vapnik (1995). Each class is separated from the rest, with a probability from Platt's
    sigmoid over decisions on stretches of time that the machine was not fitted on. With
    many rows the kernel is Nyström's, and what lies above it a linear machine with a squared loss:
    Williams, Seeger (2001).

    >>> from barstack.models import train
    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("return")
    >>> rows = training_rows(dataset)
    >>> fitted = train(SVM(), dataset, rows[:400], seed=0)
    >>> fitted.predict(dataset.features, rows[400:]).shape
    (405, 2, 1)
    """

    concurrent: ClassVar[bool] = True
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

    def fit_one(
        self, train: HorizonRows, stop: HorizonRows | None, target: Target, seed: int
    ) -> KernelMachine:
        own = train.counted().with_every_class(target)
        if not target.n_classes:
            return self._machine(own, True, seed)
        classes = (1.0,) if target.task == "direction" else (0.0, 1.0, 2.0)
        return _beside(
            [self._calibrated(own._replace(y=(own.y == each) * 1.0), seed) for each in classes]
        )

    def _calibrated(self, own: HorizonRows, seed: int) -> KernelMachine:
        """A machine for one class against the rest, and the sigmoid over its decisions."""
        decided = np.zeros(len(own.y))
        for inside in np.array_split(np.arange(len(own.y)), _PARTS):
            outside = np.setdiff1d(np.arange(len(own.y)), inside)
            rest = HorizonRows(own.X[outside], own.y[outside], own.weight[outside])
            if np.ptp(rest.y) > 0.0:
                decided[inside] = self._machine(rest, False, seed).sums(own.X[inside])[:, 0]
        sigmoid = scikit("linear_model").LogisticRegression(C=1e3)
        sigmoid.fit(decided[:, None], own.y, own.weight)
        whole = self._machine(own, False, seed)
        return whole._replace(slope=sigmoid.coef_[0], shift=sigmoid.intercept_)

    def _machine(self, own: HorizonRows, regression: bool, seed: int) -> KernelMachine:
        gamma = self.gamma or 1.0 / own.X.shape[1]
        if not regression:
            # Of a rare class a machine makes nothing, every row being cheapest on the other side.
            # Both count alike here; the sigmoid, fitted on the weights as given, sets that right.
            share = np.bincount(own.y.astype(np.int64), own.weight) / own.weight.sum()
            own = own._replace(weight=own.weight / (2.0 * share[own.y.astype(np.int64)]))
        exact = len(own.y) <= self.exact_rows
        return (self._exact if exact else self._approximate)(own, regression, gamma, seed)

    def _exact(self, own: HorizonRows, regression: bool, gamma: float, seed: int) -> KernelMachine:
        svm = scikit("svm")
        settings = {"kernel": "rbf", "gamma": gamma, "C": self.cost, "cache_size": 500}
        machine = svm.SVR(epsilon=self.width, **settings) if regression else svm.SVC(**settings)
        machine.fit(own.X, own.y, own.weight)
        return _kernel(
            machine.support_vectors_, machine.dual_coef_[0], machine.intercept_[0], gamma
        )

    def _approximate(
        self, own: HorizonRows, regression: bool, gamma: float, seed: int
    ) -> KernelMachine:
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

    def predict_one(self, learned: KernelMachine, X: Floats, target: Target) -> Floats:
        sums = learned.sums(X)
        if not target.n_classes:
            return sums
        each = np.maximum(scipy.special.expit(learned.slope * sums + learned.shift), _LEAST)
        return each / each.sum(axis=1, keepdims=True) if target.task == "three_class" else each

    def save_one(self, learned: KernelMachine, file: Path) -> None:
        learned.save(file)

    def load_one(self, file: Path, target: Target) -> KernelMachine:
        return KernelMachine.load(file, len(target.outputs))


def _kernel(centres: Floats, coefficients: Floats, intercept: float, gamma: float) -> KernelMachine:
    return KernelMachine(
        np.array(centres),
        np.array(coefficients)[:, None],
        np.array([intercept]),
        np.array([gamma]),
        np.ones(1),
        np.zeros(1),
    )


def _beside(machines: list[KernelMachine]) -> KernelMachine:
    """Several machines as one; a centre that two share stands twice, as each has its own."""
    if len(machines) == 1:
        return machines[0]
    sizes = [len(each.centres) for each in machines]
    coefficients = np.zeros((sum(sizes), len(machines)))
    ends = np.cumsum(sizes)
    for place, (end, each) in enumerate(zip(ends, machines, strict=True)):
        coefficients[end - len(each.centres) : end, place] = each.coefficients[:, 0]
    return KernelMachine(
        np.vstack([each.centres for each in machines]),
        coefficients,
        np.concatenate([each.intercept for each in machines]),
        machines[0].gamma,
        np.concatenate([each.slope for each in machines]),
        np.concatenate([each.shift for each in machines]),
    )
