"""What a training step sees: exact windows, or chunks with a loss at every bar past the burn-in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from barstack.core.arrays import Rows
from barstack.datasets import Samples

# A table of at most so many values is kept scaled; of a larger one only what a step takes.
_KEPT_VALUES = 2**26
_SCALED_AT_ONCE = 2**22
_STEPS_AT_ONCE = 16

# Forecasts of neighbouring bars share their inputs and most of their labels' future: a chunk of
# them says about as much as this many windows from anywhere.
CHUNK_COUNTS = 16

# Labels of a chunk span so many lookbacks. Twice as long a chunk spends a quarter less on the bars
# to start from; still longer ones gain little, and leave a small set with few steps an epoch.
CHUNK_SPAN = 2


class Batch(NamedTuple):
    """Bars and the labels of their latest steps; `weight` is 0 where a step has no label to learn.

    bars    (batch, steps, n_features) scaled, oldest first
    y       (batch, keep, n_horizons)
    weight  (batch, keep)
    rows    how many of those labels are to be learned
    """

    bars: Tensor
    y: Tensor
    weight: Tensor
    rows: int


class ScaledTable:
    """The feature table of some samples, scaled as windows of it are."""

    def __init__(self, samples: Samples, device: torch.device) -> None:
        self._samples, self._device = samples, device
        self._kept: Tensor | None = None
        table = samples.table
        if table.size <= _KEPT_VALUES:
            kept = np.empty(table.shape, np.float32)
            size = max(1, _SCALED_AT_ONCE // max(table.shape[1], 1))
            for start in range(0, len(table), size):
                part = slice(start, start + size)
                kept[part] = samples.scaler.apply(table[part])
            self._kept = torch.from_numpy(kept).to(device)

    def take(self, rows: Rows) -> Tensor:
        """(batch, steps) rows of the table -> (batch, steps, n_features)."""
        if self._kept is not None:
            flat = torch.from_numpy(rows.ravel()).to(self._device)
            return self._kept.index_select(0, flat).reshape(*rows.shape, -1)
        table, scaler = self._samples.table, self._samples.scaler
        scaled = scaler.apply(table[rows.ravel()]).astype(np.float32)
        return torch.from_numpy(scaled).reshape(*rows.shape, -1).to(self._device)


class Windows:
    """One window of `lookback` bars for each label."""

    def __init__(
        self, samples: Samples, bars: ScaledTable, lookback: int, device: torch.device
    ) -> None:
        if (samples.history < lookback).any():
            samples.windows(lookback)  # says which row has too short a history
        self._bars, self._rows = bars, samples.rows
        self._steps = np.arange(1 - lookback, 1)
        self._y = torch.from_numpy(samples.y.astype(np.float32)).to(device)
        self._weight = torch.from_numpy(samples.weight.astype(np.float32)).to(device)

    def shuffled(self, batch: int, random: np.random.Generator) -> Iterator[tuple[float, Batch]]:
        """Batches of an epoch, each with the share of the epoch that lies before it."""
        return self._batches(random.permutation(len(self._rows)), batch)

    def shuffled_each(
        self, batch: int, randoms: Sequence[np.random.Generator]
    ) -> Iterator[tuple[float, Batch]]:
        """As `shuffled` for several members at once: (members, batch, ...), each in its order."""
        orders = [random.permutation(len(self._rows)) for random in randoms]
        return self._batches(np.stack(orders), batch)

    def in_order(self) -> Iterator[Batch]:
        """Batches of all windows as they come."""
        return (batch for _, batch in self._batches(np.arange(len(self._rows)), 1024))

    def _batches(self, order: Rows, batch: int) -> Iterator[tuple[float, Batch]]:
        rows = order.shape[-1]
        for start in range(0, rows, batch):
            places = order[..., start : start + batch]
            bars = self._bars.take(self._rows[places][..., None] + self._steps)
            where = torch.from_numpy(places).to(self._y.device)
            y, weight = self._y[where][..., None, :], self._weight[where][..., None]
            yield start / rows, Batch(bars, y, weight, places.shape[-1])


class Chunks:
    """Stretches of neighbouring rows with `lookback - 1` bars before each to start from.

    No chunk holds a row that is in no exact window of its labels, and so none of another symbol,
    from before a gap or of a fold's test: it starts where the window of its first label does, and
    no label is `lookback` rows or more after the one before it, so that its window begins no later
    than with that one's row and the windows together hold all rows between. Each label is in one
    chunk of an epoch; where chunks are cut is drawn anew each time.
    """

    def __init__(
        self, samples: Samples, bars: ScaledTable, lookback: int, device: torch.device
    ) -> None:
        if (samples.history < lookback).any():
            samples.windows(lookback)  # says which row has too short a history
        order = np.argsort(samples.rows, kind="stable")
        self.rows = samples.rows[order]
        self._bars, self._device = bars, device
        self.burn_in, self.length = lookback - 1, CHUNK_SPAN * lookback
        self._y = samples.y[order].astype(np.float32)
        self._weight = samples.weight[order].astype(np.float32)

    def shuffled(self, batch: int, random: np.random.Generator) -> Iterator[tuple[float, Batch]]:
        """Batches of an epoch, each with the share of the epoch that lies before it."""
        first = self.cut(int(random.integers(self.length)))
        order = random.permutation(len(first))
        size = max(1, round(batch / CHUNK_COUNTS))
        ends = np.append(first[1:], len(self.rows))
        # A single gathering serves many steps: by itself it takes as long as a layer.
        for begin in range(0, len(order), size * _STEPS_AT_ONCE):
            some = order[begin : begin + size * _STEPS_AT_ONCE]
            whole, counts = self._batch(first[some], ends[some]), (ends - first)[some]
            for start in range(0, len(some), size):
                part = slice(start, start + size)
                share, rows = (begin + start) / len(order), int(counts[part].sum())
                yield share, Batch(whole.bars[part], whole.y[part], whole.weight[part], rows)

    def in_order(self) -> Iterator[Batch]:
        """Batches of all chunks as they come."""
        first = self.cut(0)
        ends = np.append(first[1:], len(self.rows))
        for start in range(0, len(first), 32):
            yield self._batch(first[start : start + 32], ends[start : start + 32])

    def cut(self, shift: int) -> Rows:
        """(n_chunks,) place of each chunk's first label among all labels by row."""
        number = (self.rows + shift) // self.length
        far = np.diff(self.rows) > self.burn_in  # the windows share no row
        begins = np.append(True, far | (np.diff(number) != 0))
        return np.flatnonzero(begins)

    def reach(self, first: Rows, ends: Rows) -> Rows:
        """(n_chunks, steps) rows of the table that chunks read; past its end, its last again.

        A causal network sees what comes after a label only too late for it, so what stands there
        is of no consequence.
        """
        keep = int((self.rows[ends - 1] - self.rows[first]).max()) + 1
        steps = np.arange(-self.burn_in, keep)
        found: Rows = np.minimum(self.rows[first][:, None] + steps, self.rows[ends - 1][:, None])
        return found

    def _batch(self, first: Rows, ends: Rows) -> Batch:
        reach = self.reach(first, ends)
        keep = reach.shape[1] - self.burn_in
        counts = ends - first
        chunk = np.repeat(np.arange(len(first)), counts)
        places = np.concatenate([np.arange(*span) for span in zip(first, ends, strict=True)])
        slot = self.rows[places] - self.rows[first][chunk]
        y = np.zeros((len(first), keep, self._y.shape[1]), np.float32)
        weight: npt.NDArray[np.float32] = np.zeros((len(first), keep), np.float32)
        y[chunk, slot], weight[chunk, slot] = self._y[places], self._weight[places]
        return Batch(
            self._bars.take(reach),
            torch.from_numpy(y).to(self._device),
            torch.from_numpy(weight).to(self._device),
            len(places),
        )
