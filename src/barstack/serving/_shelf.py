"""The artifacts that lie in a folder, and what each says of itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from barstack.core.errors import BarstackError, ConfigError
from barstack.core.times import format_duration
from barstack.ensembles import Manifest, verified_manifest

_LISTED = ("task", "horizons", "members", "ensemble", "trained_through")
_SIGNS = ("manifest.json", "manifest.sha256")

# Name, size and time of change of every file: as long as they stay, its bytes are not read again.
_State = tuple[tuple[str, int, int], ...]


class Shelf:
    """Artifacts in a folder of runs or artifacts, or in one of either; looked at on every call."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[Path, tuple[_State, Manifest]] = {}

    def artifacts(self) -> list[Path]:
        """Folders in the order of their names."""
        if not self.folder.is_dir():
            raise ConfigError(f"There is no folder {self.folder}. Give one of runs or artifacts.")
        inner = sorted(each for each in self.folder.iterdir() if not each.name.startswith("."))
        places = [self.folder, *inner]  # without the hidden store, whose steps are no runs
        found = [path for each in places for path in (each, each / "artifact") if _is_one(path)]
        return list(dict.fromkeys(found))

    def entry(self, path: Path) -> dict[str, Any]:
        """What `Models.list_available_models` says of one."""
        try:
            manifest = self.manifest(path)
            bars = manifest.bars
            return {
                "model": name_of(path),
                "tickers": list(bars.symbols),
                "bar": format_duration(bars.length_us),
                "bar_us": bars.length_us,
            } | {name: getattr(manifest, name) for name in _LISTED}
        except BarstackError as error:
            return {"model": name_of(path), "error": str(error)}

    def manifest(self, path: Path) -> Manifest:
        """Of an artifact whose bytes are those it was sealed with."""
        state = _state(path)
        known = self._known.get(path)
        if known is None or known[0] != state:
            known = state, verified_manifest(path)
            self._known[path] = known
        return known[1]


def name_of(path: Path) -> str:
    """That of its folder, or of its run's."""
    return path.parent.name if path.name == "artifact" else path.name


def _is_one(path: Path) -> bool:
    # What has lost one of the two is still an artifact, and is listed with what is wrong.
    return path.is_dir() and (
        path.name == "artifact" or any((path / sign).is_file() for sign in _SIGNS)
    )


def _state(path: Path) -> _State:
    found = []
    for folder, _, files in os.walk(path):
        for name in files:
            file = os.path.join(folder, name)
            facts = os.lstat(file)
            found.append((file, facts.st_size, facts.st_mtime_ns))
    return tuple(sorted(found))
