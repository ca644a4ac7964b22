"""Boosters as plain arrays: what each library says of its own trees, read once after training.

Forecasts then need no library, and no parser of a library's format ever reads a stored file. Rows
are finite, so that what a library does with missing values does not matter.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from barstack.core.arrays import Array

from .._trees import Tree, Trees

_CATEGORY, _ZERO_IS_MISSING = 1, 4  # bits of LightGBM's decision_type


def from_lightgbm(booster: Any) -> Trees:
    """Of LightGBM's text, whose thresholds and leaves have all their digits."""
    head, *sections = booster.model_to_string().split("end of trees")[0].split("\nTree=")
    facts = _lines(head)
    width = int(facts["num_tree_per_iteration"])
    trees = [_of_text(_lines(each), at % width, width) for at, each in enumerate(sections)]
    return Trees.of(trees, np.zeros(width), int(facts["max_feature_idx"]) + 1)


def from_xgboost(booster: Any) -> Trees:
    """Of XGBoost's JSON; rows must be rounded to float32 before they are compared."""
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    facts, model = learner["learner_model_param"], learner["gradient_booster"]["model"]
    start = np.atleast_1d(np.array(json.loads(facts["base_score"]), float))
    if learner["objective"]["name"] == "binary:logistic":
        start = np.log(start / (1.0 - start))
    trees = []
    for tree, place in zip(model["trees"], model["tree_info"], strict=True):
        left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
        numbers = np.array(tree["split_conditions"], np.float32)
        value = np.zeros((len(left), len(start)))
        value[left < 0, place] = numbers[left < 0]
        # It goes left below the threshold, ours go left up to it: to the next smaller number.
        threshold = np.nextafter(numbers, np.float32(-np.inf)).astype(float)
        trees.append((left, right, np.array(tree["split_indices"]), threshold, value))
    return Trees.of(trees, start, int(facts["num_feature"]))


def from_catboost(booster: Any) -> Trees:
    """Of CatBoost's JSON; rows must be rounded to float32 before they are compared."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "booster.json"
        booster.save_model(str(file), format="json")
        model = json.loads(file.read_text())
    scale, bias = model["scale_and_bias"]
    start = np.array(bias, float)
    trees = [_symmetric(each, scale, len(start)) for each in model["oblivious_trees"]]
    return Trees.of(trees, start, len(model["features_info"]["float_features"]))


def _lines(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines())
    return {name: value for name, _, value in pairs}


def _of_text(facts: dict[str, str], place: int, width: int) -> Tree:
    """Inner nodes as they are numbered, then leaves, which LightGBM counts as -1, -2 ..."""

    def numbers(name: str, dtype: type = np.int64) -> Array:
        return np.array(facts.get(name, "").split(), dtype)

    leaves, n_inner = numbers("leaf_value", float), int(facts["num_leaves"]) - 1
    kinds = numbers("decision_type")
    if (kinds & (_CATEGORY | _ZERO_IS_MISSING)).any() or facts["is_linear"] != "0":
        raise ValueError("LightGBM grew trees on categories, missing zeros or linear leaves")
    ends = np.full(len(leaves), -1)
    left, right = (
        np.concatenate([np.where(child < 0, n_inner - 1 - child, child), ends])
        for child in (numbers("left_child"), numbers("right_child"))
    )
    value = np.zeros((n_inner + len(leaves), width))
    value[n_inner:, place] = leaves
    threshold = np.concatenate([numbers("threshold", float), np.zeros(len(leaves))])
    feature = np.concatenate([numbers("split_feature"), np.zeros_like(ends)])
    return left, right, feature, threshold, value


def _symmetric(tree: dict[str, Any], scale: float, width: int) -> Tree:
    """One question a level; the last of CatBoost's is the highest bit of a leaf's number."""
    asked = (tree["splits"] or [])[::-1]  # none where no split helped
    n_inner = 2 ** len(asked) - 1
    level = np.repeat(np.arange(len(asked)), 2 ** np.arange(len(asked)))
    feature, threshold = np.zeros((2, 2 * n_inner + 1))
    feature[:n_inner] = np.array([each["float_feature_index"] for each in asked])[level]
    threshold[:n_inner] = np.array([each["border"] for each in asked], float)[level]
    node = np.arange(2 * n_inner + 1)
    left = np.where(node < n_inner, 2 * node + 1, -1)
    right = np.where(node < n_inner, 2 * node + 2, -1)
    value = np.zeros((len(node), width))
    value[n_inner:] = scale * np.array(tree["leaf_values"], float).reshape(-1, width)
    return left, right, feature, threshold, value
