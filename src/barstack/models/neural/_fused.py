"""Training networks of one shape as one: their numbers stacked, everything else each member's own.

A step of small networks is mostly calls that do little. Stacked, one call does the work of all:
a member still draws its own batches, dropout and noise, has its own rate, clipping, AdamW and
early stopping, and leaves the stack when it is done. It learns what it would have learned alone,
up to the order in which numbers are summed.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from barstack.core.errors import DataError
from barstack.core.forecast import Target
from barstack.datasets import Samples

from . import _training
from ._batches import Bars, Batch, Chunks, Windows
from ._checkpoint import Record
from ._learned import Epoch, Learned
from ._losses import row_losses
from ._random import Chance, drawing_from
from ._training import Run, learned_of, learning_rate

if TYPE_CHECKING:
    from ._neural import Neural

_PROBED = 12  # steps, of which the quickest counts: others may use the machine too


@dataclass(eq=False)
class Member:
    """One network of a stack and all that is its own."""

    run: Run
    record: Record
    shuffle: np.random.Generator
    generator: torch.Generator  # of dropout and noise
    parameters: list[Tensor] = field(default_factory=list)  # of its network, within a stack
    moments: tuple[list[Tensor], ...] = ()  # of AdamW: means, squares, steps

    @property
    def done(self) -> bool:
        """Whether it has had all its epochs or its patience is over."""
        model, record = self.run.model, self.record
        return len(record.curves) >= model.epochs or record.waited >= model.patience

    def learn(self, gradients: list[Tensor], rate: float) -> None:
        """A step of its own AdamW, which changes its part of the stack."""
        own = self.parameters
        if not self.moments:
            zeros = [[torch.zeros_like(each) for each in own] for _ in range(2)]
            self.moments = (*zeros, [torch.zeros((), device=each.device) for each in own])
        means, squares, steps = self.moments
        usual = self.run.optimizer.defaults
        adamw(
            own, gradients, means, squares, [], steps, fused=True, lr=rate,
            beta1=usual["betas"][0], beta2=usual["betas"][1], eps=usual["eps"],
            weight_decay=usual["weight_decay"], amsgrad=False, maximize=False,
        )  # fmt: skip


def fit_together(
    models: Sequence[Neural], train: Samples, stop: Samples, target: Target, seeds: Sequence[int]
) -> list[Learned | DataError]:
    """What each would have learned alone with its seed; an error for one that diverged."""
    device = _training.device()
    with _training.one_thread():
        members = _members(models, train, target, seeds, device)
        learning, stopping = (
            Windows(part, Bars(part, device), models[0].lookback, device) for part in (train, stop)
        )
        going = members
        while going := [member for member in going if not member.done]:
            # One that is done leaves: what is stacked anew takes the others from where they are.
            stack = Stack(going)
            while not any(member.done for member in going):
                for member, epoch in zip(going, stack.epoch(learning, stopping), strict=True):
                    member.record.look_back(epoch)
            stack.hand_back()
    found: list[Learned | DataError] = []
    for member in members:
        try:
            found.append(learned_of(member.run, member.record, train.n_features))
        except DataError as error:
            found.append(error)
    return found


def seconds_a_row(models: Sequence[Neural], train: Samples, target: Target) -> dict[str, float]:
    """What a row to learn from takes one model by itself, and, of several, one in their stack."""
    device, model = _training.device(), models[0]
    with _training.one_thread():
        (one,) = _members(models[:1], train, target, [0], device)
        bars = Bars(train, device)
        kind = (Chunks if model.dense else Windows)(train, bars, model.lookback, device)
        batches = islice(kind.shuffled(model.batch, one.shuffle), _PROBED)
        found = {"alone_s": _quickest(lambda own: one.run.step(own, model.learning_rate), batches)}
        if len(models) > 1 and isinstance(kind, Windows):
            stack = Stack(_members(models, train, target, range(len(models)), device))
            rates = [model.learning_rate for model in models]
            batches = islice(kind.shuffled_each(model.batch, stack.shuffles), _PROBED)
            together = _quickest(lambda own: stack.step(own, rates), batches)
            found["fused_s"] = together / len(models)
    return found


class Stack:
    """Some members, their parameters and moments stacked in front: (members, ...)."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members
        self.model = members[0].run.model  # speaks for all in what they share
        self.shuffles = [member.shuffle for member in members]
        self._generators = [member.generator for member in members]
        networks = [member.run.network for member in members]
        self._network = copy.deepcopy(networks[0])
        everyone = [self._network, *networks]
        for stacked, *parameters in zip(*(own.parameters() for own in everyone), strict=True):
            stacked.data = torch.stack([parameter.detach() for parameter in parameters])
            # A member's own network looks into the stack: its losses, its best weights and its
            # steps of AdamW are then those of a network by itself.
            for place, parameter in enumerate(parameters):
                parameter.data = stacked.data[place]
        for drawn, *chances in zip(*map(_chances, everyone), strict=True):
            drawn.sizes = [chance.sizes[0] for chance in chances]
        for member in members:
            member.parameters = [each.data for each in member.run.network.parameters()]

    def epoch(self, learning: Windows, stopping: Windows) -> list[Epoch]:
        """One pass of every member over the rows to learn from, then a look at those to stop by."""
        began = time.perf_counter()
        number, steps = len(self.members[0].record.curves), 0
        total = weight = torch.zeros(len(self.members))
        rates: list[float] = []
        for share, batch in learning.shuffled_each(self.model.batch, self.shuffles):
            rates = [
                learning_rate(member.run.model, (number + share) / member.run.model.epochs)
                for member in self.members
            ]
            total = total + self.step(batch, rates)
            weight = weight + batch.weight.sum(dim=(1, 2)).cpu()
            steps += 1
        train_losses = (total / weight).tolist()
        stop_losses = [member.run.mean_loss(stopping) for member in self.members]
        seconds = (time.perf_counter() - began) / len(self.members)
        return [
            Epoch(number, steps, *losses, seconds)
            for losses in zip(train_losses, stop_losses, rates, strict=True)
        ]

    def step(self, batch: Batch, rates: Sequence[float]) -> Tensor:
        """Each member learns from its batch; (members,) losses, summed over rows by weight."""
        self._network.zero_grad()
        loss = self._weighed(batch)
        side = getattr(self._network, "side_loss", None)
        (loss / batch.rows + (0.0 if side is None else side)).sum().backward()  # type: ignore[no-untyped-call]
        gradients = [each.grad for each in self._network.parameters() if each.grad is not None]
        _clip(gradients, [member.run.model.clip_norm for member in self.members])
        for place, (member, rate) in enumerate(zip(self.members, rates, strict=True)):
            member.learn([gradient[place] for gradient in gradients], rate)
        return loss.detach().cpu()

    def _weighed(self, batch: Batch) -> Tensor:
        """(members,) each row's loss over all horizons times its weight, summed."""
        bars, run = batch.bars, self.members[0].run
        narrow = self.model.precision == "bfloat16"
        self._network.train()
        with (
            drawing_from(self._generators),
            torch.autocast(bars.device.type, torch.bfloat16, enabled=narrow),
        ):
            raw = self._network(bars)
        raw = raw.float().flatten(0, 1) + run.start
        y = batch.y.reshape(len(raw), -1)
        each = row_losses(raw, y, run.loss, run.target) * batch.weight.reshape(-1)
        return each.reshape(len(self.members), -1).sum(dim=1)

    def hand_back(self) -> None:
        """Each member's network has its own numbers again."""
        for member in self.members:
            for parameter in member.run.network.parameters():
                parameter.data = parameter.data.clone()


