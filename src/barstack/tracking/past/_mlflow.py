"""Runs of an MLflow tracking store: a SQLite file or a folder `mlruns`, as of MLflow 2 and 3.

Finished runs that are not deleted count.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from barstack.core.errors import ArtifactError, DataError
from barstack.core.untrusted import read_bytes
from barstack.core.yaml import read_yaml

from ._foreign_sqlite import by_key, foreign_database
from ._optuna import symbols_in
from ._trial import MOST_TRIALS, PastTrial, checked_measures, checked_params, checked_text, moment

TABLES: dict[str, Sequence[str]] = {
    "experiments": ("experiment_id", "name"),
    "runs": (
        *("run_uuid", "name", "status", "start_time", "end_time"),
        *("lifecycle_stage", "experiment_id"),
    ),
    "params": ("run_uuid", "key", "value"),
    "latest_metrics": ("run_uuid", "key", "value", "is_nan"),
    "tags": ("run_uuid", "key", "value"),
}
_FINISHED = 3  # in a file store, as `RunStatus` numbers it
_LARGEST_META = 2**20  # bytes
_LARGEST_VALUE = 2**16
_LARGEST_METRIC = 256 * 2**20  # a line for each step


def read_mlflow_database(file: Path) -> Iterator[PastTrial]:
    """Runs in the order of their start."""
    with foreign_database(file) as database:
        yield from _rows(database)


def _rows(database: sqlite3.Connection) -> Iterator[PastTrial]:
    params = by_key(database.execute("SELECT run_uuid, key, value FROM params"))
    measures = by_key(
        database.execute("SELECT run_uuid, key, value FROM latest_metrics WHERE NOT is_nan")
    )
    tags = by_key(database.execute("SELECT run_uuid, key, value FROM tags"))
    query = """
        SELECT run_uuid, experiments.name, start_time, end_time
        FROM runs JOIN experiments USING (experiment_id)
        WHERE status = 'FINISHED' AND runs.lifecycle_stage = 'active' ORDER BY start_time, run_uuid
    """
    for run, group, started, finished in database.execute(query):
        yield _trial(
            run, group, started, finished, params.get(run, {}), measures.get(run, {}), tags.get(run)
        )


def read_mlflow_folder(folder: Path) -> Iterator[PastTrial]:
    """Runs by experiment and id."""
    n_runs = 0
    for experiment in _folders(folder):
        if experiment.name.startswith(".") or not (experiment / "meta.yaml").is_file():
            continue
        group = _meta(experiment).get("name", experiment.name)
        for run in _folders(experiment):
            if not (run / "meta.yaml").is_file():
                continue
            about = _meta(run)
            if about.get("status") != _FINISHED or about.get("lifecycle_stage") != "active":
                continue
            n_runs += 1
            if n_runs > MOST_TRIALS:
                raise DataError(f"{folder} holds more than {MOST_TRIALS:,} runs. Split it.")
            yield _trial(
                run.name,
                group,
                about.get("start_time"),
                about.get("end_time"),
                _values(run / "params"),
                {name: _last(file) for name, file in _files(run / "metrics")},
                _values(run / "tags"),
            )


def _trial(
    run: Any,
    group: Any,
    started: Any,
    finished: Any,
    params: dict[str, Any],
    measures: dict[str, Any],
    tags: dict[str, Any] | None,
) -> PastTrial:
    own = {name: value for name, value in (tags or {}).items() if not name.startswith("mlflow.")}
    stated = params | own
    return PastTrial(
        source="mlflow",
        group=checked_text(group),
        number=checked_text(run),
        params=checked_params({name: _number(value) for name, value in params.items()}),
        measures=checked_measures(measures),
        symbols=symbols_in(stated),
        timeframe=checked_text(stated.get("timeframe", "")),
        started_at=moment(started),
        finished_at=moment(finished),
    )


def _number(text: Any) -> Any:
    """MLflow keeps every parameter as text."""
    for kind in (int, float):
        try:
            return kind(text)
        except (TypeError, ValueError):
            continue
    return text


def _folders(folder: Path) -> list[Path]:
    """Those within, none of them a link, by name."""
    with os.scandir(folder) as entries:
        found = [Path(each.path) for each in entries if each.is_dir(follow_symlinks=False)]
    return sorted(found)


def _files(folder: Path, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """Files by name; a slash in a name makes a folder, one level of which is followed."""
    if not folder.is_dir() or folder.is_symlink():
        return
    with os.scandir(folder) as entries:
        for each in sorted(entries, key=lambda entry: entry.name):
            if each.is_file(follow_symlinks=False):
                yield f"{prefix}{each.name}", Path(each.path)
            elif each.is_dir(follow_symlinks=False) and not prefix:
                yield from _files(Path(each.path), f"{each.name}/")


def _values(folder: Path) -> dict[str, Any]:
    return {
        name: _read(file, _LARGEST_VALUE).decode(errors="replace") for name, file in _files(folder)
    }


def _last(file: Path) -> Any:
    """The newest value of a metric: a line is `milliseconds value [step ...]`."""
    lines = _read(file, _LARGEST_METRIC).rstrip().rsplit(b"\n", 1)
    words = lines[-1].split()
    try:
        return float(words[1])
    except (IndexError, ValueError):
        raise DataError(f"{file} is no metric of MLflow: its last line has no value.") from None


def _meta(folder: Path) -> dict[str, Any]:
    file = folder / "meta.yaml"
    try:
        found = read_yaml(_read(file, _LARGEST_META).decode())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{file} is no description of MLflow: {error}.") from None
    if not isinstance(found, dict):
        raise DataError(f"{file} is no description of MLflow: it holds no names.")
    return found


def _read(file: Path, most: int) -> bytes:
    try:
        return read_bytes(file, most)
    except ArtifactError as error:
        raise DataError(f"{file} cannot be read as a part of an MLflow store: {error}") from None
