"""How a call of the command line ends: every error as a sentence, with its exit code."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from barstack.core.errors import BarstackError
from barstack.core.text import printable

from ._root import app
from ._terminal import (
    OutputClosedError,
    any_encoding,
    drop_output,
    flush_output,
    refuse_little_memory,
    stderr,
)

INTERRUPTED = 130  # what shells expect after Ctrl-C


def main() -> None:
    """Run the command line; exit 0 done, 1 the answer is no, 2 wrong use, 3 a fault."""
    any_encoding()
    try:
        refuse_little_memory()
        with warnings.catch_warnings():
            warnings.simplefilter("default", UserWarning)
            warnings.showwarning = _note
            app()
    except SystemExit as leaving:  # also how typer ends a command that is done
        if leaving.code == INTERRUPTED:  # typer has turned Ctrl-C into this
            _say("", "\nInterrupted. Finished steps are kept; the same command continues.")
        try:
            flush_output()
        except OSError as error:
            sys.exit(_told(error))
        raise
    except BaseException as error:  # noqa: BLE001 (each is told, and has an exit code)
        sys.exit(_told(error))


def _told(error: BaseException) -> int:
    """The exit code of an error, once it is told."""
    if isinstance(error, OutputClosedError):  # whoever reads our output has seen enough
        drop_output()
    elif isinstance(error, BarstackError):
        _say(type(error).__name__, str(error))
        return error.exit_code
    elif isinstance(error, MemoryError):
        _say("StorageError", f"There is not enough memory: {error}. {_LESS}")
    elif isinstance(error, OSError):
        _say("StorageError", f"The operating system refuses: {error}.")
        drop_output()
    else:  # a fault of ours: shown whole
        _tell(lambda: stderr().print_exception(max_frames=8))
    return BarstackError.exit_code


_LESS = "Give fewer bars, symbols or features, or smaller settings of the models."


def _say(name: str, sentence: str) -> None:
    """A sentence on standard error, with nothing in it that moves a terminal's cursor."""

    def write() -> None:
        if name:
            stderr().print(f"[bold red]{name}[/]  ", end="")
        stderr().print(printable(sentence), markup=False, highlight=False, soft_wrap=True)

    _tell(write)


def _tell(write: Callable[[], None]) -> None:
    with suppress(OSError):  # nobody is left to tell where standard error cannot be written
        write()


def _note(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning as a sentence, without the line of code that gave it."""
    stderr().print("[bold yellow]Note[/]  ", end="")
    stderr().print(printable(str(message)), markup=False, highlight=False, soft_wrap=True)