def _members(
    models: Sequence[Neural],
    train: Samples,
    target: Target,
    seeds: Sequence[int],
    device: torch.device,
) -> list[Member]:
    """Each begins as it would alone: its weights, then its dropout, from one stream of its seed."""
    found = []
    for model, seed in zip(models, seeds, strict=True):
        with _training.seeded(seed, device):
            run = Run.begin(model, train, target, device)
            generator = torch.Generator(device)
            state = torch.cuda.get_rng_state() if device.type == "cuda" else torch.get_rng_state()
            generator.set_state(state)
        found.append(Member(run, Record(run.network), np.random.default_rng(seed), generator))
    return found


def _chances(network: nn.Module) -> list[Chance]:
    return [each for each in network.modules() if isinstance(each, Chance)]


def _clip(gradients: Sequence[Tensor], longest: Sequence[float]) -> None:
    """Shorten each member's gradient to its own longest, as `clip_grad_norm_` does for one."""
    norms = [torch.linalg.vector_norm(each.flatten(1), dim=1) for each in gradients]
    norm = torch.linalg.vector_norm(torch.stack(norms), dim=0)
    share = (torch.tensor(longest, device=norm.device) / (norm + 1e-6)).clamp(max=1.0)
    for each in gradients:
        each.mul_(share.reshape(-1, *[1] * (each.dim() - 1)))


def _quickest(step: Callable[[Batch], object], batches: Iterable[tuple[float, Batch]]) -> float:
    """Seconds a row of the quickest of a few steps: others waited for memory or for other work."""
    seconds = []
    for _, batch in batches:
        began = time.perf_counter()
        step(batch)
        seconds.append((time.perf_counter() - began) / batch.rows)
    return min(seconds)
