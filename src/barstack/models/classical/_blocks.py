"""Rows of many folds, cut where any fold's training begins or ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Bools, Rows


@dataclass(frozen=True, eq=False)
class Blocks:
    """Rows that are trained on by the very same folds, block after block.

    rows    (n,) every row that any fold trains on
    edges   (n_blocks + 1,) places in `rows` at which blocks begin, and the end of the last
    member  (n_folds, n_blocks) whether a fold trains on a block: on all of it, or on none
    """

    rows: Rows
    edges: Rows
    member: Bools

    @classmethod
    def cut(cls, folds: Sequence[Rows], n_rows: int, most: int) -> Blocks:
        """Blocks of at most `most` rows, of folds that hold rows of a table of `n_rows`.

        >>> blocks = Blocks.cut([np.array([0, 1, 2, 3]), np.array([2, 3, 5])], 6, 100)
        >>> sorted(part.tolist() for part in blocks.parts())
        [[0, 1], [2, 3], [5]]
        """
        changes, held = np.zeros(n_rows, bool), np.zeros(n_rows, bool)
        changes[:1] = True
        for rows in folds:
            held[:] = False
            held[rows] = True
            changes[1:] |= held[1:] != held[:-1]
        starts = np.flatnonzero(changes)
        runs = np.empty((len(folds), len(starts)), bool)
        for number, rows in enumerate(folds):
            held[:] = False
            held[rows] = True
            runs[number] = held[starts]
        # Stretches of several symbols, or beside several tests, may have the very same folds.
        packed, block_of = np.unique(np.packbits(runs, axis=0), axis=1, return_inverse=True)
        member: Bools = np.unpackbits(packed, axis=0, count=len(folds)).astype(bool)
        used = np.any(member, axis=0)
        own = np.repeat(block_of.ravel(), np.diff(starts, append=n_rows))
        sizes = np.bincount(own, minlength=member.shape[1])
        sizes[~used] = 0  # rows that no fold trains on
        in_order = np.argsort(own, kind="stable")
        rows = in_order[used[own[in_order]]]
        pieces = [range(0, size, most) for size in sizes]
        begins = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        edges = [int(b) + step for b, piece in zip(begins, pieces, strict=True) for step in piece]
        of_block = np.repeat(np.arange(len(sizes)), [len(piece) for piece in pieces])
        return cls(rows, np.array([*edges, len(rows)]), member[:, of_block])

    def __len__(self) -> int:
        return len(self.edges) - 1

    def parts(self) -> list[Rows]:
        """The rows of each block, in the table's order."""
        return np.split(self.rows, self.edges[1:-1])
