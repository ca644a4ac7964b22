"""The state of a stream as a folder of plain data, which another process goes on from."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from barstack.bars import BAR
from barstack.core.arrays import Array
from barstack.core.errors import ConfigError, DataError, StorageError
from barstack.core.files import check_seal, new_folder, seal
from barstack.core.stored import Moment, Name, Sha256, Stored
from barstack.core.times import as_time
from barstack.core.untrusted import read_json
from barstack.ensembles import FittedEnsemble, Layers
from barstack.models._arrays import read_arrays, write_arrays

_STATE, _ARRAYS, _ENSEMBLES = "state.json", "arrays.npz", "ensembles"
_PLAIN = "biufUM"  # kinds of types that hold no objects
_Length = Annotated[int, Field(ge=0, le=2**40)]
_Count = Annotated[int, Field(ge=0, le=2**62)]


class SymbolState(Stored):
    """Of one symbol's newest rows: see `Latest`."""

    usable: _Count
    seen: _Count
    began_at: Moment | None
    warned: bool
    phase: int | None
    watched: _Count
    why: Annotated[str, Field(max_length=2_000)] | None


class _StoredArray(Stored):
    name: Name
    dtype: Annotated[str, Field(pattern=r"^([<>|=][biufUM]\d+(\[us\])?|bar)$")]
    shape: Annotated[list[_Length], Field(max_length=8)]


class _StoredState(Stored):
    format: Literal[2]
    kind: Literal["symbol", "panel"]
    manifest_sha256: Sha256
    symbols: dict[Name, SymbolState]
    arrays: list[_StoredArray]
    learned_on: dict[Name, Moment]  # by ensemble, the latest label that it has seen

    @model_validator(mode="after")
    def _is_of_one_or_all(self) -> Self:
        if self.kind == "symbol" and len(self.symbols) != 1:
            raise ValueError(f"a stream of one symbol has {len(self.symbols)}")
        return self


@dataclass(frozen=True, eq=False)
class StreamState:
    """All that a stream holds beside its artifact.

    Attributes
    ----------
    kind : "symbol" for a stream of one, "panel" for one of all
    symbols : state of each by name
    arrays : plain arrays by name
    layers : the ensembles as they have learned on
    """

    kind: Literal["symbol", "panel"]
    symbols: Mapping[str, SymbolState]
    arrays: Mapping[str, Array]
    layers: Layers

    def part(self, prefix: str) -> dict[str, Array]:
        """Arrays whose names begin with a prefix, without it."""
        return {
            name.removeprefix(prefix): array
            for name, array in self.arrays.items()
            if name.startswith(prefix)
        }

    def write(self, folder: Path, manifest_sha256: str, trained: Layers) -> None:
        """Write it, whole or not at all; `trained` are the artifact's own ensembles."""
        if not manifest_sha256:
            raise ConfigError(
                "A snapshot belongs to an artifact on disk. Save this one, and load it again."
            )
        arrays = {name: np.ascontiguousarray(each) for name, each in self.arrays.items()}
        learned_on = {
            name: each
            for name, each in self.layers.fitted.items()
            if each is not trained.fitted[name]
        }
        content = {
            "format": 2,
            "kind": self.kind,
            "manifest_sha256": manifest_sha256,
            "symbols": {name: each.model_dump() for name, each in self.symbols.items()},
            "arrays": [
                {
                    "name": name,
                    "dtype": "bar" if each.dtype == BAR else each.dtype.str,
                    "shape": list(each.shape),
                }
                for name, each in arrays.items()
            ],
            "learned_on": {name: str(each.trained_through) for name, each in learned_on.items()},
        }
        _StoredState.read(content, folder / _STATE)
        with new_folder(folder) as scratch:
            (scratch / _STATE).write_text(json.dumps(content, indent=1))
            # As bytes, because a state may hold what is not finite.
            each_bytes = [np.frombuffer(each.tobytes(), np.int8) for each in arrays.values()]
            write_arrays(
                scratch / _ARRAYS, **{str(place): each for place, each in enumerate(each_bytes)}
            )
            for name, each in learned_on.items():
                each.save(scratch / _ENSEMBLES / name)
            seal(scratch)

    @classmethod
    def read(cls, folder: Path, manifest_sha256: str, trained: Layers) -> StreamState:
        """Read back what `write` wrote, for the same artifact.

        Raises
        ------
        ConfigError
            There is no such folder.
        DataError
            The snapshot is of another artifact's stream.
        StorageError
            It is not what was written.
        """
        if not folder.is_dir():
            raise ConfigError(f"There is no snapshot {folder}. Give the folder of one.")
        check_seal(folder)
        stored = _StoredState.read(read_json(folder / _STATE), folder / _STATE)
        if stored.manifest_sha256 != manifest_sha256:
            raise DataError(
                f"{folder} is a snapshot of another artifact's stream, whose manifest has SHA-256 "
                f"{stored.manifest_sha256[:16]}; that of this one has {manifest_sha256[:16]}. "
                "Restore it by its own artifact, or start afresh from history."
            )
        sizes = [math.prod(each.shape) * _dtype(each).itemsize for each in stored.arrays]
        kinds = {str(place): f"int8 {size}" for place, size in enumerate(sizes)}
        parts = read_arrays(folder / _ARRAYS, **kinds)
        arrays = {
            each.name: parts[str(place)].view(_dtype(each)).reshape(each.shape).copy()
            for place, each in enumerate(stored.arrays)
        }
        fitted = dict(trained.fitted)
        for name, through in stored.learned_on.items():
            if (own := trained.fitted.get(name)) is None:
                raise StorageError(
                    f"{folder} is of an ensemble {name!r}, which the artifact lacks."
                )
            file = folder / _ENSEMBLES / name
            if as_time(through) < own.trained_through:
                raise StorageError(
                    f"{folder}: {name!r} learned on through {through}, before its training ended."
                )
            fitted[name] = FittedEnsemble.load(own.ensemble, file, own.members, as_time(through))
        layers = Layers(trained.members, fitted) if stored.learned_on else trained
        return cls(stored.kind, stored.symbols, arrays, layers)


def _dtype(stored: _StoredArray) -> np.dtype[Any]:
    if stored.dtype == "bar":
        return BAR
    try:
        found = np.dtype(stored.dtype)
    except TypeError:
        raise StorageError(f"{stored.dtype} is no type of a stream's state.") from None
    if found.kind not in _PLAIN:
        raise StorageError(f"{stored.dtype} is no type of a stream's state.")
    return found
