"""Means over symbols or worlds with their standard errors, paired where two are compared."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from _kept import Kept
from rich.console import Console
from rich.progress import track
from rich.table import Table

from barstack.core.arrays import Floats

NOISE = 2.0  # standard errors beyond which a difference is not put down to luck


def mean_se(values: Iterable[float]) -> tuple[float, float]:
    """Mean of independent values and its standard error; 0 where they are all alike."""
    each = np.array(list(values), float)
    if len(each) < 2:
        return float(each.mean()), float("nan")
    return float(each.mean()), float(each.std(ddof=1) / np.sqrt(len(each)))


def z_of(values: Iterable[float]) -> float:
    """Mean in standard errors; 0 where all are 0."""
    mean, error = mean_se(values)
    if error == 0.0:
        return 0.0 if mean == 0.0 else float(np.copysign(np.inf, mean))
    return mean / error


def ratio_se(over: Floats, under: Floats) -> tuple[float, float]:
    """Ratio of two means of pairs and its standard error, by leaving out one pair at a time."""
    whole = float(over.sum() / under.sum())
    left = (over.sum() - over) / (under.sum() - under)
    n = len(left)
    return whole, float(np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum()))


def by_group(values: Floats, groups: Sequence[str]) -> Floats:
    """(n_groups,) means within each group, such as the frequencies of one symbol."""
    _, place = np.unique(np.array(groups), return_inverse=True)
    return np.asarray(np.bincount(place, values) / np.bincount(place))


def ranks(losses: Mapping[str, Floats]) -> dict[str, float]:
    """Mean rank of each method over all cases, 1 for the least loss; equal ones share theirs."""
    from scipy.stats import rankdata  # noqa: PLC0415

    table = rankdata(np.stack(list(losses.values())), axis=0)
    return dict(zip(losses, table.mean(axis=1).round(2).tolist(), strict=True))


def rounded(pair: Iterable[float], digits: int = 5) -> list[float]:
    """For a file that people read."""
    return [round(float(each), digits) for each in pair]


def computed(
    kept: Kept, work: Callable[[Any], Any], tasks: Mapping[str, Any], processes: int, what: str
) -> dict[str, Any]:
    """The result of each task by its key, in worker processes, those of a stopped run included."""
    left = {key: task for key, task in tasks.items() if key not in kept}
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        results = pool.imap(work, left.values())
        for key, result in track(zip(left, results, strict=True), what, len(left)):
            kept[key] = result
    return {key: kept[key] for key in tasks}


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on the screen."""
    table = Table(title=title)
    table.add_column(columns[0], no_wrap=True)
    for column in columns[1:]:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console(width=160).print(table)
