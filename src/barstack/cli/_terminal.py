"""Consoles for people and JSON for programs, whatever the terminal can show."""

from __future__ import annotations

import codecs
import json
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from barstack.core.errors import StorageError
from barstack.core.text import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


class OutputClosedError(Exception):
    """Whoever reads standard output has closed it, as `head` does."""


def print_json(content: Any) -> None:
    """One object on standard output."""
    text = json.dumps(content, indent=1, allow_nan=False)
    try:
        print(text)
        flush_output()
    except BrokenPipeError:
        raise OutputClosedError from None


def flush_output() -> None:
    """Write what is buffered, so that an error is reported now and not at exit."""
    if sys.stdout is not None:  # closed by whoever started us
        sys.stdout.flush()


def drop_output() -> None:
    """Keep Python from trying again, at exit, to write what could not be written."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def stdout() -> Console:
    """Where results go. No markup, no highlighting: text in brackets stays as it is."""
    return _console(stderr=False)


def stderr() -> Console:
    """Where progress and errors go."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console  # noqa: PLC0415 (takes a sixth of a second)

    class Terminal(Console):
        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str(printable(text), **options)

        def on_broken_pipe(self) -> None:
            raise OutputClosedError

    return Terminal(stderr=stderr, emoji=False, markup=False, highlight=False)


# What we print beyond ASCII, for terminals and files that cannot show it.
_PLAIN = {"²": "^2", "±": "+-", "–": "-", "…": "...", "×": "x", "÷": "/", "−": "-", "≥": ">=",
          "≤": "<=", "→": "->", "“": '"', "”": '"', "’": "'", "·": "*", "█": "#"}  # fmt: skip


def report(label: str, sentence: str, style: str = "bold red") -> None:
    """A styled label and a sentence on standard error."""
    console = stderr()
    console.print(f"{label}  ", style=style, end="")
    console.print(sentence, soft_wrap=True)


def any_encoding() -> None:
    """Let output of any encoding show what it can, and the rest in plain letters or escapes."""
    codecs.register_error("barstack", _plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # None where closed, another kind of stream in tests
            stream.reconfigure(errors="barstack")


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    letters = error.object[error.start : error.end]
    shown = (
        _PLAIN.get(letter) or letter.encode("ascii", "backslashreplace").decode()
        for letter in letters
    )
    return "".join(shown), error.end


_LEAST_ADDRESS_SPACE = 2 * 2**30


def refuse_little_memory() -> None:
    """`StorageError` where a limit of the shell leaves less than the libraries map at their start.

    Below it they abort without an error that could be reported.
    """
    try:
        import resource  # noqa: PLC0415 (not on Windows)
    except ImportError:
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < _LEAST_ADDRESS_SPACE:
        raise StorageError(
            f"This shell lets a process have {limit / 2**30:.1f} GiB of address space (ulimit -v), "
            "and the libraries need 2 GiB. Raise the limit; it is not the memory that is used."
        )
