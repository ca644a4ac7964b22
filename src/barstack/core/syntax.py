"""Syntax trees of source code, from several threads too."""

from __future__ import annotations

import ast
from threading import Lock

_ONE_AT_A_TIME = Lock()


def syntax_tree(text: str | bytes) -> ast.Module:
    """As `ast.parse`, one thread at a time.

    CPython 3.11 counts the depth of all threads' trees in one number, and raises `SystemError`
    where two threads make trees at once.

    >>> type(syntax_tree("x = 1").body[0]).__name__
    'Assign'
    """
    with _ONE_AT_A_TIME:
        return ast.parse(text)
