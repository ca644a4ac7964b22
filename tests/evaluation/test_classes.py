"""Figures of classes against scikit-learn's, over any counts."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score

from barstack.core.forecast import Target, signal_of
from barstack.evaluation import _classes as classes


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("seed", range(20))
def test_figures_are_those_of_scikit_learn(n_classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    came = rng.integers(0, n_classes, 60)
    said = rng.integers(0, rng.integers(1, n_classes + 1), 60)  # some classes are never forecast
    matrix = classes.counts(came, said, n_classes)
    np.testing.assert_array_equal(
        matrix, confusion_matrix(came, said, labels=list(range(n_classes)))
    )
    assert classes.accuracy(matrix) == pytest.approx(accuracy_score(came, said))
    assert classes.balanced_accuracy(matrix) == pytest.approx(balanced_accuracy_score(came, said))
    assert classes.macro_f1(matrix) == pytest.approx(f1_score(came, said, average="macro"))


def test_the_side_of_three_classes_is_the_likeliest() -> None:
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], 500)[:, None, :]
    target = Target("three_class", ("1h",))
    signal = signal_of(shares, target)[:, 0]
    np.testing.assert_array_equal(classes.class_of(signal, target), shares[:, 0].argmax(axis=1))
