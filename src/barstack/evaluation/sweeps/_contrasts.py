"""What a setting changes, other settings being equal: weights on experiments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Bools, Floats, Ints

_MOST_LEVELS = 12  # of numbers; more, as random draws give, are taken in thirds


@dataclass(frozen=True, eq=False)
class Contrasts:
    """Each level of a setting against the other levels, within cells of equal other settings.

    Attributes
    ----------
    path
        Of the setting.
    levels
        (n_levels,) as people read them.
    means
        (n_experiments, n_levels) weights: the mean of a level over its cells.
    weights
        (n_experiments, n_levels) weights: a level less the mean of the other levels of its cell,
        averaged over cells. Each column sums to 0.
    experiments
        (n_levels,) how many there are of each.
    cells
        Number of cells that hold two levels or more.
    held_equal
        Settings that are equal within a cell.
    own
        Settings that are part of what a level is, of which each model has a value of its own.
    """

    path: str
    levels: tuple[str, ...]
    means: Floats
    weights: Floats
    experiments: Ints
    cells: int
    held_equal: tuple[str, ...]
    own: tuple[str, ...] = ()


def contrasts_of(settings: Sequence[Mapping[str, str]], path: str) -> Contrasts | None:
    """Contrasts of one setting; None where no two of its levels can be compared.

    Models are compared with the settings that all models have held equal, and averaged over their
    own. A setting that goes with the model, such as the horizons that a model of several learns,
    is its own too. Where hardly any two experiments differ in one setting alone, as among random
    draws, the model and the horizon are held equal, and chance does the rest.

    >>> grid = [{"model": m, "batch": b} for m in ("gru", "tcn") for b in ("32", "64")]
    >>> found = contrasts_of(grid, "batch")
    >>> found.levels, found.cells, found.weights[:, 0].tolist()
    (('32', '64'), 2, [0.5, -0.5, 0.5, -0.5])
    """
    having = [place for place, each in enumerate(settings) if path in each]
    labels, levels = _levels([settings[place][path] for place in having])
    if len(levels) < 2:
        return None
    others = dict.fromkeys(name for each in settings for name in each if name != path)
    own: tuple[str, ...] = ()
    if path == "model":
        others = dict.fromkeys(name for name in others if not name.startswith("model."))
        own = tuple(name for name in others if _goes_with(settings, path, name))
        others = dict.fromkeys(name for name in others if name not in own)
    cells = _cells(settings, having, labels, others)
    if sum(len(own) for cell in cells for own in cell.values()) < len(having) / 2:
        others = dict.fromkeys(name for name in ("model", "horizon") if name in others)
        cells = _cells(settings, having, labels, others)
    if not cells:
        return None
    shape = (len(settings), len(levels))
    means, weights = np.zeros(shape), np.zeros(shape)
    for column, level in enumerate(levels):
        own_cells = [cell for cell in cells if level in cell]
        for cell in own_cells:
            for name, members in cell.items():
                share = 1.0 / len(members) / len(own_cells)
                if name == level:
                    means[members, column] += share
                    weights[members, column] += share
                else:
                    weights[members, column] -= share / (len(cell) - 1)
    compared: Bools = np.asarray(means.any(axis=0))
    counts = np.array([labels.count(level) for level in levels])
    return Contrasts(
        path,
        tuple(level for level, there in zip(levels, compared.tolist(), strict=True) if there),
        means[:, compared],
        weights[:, compared],
        counts[compared],
        len(cells),
        tuple(others),
        own,
    )


def contrasts_against(
    settings: Sequence[Mapping[str, str]], path: str, base: str
) -> Contrasts | None:
    """Each level of a setting against one of them; None where nothing can be compared with that.

    All other settings are equal within a cell. Only cells that hold the base count.

    >>> grid = [{"model": m, "more": b} for m in ("gru", "tcn") for b in ("none", "news")]
    >>> found = contrasts_against(grid, "more", "none")
    >>> found.levels, found.weights[:, 0].tolist()
    (('news',), [-0.5, 0.5, -0.5, 0.5])
    """
    having = [place for place, each in enumerate(settings) if path in each]
    labels = [settings[place][path] for place in having]
    others = dict.fromkeys(name for each in settings for name in each if name != path)
    cells = [cell for cell in _cells(settings, having, labels, others) if base in cell]
    levels = [each for each in dict.fromkeys(labels) if any(each in cell for cell in cells)]
    levels = [each for each in levels if each != base]
    if not levels:
        return None
    means, weights = np.zeros((2, len(settings), len(levels)))
    counts = np.zeros(len(levels), np.int64)
    for column, level in enumerate(levels):
        own_cells = [cell for cell in cells if level in cell]
        counts[column] = sum(len(cell[level]) for cell in own_cells)
        for cell in own_cells:
            for name, sign in ((level, 1.0), (base, -1.0)):
                share = 1.0 / len(cell[name]) / len(own_cells)
                weights[cell[name], column] += sign * share
                if name == level:
                    means[cell[name], column] += share
    return Contrasts(path, tuple(levels), means, weights, counts, len(cells), tuple(others))


def _goes_with(settings: Sequence[Mapping[str, str]], path: str, name: str) -> bool:
    """Whether each level of `path` has one value of `name`, and not all the same."""
    values: dict[str | None, set[str | None]] = {}
    for each in settings:
        values.setdefault(each.get(path), set()).add(each.get(name))
    return all(len(each) == 1 for each in values.values()) and len(set.union(*values.values())) > 1


def _cells(
    settings: Sequence[Mapping[str, str]],
    having: Sequence[int],
    labels: Sequence[str],
    others: Iterable[str],
) -> list[dict[str, list[int]]]:
    """Experiments by level, of each cell with two levels or more."""
    found: dict[tuple[str | None, ...], dict[str, list[int]]] = {}
    for place, label in zip(having, labels, strict=True):
        key = tuple(settings[place].get(name) for name in others)
        found.setdefault(key, {}).setdefault(label, []).append(place)
    return [cell for cell in found.values() if len(cell) > 1]


def _levels(labels: list[str]) -> tuple[list[str], list[str]]:
    """Each label's level, and the levels in order: numbers rise, words as they first appear."""
    distinct = list(dict.fromkeys(labels))
    numbers = {}
    for each in distinct:
        try:
            numbers[each] = float(each)
        except ValueError:
            return labels, distinct
    distinct.sort(key=numbers.__getitem__)
    if len(distinct) <= _MOST_LEVELS:
        return labels, distinct
    third = np.array_split(np.array(distinct, dtype=object), 3)
    names = [f"{part[0]} to {part[-1]}" for part in third]
    of = {each: name for part, name in zip(third, names, strict=True) for each in part}
    return [of[each] for each in labels], names
