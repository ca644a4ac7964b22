"""Out-of-fold forecasts on disk: one parquet file for each fit, read by column."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from barstack.core.decisions import Decisions
from barstack.core.errors import StorageError
from barstack.core.files import new_file, sha256_of
from barstack.core.forecast import Forecast, Target
from barstack.core.times import DecidedAt, TrainedThrough

from ._store import OutOfFold

_HASH = ".sha256"


class ForecastStore:
    """A folder of out-of-fold forecasts by key. A written key never changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, key: str, forecasts: OutOfFold) -> None:
        """Store under `key`, whole or not at all."""
        forecast = forecasts.forecast
        about = {
            **forecast.target.to_json(),
            "kind": forecast.kind,
            "symbols": forecast.decisions.symbols,
        }
        columns: dict[str, Any] = forecast.columns() | {"fold": forecasts.fold}
        file = self._file(key)
        with new_file(file) as scratch:
            pl.DataFrame(columns).write_parquet(scratch, metadata={"barstack": json.dumps(about)})
            with new_file(file.with_suffix(_HASH)) as hash_file:
                hash_file.write_text(sha256_of(scratch))

    def read(self, key: str) -> OutOfFold:
        """The forecasts under `key`; `StorageError` when there are none, or not whole."""
        file = self._file(key)
        hash_file = file.with_suffix(_HASH)
        whole = file.is_file() and hash_file.is_file()
        if not whole or hash_file.read_text() != sha256_of(file):
            raise StorageError(
                f"The forecasts {file} are missing or not what was saved. Delete the folder called "
                f"{key[:16]} in {self.folder.parent}, and the same run makes them again."
            )
        about = json.loads(pl.read_parquet_metadata(file)["barstack"])
        table = pl.read_parquet(file, glob=False)
        target = Target.from_json(about)
        symbols = tuple(about["symbols"])
        code_of = {symbol: code for code, symbol in enumerate(symbols)}
        codes = np.array([code_of[symbol] for symbol in table["symbol"]], np.int32)
        decided_at = DecidedAt(table["decided_at"].to_numpy())
        values = table.select(target.columns).to_numpy()
        forecast = Forecast(
            Decisions(symbols, codes, decided_at),
            target,
            values.reshape(len(table), len(target.horizons), len(target.outputs)),
            TrainedThrough(table["trained_through"].to_numpy()),
            about["kind"],
        )
        return OutOfFold(forecast, table["fold"].to_numpy())

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.parquet"
