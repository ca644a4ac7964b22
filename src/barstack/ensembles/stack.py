"""Stacking: a model of its own learns from members' forecasts what comes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, WithJsonSchema

from barstack.core.arrays import Array, Floats, Rows
from barstack.core.errors import ArtifactError, ConfigError
from barstack.core.forecast import EVERY_TASK, Target, Task, uncrossed
from barstack.core.seeds import derive_seed
from barstack.core.stored import Number, Stored
from barstack.core.untrusted import read_json
from barstack.datasets import Dataset, Inputs, NewestRow
from barstack.models import MODELS, FittedModel, Model, OneRow, train
from barstack.models._arrays import require, require_forecasts

from ._ensemble import Ensemble, register
from ._losses import constant_forecast, mean_losses, row_weights
from ._meta_rows import can_train, forward_folds, meta_dataset
from ._pools import opinion_pool, quantile_pool, realised_chances
from ._quadratic import least_quadratic
from ._stacked import Stacked
from ._weighted import weighted_sum
from .nnls import normal_equations

_FILE = "stack.json"
_SPREAD = 0.5  # standard deviation of shares of returns thought likely
_LEAST_WEIGHT = 1e-3  # below it a meta-learner is left out
# Small trees: there are few columns, and most of what they could learn is noise.
_TREES = {"model": "lightgbm", "trees": 50, "learning_rate": 0.1, "depth": 3}
_DEFAULTS: dict[Task, Any] = {"return": "ridge", "quantiles": _TREES}
AnyMeta = Annotated[
    Model,
    MODELS,
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object", "required": ["model"]}]}),
]


class _StoredPart(Stored):
    """What is stored of one horizon beside the fitted model."""

    members: list[Annotated[int, Field(ge=0, le=1_000_000)]] = Field(min_length=1)
    weights: list[Annotated[Number, Field(ge=0, le=1e6)]] = Field(min_length=2, max_length=2)
    constant: list[Number] = Field(min_length=1)
    fitted: bool


class _StoredStack(Stored):
    """What is stored of all horizons."""

    n_members: int = Field(ge=1, le=1_000_000)
    parts: list[_StoredPart] = Field(min_length=1, max_length=1_000)


@dataclass(frozen=True, eq=False)
class MetaLearner:
    """What stacking learned of one horizon.

    fitted    the meta-learner; None where it has earned no weight
    members   (n,) places of the members that it looks at
    weights   (2,) of the meta-learner and of the members' mean; what is left to one has `constant`
    constant  (n_outputs,) the forecast that needs no member
    """

    fitted: FittedModel | None
    members: Rows
    weights: Floats
    constant: Floats

    @cached_property
    def one_row(self) -> OneRow | None:
        """The meta-learner's own predict, without what a whole table needs."""
        return None if self.fitted is None else OneRow.plain(self.fitted)

    def forecast(self, columns: Floats, stacked: Stacked) -> Floats:
        """(n_rows, n_outputs) of the meta-learner alone; each row by itself, to the bit."""
        assert self.fitted is not None
        assert self.one_row is not None
        if columns.shape[1] != len(self.fitted.columns):
            raise ArtifactError(
                f"A meta-learner of {len(self.fitted.columns)} columns is given "
                f"{columns.shape[1]}: its files are not of one training. Restore them from a copy, "
                "or run the study again."
            )
        scaler, code = self.fitted.scaler, stacked.decisions.symbol_code
        # Trees compare and add up; what multiplies matrices rounds by how many rows there are.
        if self.fitted.model.family == "boosting" and len(columns) > 1:
            rows = np.arange(len(columns))
            inputs = Inputs(columns, rows, scaler, rows * 0 + 1, decisions=stacked.decisions)
            return self.fitted.scaled(self.one_row.run(inputs))[:, 0]
        found = np.empty((len(columns), len(self.fitted.target.outputs)))
        for row in range(len(columns)):
            symbol = stacked.decisions.symbols[code[row]]
            one = NewestRow.of(columns[row : row + 1], scaler, symbol)
            found[row] = self.one_row.predict_newest(one)[0]
        return found


@dataclass(frozen=True, eq=False)
class StackLearned:
    """What stacking learned: a part for each horizon."""

    n_members: int
    parts: tuple[MetaLearner, ...] = field(default=())


