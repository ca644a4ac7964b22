"""Neural networks: settings here, PyTorch modules in `networks`, imported when one is used."""

UNREGISTERED = ("networks",)  # packages that register no models
