"""What all neural models share: training, forecasts and files. A network is the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from barstack.core.arrays import Floats
from barstack.core.errors import MissingPackageError
from barstack.core.forecast import Target
from barstack.datasets import Inputs, Samples

from .._libraries import require_torch
from .._model import Carried
from ._settings import NetworkSettings

if TYPE_CHECKING:
    from ._learned import Epoch, Learned


class Neural(NetworkSettings):
    """A network over the latest bars and how it is trained.

    Subclass it, decorate with `register(name, family="neural", tasks=...)` and write `network`.

    A `causal` network reads bars one after the other and can forecast at each of them, from the
    bars up to it alone. It is trained on chunks: `lookback - 1` bars to start from, and a loss at
    every bar after them, a few steps for each forecast where a window takes `lookback`. Its
    forecasts are those of exact windows all the same.
    """

    def parameter_count(self, n_features: int, n_outputs: int) -> int:
        """Numbers that training sets.

        >>> from barstack.models import MODELS
        >>> MODELS.parse("lstm").parameter_count(n_features=52, n_outputs=4)
        63748
        """
        require_torch()
        from ._training import parameter_count  # noqa: PLC0415

        return parameter_count(self, n_features, n_outputs)

    def fit(
        self,
        train: Samples,
        stop: Samples | None,
        target: Target,
        seed: int,
        *,
        folder: Path | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> Learned:
        """The network of the epoch that did best on `stop`, with its learning curves.

        folder    where to keep a checkpoint; training that was killed goes on from it, and ends
                  as it would have, to the bit
        on_epoch  called after each epoch; what it raises ends the training
        """
        assert stop is not None  # stops_early
        require_torch()
        from ._training import fit  # noqa: PLC0415

        return fit(self, train, stop, target, seed, folder, on_epoch)

    def update(
        self, learned: Learned, train: Samples, stop: Samples | None, target: Target, seed: int
    ) -> Learned:
        """Trained further from its weights."""
        assert stop is not None  # stops_early
        require_torch()
        from ._training import fit  # noqa: PLC0415

        return fit(self, train, stop, target, seed, None, None, learned)

    def predict(self, learned: Learned, inputs: Inputs, target: Target) -> Floats:
        require_torch()
        from ._training import predict  # noqa: PLC0415

        return predict(self, learned, inputs, target)

    def save(self, learned: Learned, folder: Path) -> None:
        learned.save(folder)

    def load(self, folder: Path, target: Target) -> Learned:
        require_torch()
        from ._learned import load  # noqa: PLC0415

        return load(self, folder, len(target.columns))

    def curves(self, learned: Learned) -> list[dict[str, float]]:
        return [asdict(epoch) for epoch in learned.curves]

    def compiled(self, learned: Learned, target: Target) -> Callable[[Inputs], Floats]:
        _require_onnx()
        from ._onnx import compiled  # noqa: PLC0415

        return compiled(self, learned, target)

    def carried(self, learned: Learned, target: Target) -> Callable[[], Carried] | None:
        if not self.causal:
            return None
        _require_onnx()
        from ._onnx import carried  # noqa: PLC0415

        return carried(learned, target)


def _require_onnx() -> None:
    require_torch()
    try:
        import onnx  # noqa: F401, PLC0415
        import onnxruntime  # noqa: F401, PLC0415
        import onnxscript  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingPackageError(
            f"For ONNX Runtime, pip install 'barstack[fast]' ({error})."
        ) from None
