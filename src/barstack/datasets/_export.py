"""Train, validation and test rows of folds as parquet files that other tools can read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from barstack.core.arrays import Rows
from barstack.core.columns import KNOWN_AT, LABEL, LABEL_RETURN, at_horizon
from barstack.core.errors import ConfigError, DataError
from barstack.core.files import new_folder
from barstack.core.progress import Progress
from barstack.core.spec import Spec
from barstack.core.times import iso
from barstack.splits import Fold, Splitter, early_stop_split

from ._dataset import Dataset, RowWeights
from ._scaler import FittedScaler

FORMAT = 1
_ABOUT = "dataset.json"
_ROW_GROUP = 65_536


class ExportRows(NamedTuple):
    """Rows to fit on, to stop early or tune by, and to judge by; each in time order."""

    train: Rows
    validation: Rows
    test: Rows


def parts_of(
    dataset: Dataset, folds: Sequence[Fold], splitter: Splitter | None = None
) -> list[ExportRows]:
    """The parts of each fold, or of a single cut of the past; what overlaps is in none.

    The two folds of a splitter that is `one_cut`, such as 70/15/15, are parts of one: the first
    is validated by, the second tests. Any other fold gives the latest of its training rows to be
    validated by, as models that stop early are given them. Rows whose labels are open are in
    tests only.

    splitter  what made the folds; without it each stands for itself

    >>> from barstack.splits import WalkForward
    >>> from barstack.testing import small_dataset
    >>> data = small_dataset("return")
    >>> folds = WalkForward(folds=3).split(data.decisions, data.labels.all_known_at)
    >>> len(parts_of(data, folds))
    3
    """
    if (cut := _one_cut(folds, splitter)) is not None:
        return [_cut(dataset, cut, *folds)]
    return [_of_fold(dataset, fold) for fold in folds]


def _one_cut(folds: Sequence[Fold], splitter: Splitter | None) -> Splitter | None:
    """The splitter, where its folds are parts of a single cut."""
    if splitter is None or not splitter.one_cut:
        return None
    if len(folds) != 2:
        raise ConfigError(
            f"{len(folds)} folds are not those of a single cut, which has two. Give all folds of "
            "the splitter, or leave the splitter out."
        )
    return splitter


def _cut(dataset: Dataset, splitter: Splitter, first: Fold, second: Fold) -> ExportRows:
    decided_at = dataset.decisions.decided_at
    times = np.unique(decided_at[np.concatenate([first.test, second.test])])
    begins = int(np.searchsorted(times, decided_at[second.test].min()))
    validation = _known(dataset, first.test)
    known_by = splitter.known_by(times, begins)  # the embargo lies before the test here too
    validation = validation[dataset.labels.purged_at[validation] <= known_by]
    return ExportRows(_known(dataset, first.train), validation, _eligible(dataset, second.test))


def _of_fold(dataset: Dataset, fold: Fold) -> ExportRows:
    known = _known(dataset, fold.train)
    fit, stop = early_stop_split(dataset.decisions, dataset.labels.purged_at, known)
    return ExportRows(fit, stop, _eligible(dataset, fold.test))


def _eligible(dataset: Dataset, rows: Rows) -> Rows:
    return rows[dataset.labels.eligible[rows]]


def _known(dataset: Dataset, rows: Rows) -> Rows:
    rows = _eligible(dataset, rows)
    return rows[~np.isnat(dataset.labels.all_known_at[rows])]


def export(
    dataset: Dataset,
    folder: Path | str,
    folds: Sequence[Fold],
    splitter: Splitter | None = None,
    *,
    scaled: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write train, validation and test rows of each fold as parquet; returns what was written.

    A single cut of the past goes into `folder`, several folds into `fold_0`, `fold_1` ... of it. An
    earlier export there is replaced; anything else is refused.

    Parameters
    ----------
    splitter : Splitter, optional
        The splitter of the folds: a `chronological` one makes them parts of a single cut.
    scaled : bool
        Whether features are written as models see them, scaled on the training rows.

    Raises
    ------
    ConfigError
        Where the folder holds something else than an earlier export.
    DataError
        Where purging leaves no rows of a part.

    >>> import tempfile
    >>> from barstack.splits import WalkForward
    >>> from barstack.testing import small_dataset
    >>> data = small_dataset("return")
    >>> folds = WalkForward(folds=2).split(data.decisions, data.labels.all_known_at, data.usable)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = export(data, Path(folder) / "rows", folds)
    ...     names = sorted(file.name for file in (Path(folder) / "rows").rglob("*.parquet"))
    >>> sorted(set(names))
    ['test.parquet', 'train.parquet', 'validation.parquet']
    """
    return export_folds(
        Path(folder),
        folds,
        lambda _: dataset,
        splitter=splitter,
        scaled=scaled,
        progress=progress or Progress(),
    )


