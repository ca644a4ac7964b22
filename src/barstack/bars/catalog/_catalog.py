"""The catalog: a folder of named collections."""

from __future__ import annotations

import os
from pathlib import Path

from barstack.core.errors import ConfigError, did_you_mean

from .._sessions import sessions
from ._collection import Collection
from ._facts import ABOUT, Facts
from ._folders import check_collection_name


def catalog_folder() -> Path:
    """The folder in $BARSTACK_CATALOG, else `catalog` in the current folder."""
    return Path(os.environ.get("BARSTACK_CATALOG") or "catalog").expanduser()


class Catalog:
    """A folder of collections, made when something is first written.

    folder  by default `catalog_folder()`

    >>> Catalog("no/such/folder").names()
    []
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = catalog_folder() if folder is None else Path(folder).expanduser()

    def __repr__(self) -> str:
        return f"Catalog({str(self.folder)!r})"

    def names(self) -> list[str]:
        """Names of all collections, sorted."""
        return sorted(file.parent.name for file in self.folder.glob(f"*/{ABOUT}"))

    def collection(self, name: str) -> Collection:
        """The collection called `name`; `ConfigError` when there is none."""
        check_collection_name(name)
        folder = self.folder / name
        try:
            return Collection(folder, Facts.load(folder))
        except FileNotFoundError:
            pass
        if not self.folder.is_dir():
            raise ConfigError(
                f"There is no catalog at {self.folder.resolve()}, where collection {name!r} "
                "should be. Set BARSTACK_CATALOG to the catalog's folder, or bring bars in with "
                "barstack import."
            )
        hint = did_you_mean(name, self.names())
        raise ConfigError(f"The catalog at {self.folder.resolve()} has no {name!r}. {hint}")

    def create(self, name: str, facts: Facts) -> Collection:
        """A new collection, or the one of that name when its bar and calendar are the same.

        An existing one keeps its facts; a new one is not on disk before its first rows, so that a
        failure before leaves no name behind. `ConfigError` when bar or calendar differ, or when
        there is no such calendar.
        """
        check_collection_name(name)
        folder = self.folder / name
        try:
            return Collection(folder, Facts.load(folder).compatible(folder, facts))
        except FileNotFoundError:
            sessions(facts.calendar, facts.hours)  # refuses an unknown calendar
            return Collection(folder, facts)
