"""How a call of the command line ends: every error as a sentence, with its exit code."""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from typing import Any

from barstack.core.errors import BarstackError

from ._root import app
from ._terminal import (
    OutputClosedError,
    any_encoding,
    drop_output,
    flush_output,
    refuse_little_memory,
    report,
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
            with suppress(OSError):
                stderr().print(_INTERRUPTED)
        try:
            flush_output()
        except OSError as error:
            sys.exit(_reported(error))
        raise
    except BaseException as error:  # noqa: BLE001 (each is reported, and has an exit code)
        sys.exit(_reported(error))


def _reported(error: BaseException) -> int:
    """Report an error and return its exit code."""
    if isinstance(error, OutputClosedError):  # the reader of our output needs no more
        drop_output()
    elif isinstance(error, BarstackError):
        _say(type(error).__name__, str(error))
        return error.exit_code
    elif isinstance(error, MemoryError):
        _say("StorageError", f"There is not enough memory: {error}. {_LESS}")
    elif isinstance(error, OSError):
        _say("StorageError", f"The operating system refuses: {error}.")
        drop_output()
    else:  # a bug: shown in full
        with suppress(OSError):
            stderr().print_exception(max_frames=8)
    return BarstackError.exit_code


_INTERRUPTED = "\nInterrupted. Finished steps are kept; the same command continues."
_LESS = "Give fewer bars, symbols or features, or smaller settings of the models."


def _say(label: str, sentence: str) -> None:
    with suppress(OSError):  # nobody can be reached where standard error cannot be written
        report(label, sentence)


def _note(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning as a sentence, without the line of code that gave it."""
    report("Note", str(message), "bold yellow")
