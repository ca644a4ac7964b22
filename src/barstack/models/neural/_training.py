"""The training loop of all neural models, in named steps. Imported only once PyTorch is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from barstack.core.arrays import Floats
from barstack.core.errors import DataError
from barstack.core.forecast import Target
from barstack.datasets import Inputs, Samples

from ._batches import Batch, Chunks, ScaledTable, Windows
from ._checkpoint import STEPS_BEFORE_WAITING, Checkpoint, TrainingState, fingerprint
from ._learned import Epoch, Learned
from ._losses import loss_for, outputs, row_losses, starting_point
from ._settings import NetworkSettings

_PREDICT_ROWS = 2048
_LINE = 16  # numbers of float32 in a cache line


def parameter_count(model: NetworkSettings, n_features: int, n_outputs: int) -> int:
    """Numbers that training sets."""
    with torch.device("meta"):
        network = model.network(n_features, n_outputs)
    return sum(parameter.numel() for parameter in network.parameters())


def fit(
    model: NetworkSettings,
    train: Samples,
    stop: Samples,
    target: Target,
    seed: int,
    folder: Path | None,
    on_epoch: Callable[[Epoch], None] | None,
    begin: Learned | None = None,
) -> Learned:
    """The network of the epoch that did best on `stop`; it begins with the weights of another."""
    where = device()
    what = fingerprint([model.content(), target.columns], seed, train, stop) if folder else ""
    checkpoint = Checkpoint(folder, what)
    with one_thread(), seeded(seed, where):
        run = NetworkTraining.begin(model, train, target, where)
        if begin is not None:
            run.network.load_state_dict(begin.network.state_dict())
            run.start = begin.start.to(where)
        before = STEPS_BEFORE_WAITING["dense" if model.dense else "windows"]
        state = TrainingState(run.network, run.optimizer, np.random.default_rng(seed), before)
        checkpoint.read(state)
        kind = Chunks if model.dense else Windows
        learning, stopping = (
            kind(part, ScaledTable(part, where), model.lookback, where) for part in (train, stop)
        )
        while len(state.curves) < model.epochs and state.waited < model.patience:
            epoch = run.epoch(len(state.curves), learning, stopping, state.shuffle)
            state.record(epoch)
            checkpoint.write(state)
            if on_epoch:
                on_epoch(epoch)
    learned = learned_of(run, state, train.n_features)
    checkpoint.remove()
    return learned


def learned_of(run: NetworkTraining, record: TrainingState, n_features: int) -> Learned:
    """The network with its best weights; `DataError` when no epoch had a loss at all."""
    if not record.best:
        raise DataError(
            f"Training diverged: the loss was {record.curves[-1].stop_loss} after each of "
            f"{len(record.curves)} epoch(s) at learning_rate {run.model.learning_rate:g}. Lower "
            "it, or scale features so that none is huge."
        )
    run.network.load_state_dict(record.best, assign=True)  # on their own, not in one vector
    mode = "dense" if run.model.dense else "windows"
    network, start = run.network.cpu().eval(), run.start.cpu()
    return Learned(network, start, n_features, mode, tuple(record.curves))


class NetworkTraining:
    """A network on its way: one epoch, one step, one look at the rows to stop by."""

    @classmethod
    def begin(
        cls, model: NetworkSettings, train: Samples, target: Target, where: torch.device
    ) -> NetworkTraining:
        """An untrained network, drawn from PyTorch's generator, and the naive forecast."""
        loss = loss_for(model.loss, target)
        network = model.network(train.n_features, len(target.columns)).to(where)
        return cls(model, network, starting_point(train, target).to(where), loss, target)

    def __init__(
        self, model: NetworkSettings, network: nn.Module, start: Tensor, loss: str, target: Target
    ) -> None:
        self.model, self.network, self.start = model, network, start
        self.loss, self.target = loss, target
        on_cpu = start.device.type == "cpu"
        self.learned = [in_one_vector(network)] if on_cpu else list(network.parameters())
        self.optimizer = torch.optim.AdamW(
            self.learned, model.learning_rate, weight_decay=model.weight_decay, fused=True
        )

    def epoch(
        self,
        number: int,
        learning: Chunks | Windows,
        stopping: Chunks | Windows,
        shuffle: np.random.Generator,
    ) -> Epoch:
        """One pass over the rows to learn from, then a look at those to stop by."""
        began = time.perf_counter()
        self.network.train()
        total, weight, rate = torch.zeros(()), torch.zeros(()), self.model.learning_rate
        steps = 0
        for share, batch in learning.shuffled(self.model.batch, shuffle):
            rate = learning_rate(self.model, (number + share) / self.model.epochs)
            total, weight = total + self.step(batch, rate), weight + batch.weight.sum().cpu()
            steps += 1
        train_loss = float(total / weight)
        stop_loss = self.mean_loss(stopping)
        return Epoch(number, steps, train_loss, stop_loss, rate, time.perf_counter() - began)

    def step(self, batch: Batch, rate: float) -> Tensor:
        """Learn from one batch; its loss, summed over rows by weight."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=False)
        loss = self.weighed(batch)
        (loss / batch.rows + self._side_loss()).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.learned, self.model.clip_norm)
        self.optimizer.step()
        return loss.detach().cpu()

    def mean_loss(self, samples: Chunks | Windows) -> float:
        """On average over rows by weight, with nothing dropped out."""
        self.network.eval()
        total, weight = 0.0, 0.0
        with torch.inference_mode():
            for batch in samples.in_order():
                total += float(self.weighed(batch))
                weight += float(batch.weight.sum())
        return total / weight if weight else math.nan

    def weighed(self, batch: Batch) -> Tensor:
        """Each row's loss over all horizons times its weight, summed."""
        bars, keep = batch.bars, batch.y.shape[1]
        narrow = self.model.precision == "bfloat16"
        with torch.autocast(bars.device.type, torch.bfloat16, enabled=narrow):
            raw = self.network(bars, keep) if self.model.causal else self.network(bars)
        raw = raw.float().reshape(len(bars) * keep, -1) + self.start
        y = batch.y.reshape(len(raw), -1)
        return (row_losses(raw, y, self.loss, self.target) * batch.weight.reshape(-1)).sum()

    def _side_loss(self) -> Tensor | float:
        """What a network asks of itself beside the forecast, such as to rebuild its inputs."""
        side = getattr(self.network, "side_loss", None)
        return 0.0 if side is None else side


