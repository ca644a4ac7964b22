"""Networks as PyTorch modules. Importing one needs PyTorch: pip install 'barstack[neural]'."""

from ..._libraries import require_torch

require_torch()
