"""The command line: parse, call, print."""

# Importing a module adds its commands; `--help` lists them in this order.
from . import _app  # noqa: F401  # isort: skip
from . import (  # noqa: F401
    _artifacts,
    _audit,
    _compare,
    _data,
    _export,
    _features,
    _fetch,
    _import,
    _models,
    _sign,
    _splits,
    _world,
)
from ._main import main

__all__ = ["main"]
