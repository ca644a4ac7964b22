"""Models: the contract, the trainer, and one file for each model in a folder for each family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._folds import FoldTrainer, train_folds
from ._many import train_many
from ._model import MODELS, Carried, Model, register
from ._one_row import OneRow
from ._trainer import FittedModel, train
from ._update import update

if TYPE_CHECKING:
    from ._estimators import BarstackClassifier as BarstackClassifier
    from ._estimators import BarstackRegressor as BarstackRegressor

__all__ = [
    "MODELS",
    "Carried",
    "FittedModel",
    "FoldTrainer",
    "Model",
    "OneRow",
    "register",
    "train",
    "train_folds",
    "train_many",
    "update",
]


def __getattr__(name: str) -> Any:
    """The estimators for scikit-learn, whose import takes a second and is optional."""
    if name not in ("BarstackClassifier", "BarstackRegressor"):
        raise AttributeError(f"module 'barstack.models' has no attribute {name!r}")
    from ._scikit import scikit  # noqa: PLC0415

    scikit("base")
    from . import _estimators  # noqa: PLC0415

    return getattr(_estimators, name)
