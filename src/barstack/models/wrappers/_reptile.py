"""The gradient steps of Reptile. Needs PyTorch."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from barstack.core.errors import DataError
from barstack.core.forecast import Target
from barstack.datasets import Samples

from ..neural._batches import Batch, Chunks, ScaledTable, Windows
from ..neural._learned import Epoch, Learned
from ..neural._losses import loss_for, starting_point
from ..neural._settings import NetworkSettings
from ..neural._training import NetworkTraining, device, one_thread, seeded
from ._by_ticker import TickerRows

_LOOKS = 5  # at the rows to stop by, on the way of one adaptation


def common_start(
    model: NetworkSettings,
    rows: Mapping[str, TickerRows],
    target: Target,
    seed: int,
    *,
    rounds: int,
    inner_steps: int,
    outer_rate: float,
) -> Learned:
    """The weights that each ticker is a few steps from; forecasts of nobody in particular."""
    random, where = np.random.default_rng(seed), device()
    with one_thread(), seeded(seed, where):
        first = next(iter(rows.values())).train
        network = model.network(first.n_features, len(target.columns)).to(where)
        loss = loss_for(model.loss, target)
        tickers = [
            (_endless(_batches(model, each.train), model.batch, random), each.train)
            for each in rows.values()
        ]
        network.train()
        for number in range(rounds):
            if number % len(tickers) == 0:
                order = random.permutation(len(tickers))
            batches, train = tickers[order[number % len(tickers)]]
            before = {name: value.clone() for name, value in network.state_dict().items()}
            # An optimiser of its own each round: moments of one ticker say nothing of the next.
            run = NetworkTraining(
                model, network, starting_point(train, target).to(where), loss, target
            )
            for _ in range(inner_steps):
                run.step(next(batches), model.learning_rate)
            share = outer_rate * (1.0 - number / rounds)
            network.load_state_dict(_between(before, network.state_dict(), share))
    mode = "dense" if model.dense else "windows"
    start = torch.zeros(len(target.columns))
    return Learned(network.cpu().eval(), start, first.n_features, mode, ())


def adapted(
    model: NetworkSettings, shared: Learned, rows: TickerRows, target: Target, seed: int, steps: int
) -> Learned:
    """A few steps on one ticker from the common start, the best of them by the rows to stop by."""
    assert rows.stop is not None  # networks stop early
    where = device()
    with one_thread(), seeded(seed, where):
        # Not a copy of the network: tensors left on it by the last step refuse to be copied.
        network = model.network(shared.n_features, len(target.columns)).to(where)
        network.load_state_dict(shared.network.state_dict())
        start = starting_point(rows.train, target).to(where)
        run = NetworkTraining(model, network, start, loss_for(model.loss, target), target)
        learning, stopping = _batches(model, rows.train), _batches(model, rows.stop)
        batches = _endless(learning, model.batch, np.random.default_rng(seed))
        every = math.ceil(steps / _LOOKS)
        curves, best = [_look(run, learning, stopping, 0, 0)], _copied(network)
        taken = 0
        while taken < steps:
            now = min(every, steps - taken)
            network.train()
            for _ in range(now):
                run.step(next(batches), model.learning_rate)
            taken += now
            curves.append(_look(run, learning, stopping, len(curves), now))
            if curves[-1].stop_loss <= min(each.stop_loss for each in curves):
                best = _copied(network)
    if not math.isfinite(min(each.stop_loss for each in curves)):
        raise DataError(
            f"Adaptation diverged: no loss was finite in {steps} steps at learning_rate "
            f"{model.learning_rate:g}. Lower it."
        )
    network.load_state_dict(best, assign=True)
    mode = "dense" if model.dense else "windows"
    return Learned(network.cpu().eval(), start.cpu(), shared.n_features, mode, tuple(curves))


def _look(
    run: NetworkTraining,
    learning: Chunks | Windows,
    stopping: Chunks | Windows,
    number: int,
    steps: int,
) -> Epoch:
    began = time.perf_counter()
    losses = run.mean_loss(learning), run.mean_loss(stopping)
    rate = run.model.learning_rate
    return Epoch(number, steps, *losses, rate, time.perf_counter() - began)


def _batches(model: NetworkSettings, samples: Samples) -> Chunks | Windows:
    kind, where = Chunks if model.dense else Windows, device()
    return kind(samples, ScaledTable(samples, where), model.lookback, where)


def _endless(batches: Chunks | Windows, size: int, random: np.random.Generator) -> Iterator[Batch]:
    while True:
        for _, batch in batches.shuffled(size, random):
            yield batch


def _between(one: dict[str, Tensor], other: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    return {name: torch.lerp(value, other[name], share) for name, value in one.items()}


def _copied(network: torch.nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(network.state_dict())
