"""Training, forecasting with and updating any model: general, above the families."""

from ._fitted import FittedModel
from ._folds import FoldTrainer, train_folds
from ._one_row import OneRow
from ._train import Prepared, prepare, train
from ._update import update

__all__ = [
    "FittedModel",
    "FoldTrainer",
    "OneRow",
    "Prepared",
    "prepare",
    "train",
    "train_folds",
    "update",
]