@register("stack", tasks=EVERY_TASK)
class Stack(Ensemble):
    """A meta-learner: any model, trained on members' out-of-fold forecasts.

    For each horizon it is trained as every model is, on a table whose columns are the members'
    forecasts at that horizon, scaled, and whose rows no member has learned from. Where it stops
    early it does so by its latest rows, purged from those it is fitted on. `pass_through` adds the
    study's features to the columns, `regimes` the probabilities of market regimes. Beyond `most`
    members it looks at those of least loss.

    A meta-learner that is no better than the mean of the members must not take its place. So the
    rows are also cut into `folds` + 1 spans of time. For each but the first a meta-learner is
    trained on what was known before it, and from these forward forecasts the shares of
    the meta-learner, of equal weights and of the forecast that needs no member are learned, which
    sum to one: by least squares for returns, by likelihood for classes, by pinball loss for
    quantiles, the first two drawn to equal weights. Where the rows are too few to judge it, members
    weigh alike. With `folds` of 0 it
    forecasts alone, unjudged.

    Stacked generalisation: Wolpert (1992). Shares by forward forecasts: van der Laan, Polley,
    Hubbard (2007); members chosen by purged forward rows: López de Prado (2018), chapter 7.

    >>> from barstack.testing import small_stacked
    >>> stacked = small_stacked("direction")
    >>> ensemble = Stack(meta="logistic")
    >>> learned = ensemble.fit(stacked)
    >>> learned.parts[0].fitted.columns
    ('0 p_up', '1 p_up', '2 p_up', '3 p_up')
    """

    exempt: ClassVar[dict[str, str]] = {
        "check_order_of_members": "Boosted trees draw columns by their place."
    }

    meta: AnyMeta | None = None  # ridge for returns, logistic for classes, trees for quantiles
    pass_through: bool = False
    regimes: bool = False
    folds: int = Field(3, ge=0, le=100)
    most: int = Field(100, ge=1, le=100_000)  # members that it looks at

    def model_post_init(self, context: Any) -> None:
        super().model_post_init(context)
        if self.meta is None:
            self.__dict__["packages"] = ("scikit-learn", "lightgbm")
            return
        if self.meta.lookback_bars > 1:
            name = self.meta.registered_as and self.meta.registered_as[1]
            raise ConfigError(
                f"Meta-learner {name} looks back {self.meta.lookback_bars} bars, and an ensemble "
                "is given the forecasts of one. Give it a lookback of 1, or choose another model."
            )
        tasks = tuple(task for task in self.meta.tasks if task in EVERY_TASK)
        self.__dict__.update(tasks=tasks, packages=self.meta.packages)

    @property
    def needs(self) -> tuple[str, ...]:
        return ("features",) * self.pass_through + ("regimes",) * self.regimes

    def model_for(self, task: Task) -> Model:
        """The meta-learner, by default one for the task."""
        return self.meta or MODELS.parse(_DEFAULTS.get(task, "logistic"))

    def fit(self, stacked: Stacked) -> StackLearned:
        parts = [self._fit_horizon(stacked, h) for h in range(len(stacked.target.horizons))]
        return StackLearned(len(stacked.members), tuple(parts))

    def predict(self, learned: StackLearned, stacked: Stacked) -> Floats:
        n_rows, n_members = stacked.forecasts.shape[:2]
        stacked.check_shape(learned.n_members, len(learned.parts))
        equal = np.full((len(learned.parts), n_members), 1.0 / n_members)
        mean = weighted_sum(equal, stacked.forecasts)
        combined = np.empty((n_rows, len(learned.parts), len(stacked.target.outputs)))
        for h, part in enumerate(learned.parts):
            own, alike = part.weights
            combined[:, h] = alike * mean[:, h] + (1.0 - own - alike) * part.constant
            if part.fitted is not None:
                horizon = (stacked.target.horizons[h],)
                if part.fitted.target != replace(stacked.target, horizons=horizon):
                    raise ArtifactError(
                        f"A meta-learner of {part.fitted.target} is to forecast "
                        f"{stacked.target.task} at {horizon[0]}: its files are not of one "
                        "training. Restore them from a copy, or run the study again."
                    )
                columns = self._columns(stacked, h, part.members)
                combined[:, h] += own * part.forecast(columns, stacked)
        return uncrossed(combined, stacked.target)

    def explain(self, learned: StackLearned, stacked: Stacked) -> dict[str, Array]:
        """(n_rows, n_horizons) shares of the meta-learner and of the members' mean."""
        weights = np.array([part.weights for part in learned.parts])
        each = np.broadcast_to(weights, (len(stacked), *weights.shape))
        return {"meta_share": each[:, :, 0].copy(), "mean_share": each[:, :, 1].copy()}

    def save(self, learned: StackLearned, folder: Path) -> None:
        parts = []
        for h, part in enumerate(learned.parts):
            if part.fitted is not None:
                part.fitted.save(folder / f"meta_{h}")
            own: dict[str, Any] = {
                name: getattr(part, name).tolist() for name in ("members", "weights", "constant")
            }
            parts.append(own | {"fitted": part.fitted is not None})
        content = {"n_members": learned.n_members, "parts": parts}
        (folder / _FILE).write_text(json.dumps(content))

    def load(self, folder: Path) -> StackLearned:
        file = folder / _FILE
        stored = _StoredStack.read(read_json(file), file)
        parts = []
        for h, part in enumerate(stored.parts):
            members, weights, constant = part.members, np.array(part.weights), part.constant
            rising = all(a < b for a, b in pairwise(members))
            require(file, rising and members[-1] < stored.n_members, "members are out of order")
            fitted = None
            if part.fitted:
                fitted = FittedModel.load(folder / f"meta_{h}")
                target = fitted.target
                same = fitted.model == self.model_for(target.task) and len(target.horizons) == 1
                require(file, same, "it holds a meta-learner of another kind")
                require(file, len(constant) == len(target.outputs), "constant is of another target")
                require_forecasts(file, np.array(constant), target)
                require(file, weights.sum() <= 1.0 + 1e-9, "shares add up to more than 1")
            parts.append(MetaLearner(fitted, np.array(members), weights, np.array(constant)))
        return StackLearned(stored.n_members, tuple(parts))

    def _fit_horizon(self, stacked: Stacked, h: int) -> MetaLearner:
        constant, weights = constant_forecast(stacked)[h], np.array([1.0, 0.0])
        if self.folds:
            weights = self._shares(stacked, h)
        if weights[0] < _LEAST_WEIGHT:
            return MetaLearner(None, self._chosen(stacked, h), weights * [0.0, 1.0], constant)
        members, fitted = self._trained(stacked, h, "final")
        return MetaLearner(fitted, members, weights, constant)

    def _shares(self, stacked: Stacked, h: int) -> Floats:
        """(2,) of the meta-learner and of the members' mean, from forward forecasts of both."""
        forecasts, rows = [], []
        for fold, (before, test) in enumerate(forward_folds(stacked, h, self.folds)):
            past, now = stacked.take(before), stacked.take(test)
            if not can_train(self.model_for(stacked.target.task), past, h):
                continue
            members, fitted = self._trained(past, h, fold)
            dataset, place = self._dataset(now, h, members)
            own = fitted.predict(dataset.features)[place, 0]
            constant = np.broadcast_to(constant_forecast(past)[h], own.shape)
            forecasts.append(np.stack([own, now.forecasts[:, :, h].mean(axis=1), constant], axis=1))
            rows.append(test)
        if not rows:
            return np.array([0.0, 1.0])
        judged = stacked.take(np.concatenate(rows))
        assert judged.y is not None  # in fitting
        each = np.concatenate(forecasts)
        return _shares_of(each, judged.y[:, h], judged.target, row_weights(judged))

    def _trained(self, stacked: Stacked, h: int, fold: object) -> tuple[Rows, FittedModel]:
        """Places of the members that a meta-learner looks at, and what it learned of all rows."""
        members = self._chosen(stacked, h)
        dataset, place = self._dataset(stacked, h, members)
        seed = derive_seed(stacked.seed, stacked.target.horizons[h], fold)
        return members, train(self.model_for(stacked.target.task), dataset, place, seed)

    def _chosen(self, stacked: Stacked, h: int) -> Rows:
        """(n,) places of the members of least loss, in their order."""
        if len(stacked.members) <= self.most:
            return np.arange(len(stacked.members))
        losses = mean_losses(stacked)[h]
        return np.sort(np.argsort(losses, kind="stable")[: self.most])

    def _dataset(self, stacked: Stacked, h: int, members: Rows) -> tuple[Dataset, Rows]:
        names = [f"{place} {output}" for place in members for output in stacked.target.outputs]
        for name in self.needs:
            names += [f"{name} {place}" for place in range(stacked.context[name].shape[1])]
        return meta_dataset(self._columns(stacked, h, members), tuple(names), stacked, h)

    def _columns(self, stacked: Stacked, h: int, members: Rows) -> Floats:
        """(n_rows, n_columns) forecasts member by member, then features, then regimes."""
        own = stacked.forecasts[:, members, h].reshape(len(stacked), -1)
        return np.hstack([own, *(stacked.context[name] for name in self.needs)])


