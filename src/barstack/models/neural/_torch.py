"""Where PyTorch is imported: on first use, as it takes a second and is optional."""

from __future__ import annotations

from importlib.util import find_spec
from types import ModuleType

from barstack.core.errors import MissingPackageError

_FOR_ONNX = ("onnx", "onnxscript", "onnxruntime")


def parts() -> ModuleType:
    """The pieces that networks are built of, once PyTorch is known to be here."""
    _require()
    from . import _parts  # noqa: PLC0415

    return _parts


def trainer() -> ModuleType:
    """The training loop of all networks."""
    _require()
    from . import _training  # noqa: PLC0415

    return _training


def fused() -> ModuleType:
    """The training of several networks of one shape as one."""
    _require()
    from . import _fused  # noqa: PLC0415

    return _fused

def compiler() -> ModuleType:
    """What writes networks for ONNX Runtime."""
    _require()
    if lacking := [name for name in _FOR_ONNX if find_spec(name) is None]:
        raise MissingPackageError(
            f"One forecast at a time is quicker with {', '.join(lacking)}: pip install "
            "'barstack[fast]'."
        )
    from . import _onnx  # noqa: PLC0415

    return _onnx


def _require() -> None:
    try:
        import safetensors.torch  # noqa: F401, PLC0415
        import torch  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingPackageError(
            f"This model needs PyTorch: pip install 'barstack[neural]' ({error})."
        ) from None
