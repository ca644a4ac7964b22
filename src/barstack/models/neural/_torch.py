"""Where PyTorch is imported: on first use, as it takes a second and is optional."""

from __future__ import annotations

from types import ModuleType

from barstack.core.errors import MissingPackageError


def torch_and_training() -> tuple[ModuleType, ModuleType]:
    """The library and our training loop for it."""
    try:
        import safetensors.torch  # noqa: F401, PLC0415
        import torch  # noqa: PLC0415
    except ImportError as error:
        raise MissingPackageError(
            f"This model needs PyTorch: pip install 'barstack[neural]' ({error})."
        ) from None
    from . import _training  # noqa: PLC0415

    return torch, _training
