"""Models: the contract, the trainer, and one file for each model in a folder for each family."""

from ._folds import FoldTrainer, train_folds
from ._many import train_many
from ._model import MODELS, Model, register
from ._one_row import OneRow
from ._trainer import FittedModel, train

__all__ = [
    "MODELS",
    "FittedModel",
    "FoldTrainer",
    "Model",
    "OneRow",
    "register",
    "train",
    "train_folds",
    "train_many",
]