def _shares_of(forecasts: Floats, y: Floats, target: Target, row_weight: Floats) -> Floats:
    """(2,) of the meta-learner and of the members' mean; the rest to one is the constant's.

    forecasts   (n_rows, 3, n_outputs) of meta-learner, mean and constant
    y           (n_rows,) labels
    row_weight  (n_rows,) how much each row counts, 1 on average
    """
    if target.levels:
        return quantile_pool(forecasts, y, target.levels, row_weight)[:2]
    if target.n_classes:
        chances = realised_chances(forecasts[:, :, None], y[:, None], target)
        return opinion_pool(chances[:, :, 0], row_weight, usual=1)[:2]
    if not forecasts.any():
        return np.array([0.0, 1.0])
    matrix, vector, prior = normal_equations(forecasts[:, :2, 0], y, _SPREAD, row_weight)
    matrix += prior * np.eye(2)
    vector += prior * np.array([0.0, 1.0])
    shares = least_quadratic(matrix, vector)
    if shares.sum() <= 1.0:
        return shares
    # Both together have one: the best place on the line between them.
    line = np.array([1.0, -1.0])
    own = float(line @ (vector - matrix[:, 1])) / float(line @ matrix @ line)
    own = min(max(own, 0.0), 1.0)
    return np.array([own, 1.0 - own])