def export_folds(
    folder: Path,
    folds: Sequence[Fold],
    dataset_of: Callable[[int], Dataset],
    *,
    splitter: Splitter | None = None,
    scaled: bool,
    progress: Progress,
    about: Mapping[str, Any] | None = None,
    about_fold: Callable[[int], Mapping[str, Any]] = lambda _: {},
) -> dict[str, Any]:
    """Write the parts of every fold, whole or not at all; returns what `dataset.json` says.

    dataset_of  the dataset of each fold by its number: labels may be fitted fold by fold
    splitter    as `parts_of` takes it
    about       plain data to be written beside
    about_fold  likewise beside each fold, by its number
    """
    if not folds:
        raise ConfigError("There is no fold to export. Give those of a splitter.")
    check_free(folder)
    one_cut = _one_cut(folds, splitter)
    numbers = [0] if one_cut else range(len(folds))
    content: dict[str, Any] = {}
    counts = []
    with new_folder(folder) as scratch, progress.step("exporting", len(numbers)) as step:
        for number in numbers:
            dataset = dataset_of(number)
            place = scratch if one_cut else scratch / f"fold_{number}"
            place.mkdir(exist_ok=True)
            fold = folds[number]
            parts = _cut(dataset, one_cut, *folds) if one_cut else _of_fold(dataset, fold)
            content = _write(dataset, parts, place, scaled) | dict(about_fold(number))
            if not one_cut:
                _write_json(place / _ABOUT, content)
                counts.append({"folder": place.name} | content["parts"])
            step.advance()
        if not one_cut:
            content = {"format": FORMAT, "folds": counts}
        content |= dict(about or {})
        _write_json(scratch / _ABOUT, content)
    return content


def check_free(folder: Path) -> None:
    """`ConfigError` where something else than an earlier export would give way."""
    if folder.is_dir():
        foreign = sorted(_files(folder) - _exported(folder))
        what = ", ".join(foreign[:3]) + (" ..." if len(foreign) > 3 else "")
    else:
        what = "a file" if os.path.lexists(folder) else ""
    if what:
        raise ConfigError(
            f"{folder} holds something else than an earlier export, which would be lost: {what}. "
            "Give another folder."
        )


def _files(folder: Path) -> set[str]:
    """Whatever lies within a folder and would go with it; folders themselves if empty."""
    found = set()
    for each in folder.iterdir():
        within = _files(each) if each.is_dir() and not each.is_symlink() else set()
        found |= {f"{each.name}/{name}" for name in within} or {each.name}
    return found


def _exported(folder: Path) -> set[str]:
    """The files that an export has written into a folder, by what its `dataset.json` says."""
    try:
        about = json.loads((folder / _ABOUT).read_text())
    except (OSError, ValueError):  # none, or one that no export has written
        return set()
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        return set()
    own = {_ABOUT, *(f"{part}.parquet" for part in ExportRows._fields)}
    if "fingerprint" in about:
        return own
    folds = about.get("folds")
    if not isinstance(folds, list):
        return set()
    return {_ABOUT, *(f"fold_{number}/{name}" for number in range(len(folds)) for name in own)}


