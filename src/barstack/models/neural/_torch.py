"""Where PyTorch is imported: on first use, as it takes a second and is optional."""

from __future__ import annotations

from types import ModuleType

from barstack.core.errors import MissingPackageError


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
    try:
        import onnx  # noqa: F401, PLC0415
        import onnxruntime  # noqa: F401, PLC0415
        import onnxscript  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingPackageError(
            f"For ONNX Runtime, pip install 'barstack[fast]' ({error})."
        ) from None
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
