"""Runs side by side, from what their folders hold; nothing is fitted or worked out again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from barstack.core.errors import ConfigError, StorageError
from barstack.evaluation import Comparison, compare

from ._study import Study

_LEAST_DIGITS = 4  # of a run's id, as few as people know it again by


def compare_runs(folders: Sequence[Path | str]) -> list[Comparison]:
    """Members and ensembles of one or several runs at each horizon that all of them forecast.

    They are compared on the decisions that all share; of several runs each forecaster's name ends
    in what `named_runs` calls its run. Raises `ConfigError` for what is not the folder of a run, or
    where runs share nothing, and `DataError` where they were judged by other returns.

    >>> import tempfile
    >>> import barstack as bs
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = bs.run(small_study(Path(folder)), folder=folder, runs=f"{folder}/runs")
    ...     (found,) = compare_runs([run.folder])
    >>> found.horizon
    '2bars'
    """
    runs = [Path(folder) for folder in folders]
    ends = [f" ({label})" for label in _labels(runs)] if len(runs) > 1 else [""]
    tables = {
        f"{file.parent.name}{end}": read_table(file)
        for run, end in zip(runs, ends, strict=True)
        for file in _files(run)
    }
    return compare(tables)


def named_runs(folders: Sequence[Path | str]) -> dict[str, str]:
    """What each run is called beside the others: its title and id, by a label of a few digits.

    >>> import tempfile
    >>> import barstack as bs
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = bs.run(small_study(Path(folder)), folder=folder, runs=f"{folder}/runs")
    ...     names = named_runs([run.folder])
    >>> len(names)
    1
    """
    runs = [Path(folder) for folder in folders]
    titled = [", ".join(filter(None, (_title(run), run.resolve().name))) for run in runs]
    return dict(zip(_labels(runs), titled, strict=True))


def _labels(runs: list[Path]) -> list[str]:
    """As much of each id as tells it from the others; whole paths where ids are the same."""
    if len({run.resolve() for run in runs}) < len(runs):
        raise ConfigError("A run is named twice. Give each once.")
    ids = [run.resolve().name for run in runs]
    if len(set(ids)) < len(ids):
        return [str(run) for run in runs]
    digits = _LEAST_DIGITS
    while len({each[:digits] for each in ids}) < len(ids):
        digits += 1
    return [each[:digits] for each in ids]


def _title(run: Path) -> str:
    try:
        return Study.from_yaml(run / "study.yaml").title
    except ConfigError:  # of another version, or without a plugin: its forecasts are still there
        return ""


def _files(run: Path) -> list[Path]:
    files = [
        file for role in ("ensembles", "members") for file in run.glob(f"{role}/*/test.parquet")
    ]
    if files:
        return sorted(files)
    if not run.is_dir():
        raise ConfigError(
            f"There is no folder {run}. Give the folders of runs, such as runs/3f2a...."
        )
    if any(run.glob("*/members")):
        raise ConfigError(f"{run} holds runs. Name those to compare, such as {run}/*/.")
    raise ConfigError(
        f"{run} is no run that kept its forecasts: it has no members/. If an earlier version made "
        "it, run its study again."
    )


def read_table(file: Path) -> pl.DataFrame:
    """Forecasts with their outcomes, as `test.parquet` of a member or ensemble has them."""
    try:
        return pl.read_parquet(file, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StorageError(
            f"{file} is damaged: {error}. Run the study again; finished steps are reused."
        ) from error
