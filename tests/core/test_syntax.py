"""Trees are made from several threads at once: CPython 3.11 by itself mixes up their depths."""

from __future__ import annotations

import ast
import contextlib
import gc
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from barstack.core.syntax import syntax_tree


@pytest.fixture
def hurried() -> Iterator[None]:
    """Threads that switch often, as the garbage collector lets them while a tree is made."""
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)

    def switch(phase: str, info: dict[str, int]) -> None:
        sum(range(2_000))

    gc.callbacks.append(switch)
    gc.set_threshold(50, 5, 5)
    yield
    gc.callbacks.remove(switch)
    gc.set_threshold(*threshold)
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hurried")
def test_threads_that_parse_at_once() -> None:
    text = "\n".join(f"x{n} = f(a + (b * (c - d[{n}])))" for n in range(60))
    with ThreadPoolExecutor(4) as threads:
        trees = list(threads.map(syntax_tree, [text] * 40))
    assert len({ast.dump(tree) for tree in trees}) == 1


@pytest.mark.usefixtures("hurried")
def test_a_library_that_parses_meanwhile() -> None:
    """As numpy does of the header of each array that it reads."""
    text = "\n".join(f"x{n} = f(a + (b * (c - d[{n}])))" for n in range(60))
    expected, over = ast.dump(syntax_tree(text)), threading.Event()

    def meanwhile() -> None:
        while not over.is_set():
            with contextlib.suppress(SystemError):  # what others meet is not ours to mend
                ast.literal_eval("{'descr': '<f8', 'shape': (3, (4, (5,)))}")

    thread = threading.Thread(target=meanwhile)
    thread.start()
    try:
        assert {ast.dump(syntax_tree(text)) for _ in range(40)} == {expected}
    finally:
        over.set()
        thread.join()
