"""The command line: parse, call, print."""

from ._app import main

__all__ = ["main"]
