"""Trees as plain arrays, and the loop that walks down them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from ._arrays import read_arrays, require, write_arrays
from ._horizons import check_width
from ._model import Values

Numbers = npt.NDArray[np.int32]


class Trees(NamedTuple):
    """Many trees, their nodes one after the other; a node lies before its children.

    first      (n_trees + 1,) the root of each tree, then the number of all nodes
    left       (n_nodes,) where to go if the feature is at most the threshold, -1 at a leaf
    right      (n_nodes,) where to go if it is above, -1 at a leaf
    feature    (n_nodes,) which is compared, 0 at a leaf
    threshold  (n_nodes,) with what, 0 at a leaf
    value      (n_nodes, n_outputs) what a leaf adds
    start      (n_outputs,) what the sum begins with
    n_features (1,)
    """

    first: Numbers
    left: Numbers
    right: Numbers
    feature: Numbers
    threshold: Values
    value: Values
    start: Values
    n_features: Numbers

    @classmethod
    def of(cls, trees: list[Tree], start: Values, n_features: int) -> Trees:
        """Several trees as one; of none, what the sum begins with."""
        empty: Tree = (
            *(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.int32)),
            *(np.empty(0), np.empty((0, len(start)))),
        )
        first = np.cumsum([0, *(len(tree[0]) for tree in trees)]).astype(np.int32)
        left, right, feature, threshold, value = (
            np.concatenate(each) for each in zip(empty, *trees, strict=True)
        )
        root = np.repeat(first[:-1], np.diff(first))
        inner = left > 0  # a child is never the root; leaves have -1, or 0
        return cls(
            first,
            np.where(inner, left + root, -1).astype(np.int32),
            np.where(inner, right + root, -1).astype(np.int32),
            np.where(inner, feature, 0).astype(np.int32),
            np.where(inner, threshold, 0.0),
            value,
            start,
            np.array([n_features], np.int32),
        )

    def sums(self, X: Values) -> Values:
        """(n_rows, n_outputs) what the leaves add up to, tree by tree."""
        check_width(int(self.n_features[0]), X)
        out = np.tile(self.start, (len(X), 1))
        _add_leaves(np.ascontiguousarray(X), *self[:6], out)
        return out

    def save(self, file: Path) -> None:
        """Write as arrays."""
        write_arrays(file, **self._asdict())

    @classmethod
    def load(cls, file: Path, n_outputs: int) -> Trees:
        """Read what `save` wrote; every path is known to end at a leaf of its own tree."""
        read = cls(
            **read_arrays(
                file,
                first="int32 roots",
                left="int32 nodes",
                right="int32 nodes",
                feature="int32 nodes",
                threshold="float64 nodes",
                value=f"float64 nodes,{n_outputs}",
                start=f"float64 {n_outputs}",
                n_features="int32 1",
            )
        )
        first, n_nodes = read.first.astype(np.int64), len(read.left)
        roots_rise = len(first) > 0 and first[0] == 0 and first[-1] == n_nodes
        require(file, roots_rise and (np.diff(first) > 0).all(), "its trees are out of order")
        end = np.repeat(first[1:], np.diff(first))
        leaf = (read.left == -1) & (read.right == -1)
        for child in (read.left, read.right):
            inside = (child > np.arange(n_nodes)) & (child < end)
            require(file, (leaf | inside).all(), "a node leads out of its tree, or back")
        known = (read.feature >= 0) & (read.feature < read.n_features[0])
        require(file, (leaf | known).all(), "a node asks for a feature that there is not")
        return read


# Children (left and right, from the tree's root), feature, threshold, value (n_nodes, n_outputs).
Tree = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], Values, Values]


def _walk(
    X: Values,
    first: Numbers,
    left: Numbers,
    right: Numbers,
    feature: Numbers,
    threshold: Values,
    value: Values,
    out: Values,
) -> None:
    for row in range(X.shape[0]):
        for tree in range(len(first) - 1):
            node = first[tree]
            while left[node] >= 0:
                low = X[row, feature[node]] <= threshold[node]
                node = left[node] if low else right[node]
            for output in range(value.shape[1]):
                out[row, output] += value[node, output]


_add_leaves: Any = njit(cache=True)(_walk)
