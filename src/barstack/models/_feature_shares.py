"""How much of what a model learned is about each feature, where its form shows that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from barstack.core.arrays import Floats

from ._trees import Trees
from .classical._linear import LinearWeights
from .wrappers._by_ticker import Ticker, Tickers

if TYPE_CHECKING:
    from .training import FittedModel


def feature_shares(fitted: FittedModel) -> dict[str, float] | None:
    """By feature, its share of a linear model's absolute weights, or of the splits of trees.

    Features are scaled before they are weighted, so that weights compare. The mean over horizons
    and tickers, which adds up to one, or to zero where nothing depends on any feature. None for
    models of another form, such as networks. It says what a model looks at, and not whether that
    helps: such shares are of the training rows.

    After Breiman (2001) trees are often described by impurity; counts of splits need no rows, and
    like it favour features of many values.

    >>> from barstack.models import MODELS, train
    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("return")
    >>> fitted = train(MODELS.parse("ridge"), dataset, training_rows(dataset), seed=0)
    >>> shares = feature_shares(fitted)
    >>> max(shares, key=shares.get)  # the one that returns were made to depend on
    'body'
    """
    found = [_shares(part, len(fitted.columns)) for part in _parts(fitted.learned)]
    known = [each for each in found if each is not None]
    if not known:
        return None
    return dict(zip(fitted.columns, np.mean(known, axis=0).tolist(), strict=True))


def _parts(learned: Any) -> Iterator[LinearWeights | Trees]:
    """The linear weights and the trees in what a model learned."""
    if isinstance(learned, LinearWeights | Trees):
        yield learned
    elif isinstance(learned, Tickers):
        yield from _parts(list(learned.own.values()))
    elif isinstance(learned, Ticker):
        yield from _parts(learned.learned)
    elif isinstance(learned, list | tuple):
        for each in learned:
            yield from _parts(each)
    elif isinstance(getattr(learned, "trees", None), Trees):
        yield learned.trees


def _shares(part: LinearWeights | Trees, n_features: int) -> Floats | None:
    """(n_features,); None where another number of features was looked at."""
    if isinstance(part, LinearWeights):
        counts: Floats = np.abs(part.weights).sum(axis=1)
    else:
        counts = np.bincount(part.feature[part.left >= 0], minlength=n_features).astype(float)
    if len(counts) != n_features:
        return None
    total = counts.sum()
    return np.asarray(counts / total) if total else counts
