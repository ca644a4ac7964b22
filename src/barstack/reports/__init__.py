"""Reports: an evaluation as one page to look at, with no network."""

from ._page import render
from ._stage import report

__all__ = ["render", "report"]
