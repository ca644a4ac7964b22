"""Networks for ONNX Runtime: a tenth of PyTorch's time for one forecast at a time.

They are made anew from the weights in a few seconds each; nothing of them is stored.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from barstack.core.arrays import Floats
from barstack.core.errors import FaultError
from barstack.core.forecast import Target
from barstack.datasets import Inputs

from .._model import Carried
from .._outputs import LINKS
from ._learned import Learned
from ._settings import NetworkSettings


def compiled(
    model: NetworkSettings, learned: Learned, target: Target
) -> Callable[[Inputs], Floats]:
    """The network's forecast of one window: (1, n_horizons, n_outputs)."""
    window = torch.zeros(1, model.lookback, learned.n_features)
    session = _session(_graph(learned.network, (window,), type(model).__name__))
    (name,) = [each.name for each in session.get_inputs()]
    finish = _finish(learned, target)

    def forecast(inputs: Inputs) -> Floats:
        # The caller has checked that the window is whole; checking takes longer than scaling.
        window = inputs.scaler.windows(inputs.table, inputs.rows, model.lookback)
        return finish(session.run(None, {name: window})[0])

    return forecast


def carried(learned: Learned, target: Target) -> Callable[[], Carried]:
    """The causal network's step; what comes back makes a state for each stream."""
    network: Any = learned.network
    given = (torch.zeros(1, learned.n_features), *network.initial())
    session = _session(_graph(_Step(network).eval(), given, type(network).__name__))
    shapes = [tuple(each.shape) for each in given[1:]]
    finish = _finish(learned, target)
    return lambda: _Carried(session, learned.n_features, shapes, finish)


class _Step(nn.Module):
    """The network's `step` as a module's forward, which is what the exporter writes."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, bar: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        stepped: tuple[Tensor, ...] = self.network.step(bar, *state)
        return stepped


class _Carried:
    """Two sets of buffers take turns: a step reads the state in one and writes it into the other.

    Handing arrays in and out of each run instead costs a TCN, with eight of them, half its time.
    """

    def __init__(
        self,
        session: Any,
        n_features: int,
        shapes: list[tuple[int, ...]],
        finish: Callable[[Any], Floats],
    ) -> None:
        bar_name, *state_names = [each.name for each in session.get_inputs()]
        output_name, *later_names = [each.name for each in session.get_outputs()]
        self._session, self._finish = session, finish
        self._bar = _buffer((1, n_features))
        self._output = _buffer(tuple(session.get_outputs()[0].shape))
        self._states = [[_buffer(shape) for shape in shapes] for _ in range(2)]
        self._turns = []
        for now, later in (self._states, self._states[::-1]):
            turn = session.io_binding()
            turn.bind_ortvalue_input(bar_name, self._bar)
            turn.bind_ortvalue_output(output_name, self._output)
            for name, buffer in zip(state_names, now, strict=True):
                turn.bind_ortvalue_input(name, buffer)
            for name, buffer in zip(later_names, later, strict=True):
                turn.bind_ortvalue_output(name, buffer)
            self._turns.append(turn)

    def __call__(self, row: Floats) -> Floats:
        """(1, n_features) scaled -> (1, n_horizons, n_outputs)."""
        self._bar.update_inplace(row.astype(np.float32))
        turn, other = self._turns
        self._session.run_with_iobinding(turn)
        self._turns = [other, turn]
        return self._finish(self._output.numpy())


def _buffer(shape: tuple[int, ...]) -> Any:
    import onnxruntime  # noqa: PLC0415 (an extra)

    return onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(shape, np.float32))


def _finish(learned: Learned, target: Target) -> Callable[[Any], Floats]:
    """From the network's output to forecasts of the task, (1, n_horizons, n_outputs)."""
    start = learned.start.numpy()
    shape = (1, len(target.horizons), len(target.outputs))
    link = LINKS[target.task]

    def finish(output: Any) -> Floats:
        # The start is added in float32, as in training.
        raw = (output.reshape(-1) + start).astype(float)
        return link(raw.reshape(shape))

    return finish


def _graph(module: nn.Module, given: tuple[Tensor, ...], name: str) -> bytes:
    try:
        with _quiet(), torch.no_grad():
            program: Any = torch.onnx.export(module, given, dynamo=True, verbose=False)
        return bytes(program.model_proto.SerializeToString())
    except Exception as error:
        raise FaultError(
            f"{name} cannot be written for ONNX Runtime: {error!r}"[:500]
            + ". Forecast without fast(), or uninstall onnxruntime."
        ) from error


def _session(graph: bytes) -> Any:
    import onnxruntime  # noqa: PLC0415 (an extra)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # small nets wait for threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of its own parts, and of packages that it could also serve."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
