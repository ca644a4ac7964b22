"""Models: the contract, training, and the registered models, each importable by its name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._model import MODELS, Carried, FoldFits, Model, register
from ._search import search_space
from .training import FittedModel, FoldTrainer, OneRow, train, train_folds, update

if TYPE_CHECKING:
    from ._estimators import BarstackClassifier, BarstackRegressor
    from ._feature_shares import feature_shares
    from .boosting.catboost import CatBoost
    from .boosting.hist_gradient_boosting import HistGradientBoosting
    from .boosting.lightgbm import LightGBM
    from .boosting.xgboost import XGBoost
    from .classical.elastic_net import ElasticNet
    from .classical.forests import ExtraTrees, RandomForest
    from .classical.knn import KNN
    from .classical.logistic import Logistic
    from .classical.naive import NaiveMean, NaiveSign, NaiveZero
    from .classical.ridge import Ridge
    from .classical.sklearn import ScikitLearn
    from .classical.svm import SVM
    from .neural.attention import TFT, PatchTST, Transformer
    from .neural.convolutional import TCN, Hierarchical
    from .neural.feedforward import MLP, AutoencoderMLP, DLinear, NHiTS
    from .neural.recurrent import (
        CNNLSTM,
        GRU,
        LSTM,
        AttentionLSTM,
        MixtureOfExperts,
        MultitaskLSTM,
    )
    from .pretrained.timesfm import TimesFM
    from .regimes import DetectedRegimes, RegimeDetector, detect_regime
    from .regimes.hmm import RegimeHMM
    from .regimes.jump import RegimeJump
    from .regimes.rules import RegimeRules
    from .wrappers.per_ticker import PerTicker
    from .wrappers.reptile import Reptile
    from .wrappers.transfer import Transfer

# Imported on first use: a study pays for the families that it names.
_LAZY = {
    "_estimators": ("BarstackClassifier", "BarstackRegressor"),
    "_feature_shares": ("feature_shares",),
    "boosting.catboost": ("CatBoost",),
    "boosting.hist_gradient_boosting": ("HistGradientBoosting",),
    "boosting.lightgbm": ("LightGBM",),
    "boosting.xgboost": ("XGBoost",),
    "classical.elastic_net": ("ElasticNet",),
    "classical.forests": ("ExtraTrees", "RandomForest"),
    "classical.knn": ("KNN",),
    "classical.logistic": ("Logistic",),
    "classical.naive": ("NaiveMean", "NaiveSign", "NaiveZero"),
    "classical.ridge": ("Ridge",),
    "classical.sklearn": ("ScikitLearn",),
    "classical.svm": ("SVM",),
    "neural.attention": ("PatchTST", "TFT", "Transformer"),
    "neural.convolutional": ("Hierarchical", "TCN"),
    "neural.feedforward": ("AutoencoderMLP", "DLinear", "MLP", "NHiTS"),
    "neural.recurrent": (
        *("AttentionLSTM", "CNNLSTM", "GRU", "LSTM", "MixtureOfExperts", "MultitaskLSTM"),
    ),
    "pretrained.timesfm": ("TimesFM",),
    "regimes": ("DetectedRegimes", "RegimeDetector", "detect_regime"),
    "regimes.hmm": ("RegimeHMM",),
    "regimes.jump": ("RegimeJump",),
    "regimes.rules": ("RegimeRules",),
    "wrappers.per_ticker": ("PerTicker",),
    "wrappers.reptile": ("Reptile",),
    "wrappers.transfer": ("Transfer",),
}
_MODULE_OF = {name: module for module, names in _LAZY.items() for name in names}

__all__ = [
    "CNNLSTM",
    "GRU",
    "KNN",
    "LSTM",
    "MLP",
    "MODELS",
    "SVM",
    "TCN",
    "TFT",
    "AttentionLSTM",
    "AutoencoderMLP",
    "BarstackClassifier",
    "BarstackRegressor",
    "Carried",
    "CatBoost",
    "DLinear",
    "DetectedRegimes",
    "ElasticNet",
    "ExtraTrees",
    "FittedModel",
    "FoldFits",
    "FoldTrainer",
    "Hierarchical",
    "HistGradientBoosting",
    "LightGBM",
    "Logistic",
    "MixtureOfExperts",
    "Model",
    "MultitaskLSTM",
    "NHiTS",
    "NaiveMean",
    "NaiveSign",
    "NaiveZero",
    "OneRow",
    "PatchTST",
    "PerTicker",
    "RandomForest",
    "RegimeDetector",
    "RegimeHMM",
    "RegimeJump",
    "RegimeRules",
    "Reptile",
    "Ridge",
    "ScikitLearn",
    "TimesFM",
    "Transfer",
    "Transformer",
    "XGBoost",
    "detect_regime",
    "feature_shares",
    "register",
    "search_space",
    "train",
    "train_folds",
    "update",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'barstack.models' has no attribute {name!r}")
    if module == "_estimators":
        from ._libraries import scikit  # noqa: PLC0415

        scikit("base")
    return getattr(import_module(f".{module}", __name__), name)
