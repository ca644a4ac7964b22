"""Where a model's settings may lie: the space that tuning searches unless a study says otherwise.

A space has for each setting a list of choices, or `{low: 1e-4, high: 1e-2, log: true}`: numbers
between two bounds. It leaves out what only costs time, such as more trees or epochs where a fit
stops early, and what is a choice of the study's author, such as a loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ._model import Model

SearchSpace = Mapping[str, Any]

_SHARE = {"low": 0.2, "high": 1.0}
_BOOSTED: SearchSpace = {
    "learning_rate": {"low": 0.01, "high": 0.2, "log": True},
    "depth": {"low": 2, "high": 8},
    "feature_share": _SHARE,
}
_FOREST: SearchSpace = {
    "depth": {"low": 3, "high": 14},
    "leaf_rows": {"low": 5, "high": 500, "log": True},
    "feature_share": {"low": 0.05, "high": 1.0},
}
_NEURAL: SearchSpace = {
    "learning_rate": {"low": 3e-4, "high": 1e-2, "log": True},
    "weight_decay": {"low": 1e-5, "high": 1e-1, "log": True},
    "dropout": {"low": 0.0, "high": 0.5},
    "batch": [32, 64, 128, 256],
}
# Four attentions side by side divide the width among them.
_WIDTH = {"low": 16, "high": 128, "step": 4}
_LAYERS = {"low": 1, "high": 3}
_RECURRENT = {"hidden": _WIDTH, "layers": _LAYERS}
_ATTENTION = {"width": _WIDTH, "layers": _LAYERS}
_CHANNELS = {"low": 16, "high": 96, "step": 8}

# By registered name; a name of a family stands for all its models that are not here.
_SPACES: Mapping[str, SearchSpace] = {
    "ridge": {"penalty": {"low": 1e-3, "high": 1e3, "log": True}},
    "elastic_net": {
        "penalty": {"low": 1e-4, "high": 1.0, "log": True},
        "l1_share": {"low": 0.0, "high": 1.0},
    },
    "logistic": {"penalty": {"low": 1e-4, "high": 1e2, "log": True}},
    "knn": {"neighbours": {"low": 10, "high": 1_000, "log": True}},
    "svm": {
        "cost": {"low": 1e-3, "high": 10.0, "log": True},
        "width": {"low": 0.01, "high": 1.0, "log": True},
        "gamma": {"low": 1e-4, "high": 1.0, "log": True},
    },
    "random_forest": {**_FOREST, "row_share": _SHARE},
    "extra_trees": _FOREST,
    "lightgbm": {**_BOOSTED, "leaf_rows": {"low": 5, "high": 500, "log": True}},
    "hist_gradient_boosting": {
        **_BOOSTED,
        "leaf_rows": {"low": 5, "high": 500, "log": True},
        "l2_penalty": {"low": 0.0, "high": 50.0},
    },
    "xgboost": {
        **_BOOSTED,
        "leaf_weight": {"low": 1.0, "high": 500.0, "log": True},
        "row_share": _SHARE,
    },
    "catboost": {**_BOOSTED, "l2_penalty": {"low": 0.1, "high": 100.0, "log": True}},
    "lstm": {**_NEURAL, **_RECURRENT},
    "gru": {**_NEURAL, **_RECURRENT},
    "attention_lstm": {**_NEURAL, **_RECURRENT},
    "multitask_lstm": {**_NEURAL, **_RECURRENT},
    "cnn_lstm": {**_NEURAL, **_RECURRENT, "channels": _CHANNELS},
    "mixture_of_experts": {**_NEURAL, **_RECURRENT, "experts": {"low": 2, "high": 4}},
    "tcn": {**_NEURAL, "channels": _CHANNELS},
    "transformer": {**_NEURAL, **_ATTENTION},
    "patchtst": {**_NEURAL, **_ATTENTION},
    "tft": {**_NEURAL, "width": _WIDTH},
    "neural": _NEURAL,
    "transfer": {"least_likeness": {"low": 0.0, "high": 0.9}},
    "reptile": {"outer_rate": {"low": 0.1, "high": 1.0}},
}


def search_space(model: Model) -> SearchSpace:
    """The space of a model's settings by their names; empty where nothing of it is to be tuned.

    A model of a plugin declares it as a class attribute `search`. Settings of a model within
    another are named `of.SETTING`.

    >>> from barstack.models import PerTicker, Ridge
    >>> search_space(Ridge())
    mappingproxy({'penalty': {'low': 0.001, 'high': 1000.0, 'log': True}})
    >>> list(search_space(PerTicker(of="ridge")))
    ['of.penalty']
    """
    name = model.registered_as[1] if model.registered_as else ""
    own = type(model).search or _SPACES.get(name) or _SPACES.get(type(model).family) or {}
    within = getattr(model, "of", None)
    if isinstance(within, Model):
        inner = search_space(within)
        own = {**{f"of.{setting}": values for setting, values in inner.items()}, **own}
    return MappingProxyType(dict(own))
