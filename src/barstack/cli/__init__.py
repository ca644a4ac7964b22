"""The command line: parse, call, print."""

# Importing a module adds its commands; `--help` lists them in this order.
from ._app import main  # isort: skip
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
    _splits,
    _world,
)

__all__ = ["main"]
