"""Every error a user can meet: each says what, where, with which values, and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class BarstackError(Exception):
    """Parent of all barstack errors; `exit_code` is what the command line returns for it.

    >>> import barstack as bs
    >>> try:
    ...     bs.Study(bars="sample", horizons=["1h"], members=["rigde"])
    ... except bs.BarstackError as error:
    ...     print(str(error)[:50], error.exit_code)
    study.members.rigde: Unknown model 'rigde'. Did yo 2
    """

    exit_code = 3


# ConfigError and DataError are also ValueErrors: inside a nested spec pydantic then adds the path.
class ConfigError(BarstackError, ValueError):
    """A spec, a study file or an argument is wrong."""

    exit_code = 2


class PluginError(ConfigError):
    """A part of another package raises, or returns something else than its contract says."""


class DataError(BarstackError, ValueError):
    """Bars, or rows made from them, cannot be used as they are."""

    exit_code = 2


class LeakError(BarstackError):
    """Something would use a number before the moment it could be known."""

    exit_code = 1


class ArtifactError(BarstackError):
    """A saved artifact is damaged, altered or from an incompatible version."""

    exit_code = 1


class StorageError(BarstackError):
    """A file or folder that barstack keeps cannot be written, or is damaged."""

    exit_code = 3


class SourceError(BarstackError):
    """A source of bars cannot be reached, answers with faults, or refuses what it is asked."""

    exit_code = 3


class TrainingError(BarstackError):
    """Some of several models could not be trained.

    fitted  name -> fitted model, of the others
    """

    def __init__(self, message: str, fitted: dict[str, Any]) -> None:
        super().__init__(message)
        self.fitted = fitted


class FaultError(BarstackError):
    """Two ways to one number disagree: a fault of barstack or a library, not of the user."""

    exit_code = 3


class MissingPackageError(BarstackError, ImportError):
    """An optional package is needed here and is not installed."""

    exit_code = 2


_LONGEST_NAME = 100  # comparing longer words takes time and finds nothing


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """A hint for a mistyped name, or the list of names when nothing is close.

    >>> did_you_mean("lihgtgbm", ["lightgbm", "ridge"])
    "Did you mean 'lightgbm'? Known: lightgbm, ridge."
    """
    known = sorted(choices)
    listed = f"Known: {', '.join(known)}." if known else "None is known."
    close = difflib.get_close_matches(word[:_LONGEST_NAME], known, n=1)
    return f"Did you mean {close[0]!r}? {listed}" if close else listed
