"""The command line: parse, call, print."""

# Importing a module adds its commands; `--help` lists them in this order.
from ._app import main

__all__ = ["main"]
