"""Reports: an evaluation as one page to look at, with no network."""

from ._page import render

__all__ = ["render"]
