"""A network for ONNX Runtime: a tenth of PyTorch's time where one window at a time is asked for."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from barstack.core.errors import FaultError
from barstack.core.forecast import Target
from barstack.datasets import Inputs

from .._links import LINKS
from .._model import Values

if TYPE_CHECKING:
    from ._learned import Learned
    from ._neural import Neural


def compiled(model: Neural, learned: Learned, target: Target) -> Callable[[Inputs], Values]:
    """The network's forecast of one window: (1, n_horizons, n_outputs).

    Made anew from the weights in a few seconds; nothing of it is stored.
    """
    session = _session(_graph(model, learned))
    (asked,) = [each.name for each in session.get_inputs()]
    start = learned.start.numpy()
    shape = (1, len(target.horizons), len(target.outputs))
    link = LINKS[target.task]

    def forecast(inputs: Inputs) -> Values:
        # Its caller knows that the window is whole; to ask again takes longer than to scale it.
        window = inputs.scaler.windows(inputs.table, inputs.rows, model.lookback)
        (found,) = session.run(None, {asked: window})
        # The start is added in float32, as in training.
        raw = (found.reshape(-1) + start).astype(float)
        return link(raw.reshape(shape))

    return forecast


def _graph(model: Neural, learned: Learned) -> bytes:
    window = torch.zeros(1, model.lookback, learned.n_features)
    try:
        with _quiet(), torch.no_grad():
            program: Any = torch.onnx.export(learned.network, (window,), dynamo=True, verbose=False)
        return bytes(program.model_proto.SerializeToString())
    except Exception as error:
        raise FaultError(
            f"{type(model).__name__} cannot be written for ONNX Runtime: {error!r}"[:500]
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
