"""Figures of classes against scikit-learn's, over any counts."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score

from barstack.core.forecast import Target, signal_of
from barstack.evaluation import _metrics as metrics


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("seed", range(20))
def test_figures_are_those_of_scikit_learn(n_classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    realised = rng.integers(0, n_classes, 60)
    predicted = rng.integers(
        0, rng.integers(1, n_classes + 1), 60
    )  # some classes are never forecast
    matrix = metrics.confusion_matrix(realised, predicted, n_classes)
    np.testing.assert_array_equal(
        matrix, confusion_matrix(realised, predicted, labels=list(range(n_classes)))
    )
    assert metrics.accuracy(matrix) == pytest.approx(accuracy_score(realised, predicted))
    assert metrics.balanced_accuracy(matrix) == pytest.approx(
        balanced_accuracy_score(realised, predicted)
    )
    assert metrics.macro_f1(matrix) == pytest.approx(f1_score(realised, predicted, average="macro"))


def test_the_side_of_three_classes_is_the_likeliest() -> None:
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], 500)[:, None, :]
    target = Target("three_class", ("1h",))
    signal = signal_of(shares, target)[:, 0]
    np.testing.assert_array_equal(metrics.class_of(signal, target), shares[:, 0].argmax(axis=1))