def _write(dataset: Dataset, parts: ExportRows, folder: Path, scaled: bool) -> dict[str, Any]:
    scaler = dataset.fit_scaler(parts.train)
    counts: dict[str, Any] = {}
    for name, rows in parts._asdict().items():
        if not len(rows):
            raise DataError(
                f"There is no row for {name}: purging leaves none. Give more bars, a shorter "
                "horizon or fewer folds."
            )
        known = None if name == "test" else dataset.weight(rows)
        weight = np.ones(len(rows)) if known is None else known
        table = _table(dataset, rows, weight, scaler if scaled else None)
        table.write_parquet(folder / f"{name}.parquet", row_group_size=_ROW_GROUP)
        counts[name] = _facts(dataset, rows)
    used = np.zeros(len(dataset.decisions), bool)
    used[np.concatenate(parts)] = True
    decided_at = dataset.decisions.decided_at
    left_out = dataset.usable & ~used & (decided_at <= decided_at[parts.test].max())
    return {
        "format": FORMAT,
        "fingerprint": dataset.fingerprint,
        **dataset.target.to_json(),
        "features": list(dataset.features.columns),
        "labels": list(_label_columns(dataset)),
        "max_gap": dataset.max_gap,
        "scaled": scaled,
        "scaler": scaler.to_json(),
        "weights": _content(dataset.weights),
        "parts": counts | {"left_out": int(left_out.sum())},
    }


def _content(weights: RowWeights) -> Any:
    """What makes the weights, which the fingerprint does not tell."""
    return weights.content() if isinstance(weights, Spec) else repr(weights)


def _table(dataset: Dataset, rows: Rows, weight: Any, scaler: FittedScaler | None) -> Any:
    import polars as pl  # noqa: PLC0415 (models need no tables)

    decisions, time = dataset.decisions.take(rows), pl.Datetime("us", "UTC")
    own = {"symbol", "decided_at", "weight", *_label_columns(dataset)}
    if taken := sorted(own & set(dataset.features.columns)):
        raise ConfigError(
            f"Features {', '.join(taken)} are called as columns of the export are. Rename them."
        )
    columns: dict[str, Any] = {
        "symbol": pl.Series(decisions.symbol).cast(pl.Categorical),
        "decided_at": pl.Series(decisions.decided_at).cast(time),
    }
    values = dataset.features.values
    picked = None if scaler is None else scaler.apply(values[rows])
    for place, name in enumerate(dataset.features.columns):
        columns[name] = values[rows, place] if picked is None else picked[:, place]
    for name, column in _label_columns(dataset).items():
        picked_label = pl.Series(column[rows])
        is_time = picked_label.dtype == pl.Datetime("us")
        columns[name] = picked_label.cast(time) if is_time else picked_label.fill_nan(None)
    return pl.DataFrame(columns | {"weight": weight})


def _label_columns(dataset: Dataset) -> dict[str, Any]:
    """Columns of every horizon: the label, the return behind it, and when both are known."""
    labels = dataset.labels
    return {
        at_horizon(what, horizon): table[:, place]
        for place, horizon in enumerate(labels.target.horizons)
        for what, table in (
            (LABEL, labels.values),
            (LABEL_RETURN, labels.returns),
            (KNOWN_AT, labels.known_at),
        )
    }


def _facts(dataset: Dataset, rows: Rows) -> dict[str, Any]:
    decided_at, known_at = dataset.decisions.decided_at[rows], dataset.labels.all_known_at[rows]
    missing = dataset.labels.missing[rows]
    return {
        "rows": len(rows),
        "open": int((np.isnat(known_at) & ~missing.any(axis=1)).sum()),
        "missing": dict(zip(dataset.target.horizons, missing.sum(axis=0).tolist(), strict=True)),
        "from": iso(decided_at.min()),
        "to": iso(decided_at.max()),
        "known_through": iso(known_at[~np.isnat(known_at)].max(initial=decided_at.min())),
    }


def _write_json(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, indent=1, allow_nan=False))