def in_one_vector(network: nn.Module) -> nn.Parameter:
    """A network's parameters moved into one vector, and their gradients into another.

    A step of the optimizer is then one call for all of them, where a call for each takes longer
    than the arithmetic. Each begins at a cache line, as it would by itself.
    """
    own = list(network.parameters())
    room = [-(-each.numel() // _LINE) * _LINE for each in own]
    whole = nn.Parameter(own[0].new_zeros(sum(room)))
    whole.grad = torch.zeros_like(whole)
    parts = torch.split(whole.data, room), torch.split(whole.grad, room)
    for each, values, gradient in zip(own, *parts, strict=True):
        within = slice(each.numel())
        values[within] = each.data.flatten()
        each.data, each.grad = values[within].view_as(each), gradient[within].view_as(each)
    return whole


def learning_rate(model: NetworkSettings, progress: float) -> float:
    """The rate at a share of all epochs.

    >>> from barstack.models import MODELS
    >>> model = MODELS.parse({"model": "mlp", "learning_rate": 1.0, "schedule": "one_cycle"})
    >>> [round(learning_rate(model, at), 3) for at in (0.0, 0.15, 0.3, 0.65, 1.0)]
    [0.04, 0.52, 1.0, 0.505, 0.01]
    """
    top = model.learning_rate
    if model.schedule == "constant":
        return top
    if model.schedule == "one_cycle" and progress < 0.3:  # Smith (2018): up, then down
        return top * (0.04 + 0.96 * progress / 0.3)
    fallen = progress if model.schedule == "cosine" else (progress - 0.3) / 0.7
    return top * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * fallen)))


def predict(model: NetworkSettings, learned: Learned, inputs: Inputs, target: Target) -> Floats:
    """(n_rows, n_horizons, n_outputs): returns in training deviations, or probabilities."""
    found = np.empty((len(inputs), len(target.horizons), len(target.outputs)))
    with torch.inference_mode(), one_thread():
        for start in range(0, len(inputs), _PREDICT_ROWS):
            places = slice(start, start + _PREDICT_ROWS)
            windows = torch.from_numpy(inputs.windows(model.lookback, places))
            found[places] = outputs(learned.raw(windows), target).numpy()
    return found


def device() -> torch.device:
    """Where networks are trained: on a GPU when there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def one_thread() -> Iterator[None]:
    """Small nets run faster on one thread, and repeat."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def seeded(seed: int, where: torch.device) -> Iterator[None]:
    """A stretch in which PyTorch draws from a seed; the caller's random state is left alone."""
    devices = [torch.cuda.current_device()] if where.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
