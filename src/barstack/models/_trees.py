"""Trees as plain arrays, and the loop that walks down them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from barstack.core.arrays import Array, Floats, Ints

from ._arrays import check_width, read_arrays, require, write_arrays

Numbers = npt.NDArray[np.int32]

_ABREAST = 4  # trees walked down together
_DEEPEST = 64  # of any tree that is read; a walk takes as many steps


@dataclass(frozen=True, eq=False)
class Trees:
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

    arrays: ClassVar[dict[str, str]] = {
        "first": "int32 roots",
        "left": "int32 nodes",
        "right": "int32 nodes",
        "feature": "int32 nodes",
        "threshold": "float64 nodes",
        "value": "float64 nodes,outputs",
        "start": "float64 outputs",
        "n_features": "int32 1",
    }

    first: Numbers
    left: Numbers
    right: Numbers
    feature: Numbers
    threshold: Floats
    value: Floats
    start: Floats
    n_features: Numbers

    @classmethod
    def of(cls, trees: list[Tree], start: Floats, n_features: int) -> Trees:
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

    @classmethod
    def abreast(cls, parts: list[Trees]) -> Trees:
        """Several as one, with the outputs of one beside those of the next."""
        if len(parts) == 1:
            return parts[0]
        outputs = np.cumsum([0, *(len(each.start) for each in parts)])
        offsets = np.cumsum([0, *(len(each.left) for each in parts)])
        value = np.zeros((offsets[-1], outputs[-1]))
        for place, each in enumerate(parts):
            own = slice(*offsets[place : place + 2]), slice(*outputs[place : place + 2])
            value[own] = each.value
        moved = [
            [np.where(child < 0, child, child + offset) for child in (each.left, each.right)]
            for each, offset in zip(parts, offsets, strict=False)
        ]
        left, right = (np.concatenate(each).astype(np.int32) for each in zip(*moved, strict=True))
        roots = [each.first[:-1] + offset for each, offset in zip(parts, offsets, strict=False)]
        return cls(
            np.concatenate([*roots, offsets[-1:]]).astype(np.int32),
            left,
            right,
            np.concatenate([each.feature for each in parts]),
            np.concatenate([each.threshold for each in parts]),
            value,
            np.concatenate([each.start for each in parts]),
            parts[0].n_features,
        )

    def sums(self, X: Floats) -> Floats:
        """(n_rows, n_outputs) what the leaves add up to, tree by tree."""
        check_width(int(self.n_features[0]), X)
        out = np.empty((len(X), len(self.start)))
        _add_leaves(np.ascontiguousarray(X), *self._walk, out)
        return out

    def save(self, file: Path) -> None:
        """Write as arrays."""
        write_arrays(file, **{name: getattr(self, name) for name in self.arrays})

    @classmethod
    def load(cls, file: Path, n_outputs: int) -> Trees:
        """Read what `save` wrote, once it is known to be trees."""
        own = {name: kind.replace("outputs", str(n_outputs)) for name, kind in cls.arrays.items()}
        return cls(**read_arrays(file, **own)).checked(file)

    def checked(self, file: Path) -> Trees:
        """These trees; `ArtifactError` unless every path ends soon at a leaf of its own tree."""
        first, n_nodes = self.first.astype(np.int64), len(self.left)
        roots_rise = len(first) > 0 and first[0] == 0 and first[-1] == n_nodes
        require(file, roots_rise and (np.diff(first) > 0).all(), "its trees are out of order")
        end = np.repeat(first[1:], np.diff(first))
        leaf = (self.left == -1) & (self.right == -1)
        for child in (self.left, self.right):
            inside = (child > np.arange(n_nodes)) & (child < end)
            require(file, (leaf | inside).all(), "a node leads out of its tree, or back")
        reached = np.sort(np.concatenate([first[:-1], self.left[~leaf], self.right[~leaf]]))
        once = np.array_equal(reached, np.arange(n_nodes))
        require(file, once, "a node is reached on several ways, or on none")
        known = (self.feature >= 0) & (self.feature < self.n_features[0])
        require(file, (leaf | known).all(), "a node asks for a feature that there is not")
        deepest = _depths(first, self.left, self.right).max(initial=0)
        require(file, deepest <= _DEEPEST, f"a tree is more than {_DEEPEST} nodes deep")
        return self

    @cached_property
    def _walk(self) -> _Walk:
        """The same trees in the order that is quickest to walk."""
        first, sizes = self.first[:-1].astype(np.int64), np.diff(self.first)
        inner = np.flatnonzero(self.left >= 0)
        # The children of a tree's inner nodes, two by two in the order of these.
        tree = np.repeat(np.arange(len(first)), sizes)[inner]
        rank = np.arange(len(inner)) - np.searchsorted(inner, first)[tree]
        down = first[tree] + 1 + 2 * rank
        place = np.empty(len(self.left), np.int64)
        place[first] = first
        place[self.left[inner]], place[self.right[inner]] = down, down + 1
        # Single leaves that add nothing make the number of trees even.
        n_nodes, spare = len(self.left), -len(first) % _ABREAST
        nodes = np.zeros(n_nodes + spare, _NODE)
        nodes["left"], nodes["threshold"] = np.arange(n_nodes + spare), np.inf
        at = place[inner]
        nodes["left"][at], nodes["feature"][at] = down, self.feature[inner]
        nodes["threshold"][at] = self.threshold[inner]
        value = np.zeros((n_nodes + spare, len(self.start)))
        value[place] = np.where(self.left[:, None] < 0, self.value, 0.0)
        roots = np.concatenate([first, n_nodes + np.arange(spare)])
        steps = np.zeros(len(roots), np.int64)
        if len(first):
            steps[: len(first)] = np.maximum.reduceat(
                _depths(self.first, self.left, self.right), first
            )
        return _Walk(roots, steps.reshape(-1, _ABREAST).max(axis=1), nodes, value, self.start)


class _Walk(NamedTuple):
    """A leaf leads to itself, and right lies behind left: a step needs no branch.

    root   (n_trees,) a multiple of four
    steps  (n_trees / 4,) down the deepest of each four
    nodes  (n_nodes,) threshold, feature, and left
    value  (n_nodes, n_outputs)
    start  (n_outputs,)
    """

    root: Ints
    steps: Ints
    nodes: Array
    value: Floats
    start: Floats


_NODE = np.dtype([("threshold", "f8"), ("feature", "i4"), ("left", "i4")], align=True)

# Children (left and right, from the tree's root), feature, threshold, value (n_nodes, n_outputs).
Tree = tuple[Array, Array, Array, Floats, Floats]


# Four trees side by side: while a processor waits for a node of one it reads those of the others,
# and as no step is a guess none is taken back. Three times as fast as one tree after the other.
def _walked(
    X: Floats,
    root: Ints,
    steps: Ints,
    nodes: Array,
    value: Floats,
    start: Floats,
    out: Floats,
) -> None:
    for row in range(X.shape[0]):
        x = X[row]
        for output in range(len(start)):
            out[row, output] = start[output]
        for four in range(len(steps)):
            a, b, c, d = root[4 * four], root[4 * four + 1], root[4 * four + 2], root[4 * four + 3]
            for _ in range(steps[four]):
                a = nodes[a].left + (x[nodes[a].feature] > nodes[a].threshold)
                b = nodes[b].left + (x[nodes[b].feature] > nodes[b].threshold)
                c = nodes[c].left + (x[nodes[c].feature] > nodes[c].threshold)
                d = nodes[d].left + (x[nodes[d].feature] > nodes[d].threshold)
            for output in range(len(start)):
                total = out[row, output] + value[a, output] + value[b, output]
                out[row, output] = total + value[c, output] + value[d, output]


_add_leaves: Any = njit(cache=True)(_walked)


def _depths(first: Array, left: Numbers, right: Numbers) -> Ints:
    """(n_nodes,) steps from the root, counted up to one more than the deepest allowed.

    In numpy: what is compiled would open the compiler's own pickled cache while files are read.
    """
    depth = np.zeros(len(left), np.int64)
    nodes = first[:-1]
    for level in range(1, _DEEPEST + 2):
        inner = nodes[left[nodes] >= 0]
        nodes = np.concatenate([left[inner], right[inner]])
        if not len(nodes):
            break
        depth[nodes] = level
    return depth
