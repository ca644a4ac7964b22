"""How well forecasts rank: rank correlation, its steadiness, and hits by strength."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError
from barstack.core.times import Times

from .. import _metrics as metrics
from .._standard_errors import TimeBlocks
from ._measure import Measure, of_rows, of_sums


def rank_ic_measure(signal: Floats, returns: Floats, blocks: TimeBlocks) -> Measure:
    """Rank correlation (Spearman 1904) of forecasts and returns, with its interval.

    Parameters
    ----------
    signal, returns
        (n_rows,)
    blocks
        Of the rows, as `blocks_of` makes them.

    >>> times = np.datetime64("2026-01-05", "us") + np.arange(500) * np.timedelta64(1, "h")
    >>> from barstack.evaluation.measures import blocks_of
    >>> signal, noise = np.random.default_rng(0).normal(size=(2, 500))
    >>> found = rank_ic_measure(signal, 0.3 * signal + noise, blocks_of(times, 1))
    >>> found.low < 0.28 < found.high
    True
    """
    return of_rows(lambda rows: metrics.rank_ic(signal[rows], returns[rows]), blocks)


def icir(signal: Floats, returns: Floats, times: Times, period: str, blocks: TimeBlocks) -> Measure:
    """Information ratio of the IC: mean over standard deviation of each period's correlation.

    Grinold and Kahn (2000). It says how steady an IC is, per period; periods with fewer than five
    rows, or where nothing changes, are left out. Of many symbols take each moment as a period,
    of one symbol days or months.

    Parameters
    ----------
    signal, returns, times
        (n_rows,)
    period
        A numpy unit of time that rows are grouped by, such as "D" or "M"; "us" for each moment.
    blocks
        Of the rows; a period belongs to the block of its first row.

    >>> times = np.datetime64("2026-01-05", "us") + np.arange(2400) * np.timedelta64(1, "h")
    >>> from barstack.evaluation.measures import blocks_of
    >>> signal, noise = np.random.default_rng(0).normal(size=(2, 2400))
    >>> icir(signal, 0.3 * signal + noise, times, "D", blocks_of(times, 1)).value > 1.0
    True
    """
    _, first, group = np.unique(
        times.astype(f"datetime64[{period}]"), return_index=True, return_inverse=True
    )
    order = np.argsort(group, kind="stable")
    cuts = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    each = np.array(
        [metrics.ic(signal[rows], returns[rows]) if len(rows) >= 5 else np.nan for rows in cuts]
    )
    known = np.isfinite(each)
    values = each[known]
    terms = np.stack([np.ones(len(values)), values, values**2], axis=1)
    return of_sums(ratio_of_sums, terms, blocks.take(first[known]))


def ratio_of_sums(sums: Floats) -> Floats:
    """(m,) means over standard deviations from counts, sums and sums of squares."""
    count, total, squares = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / count
        variance = (squares - total * mean) / (count - 1.0)
        varies = variance > 1e-12 * squares / count
        return np.where(varies, mean / np.sqrt(np.where(varies, variance, 1.0)), np.nan)


@dataclass(frozen=True)
class StrengthGroup:
    """Hits of forecasts of about the same strength.

    n_rows    forecasts of the group with a move
    weakest, strongest  size of the forecasts, in their unit
    hit_rate  share of moves whose sign was forecast
    """

    n_rows: int
    weakest: float
    strongest: float
    hit_rate: Measure


def hit_rate_by_strength(
    signal: Floats, returns: Floats, blocks: TimeBlocks, groups: int = 5
) -> list[StrengthGroup]:
    """Directional accuracy by size of the forecast, weakest first; strong ones should hit more.

    Parameters
    ----------
    signal, returns
        (n_rows,); rows without a forecast or a move are left out.
    blocks
        Of the rows.
    groups
        Number of groups of equally many forecasts; equal sizes stay together.

    >>> times = np.datetime64("2026-01-05", "us") + np.arange(3000) * np.timedelta64(1, "h")
    >>> from barstack.evaluation.measures import blocks_of
    >>> signal, noise = np.random.default_rng(0).normal(size=(2, 3000))
    >>> found = hit_rate_by_strength(signal, 0.3 * signal + noise, blocks_of(times, 1), 3)
    >>> [round(group.hit_rate.value, 2) for group in found]
    [0.49, 0.59, 0.68]
    """
    if groups < 1:
        raise ConfigError(f"groups is {groups}; give 1 or more.")
    rows = np.flatnonzero((signal != 0.0) & (returns != 0.0))
    size = np.abs(signal[rows])
    if not len(rows):
        return []
    edges = np.unique(np.quantile(size, np.linspace(0.0, 1.0, groups + 1)))
    group = np.clip(np.searchsorted(edges, size, side="right") - 1, 0, max(len(edges) - 2, 0))
    found = []
    for number in np.unique(group):
        own = rows[group == number]
        terms = metrics.mean_terms(metrics.hits(signal[own], returns[own]))
        strength = np.abs(signal[own])
        found.append(
            StrengthGroup(
                len(own),
                float(strength.min()),
                float(strength.max()),
                of_sums(metrics.mean_of_sums, terms, blocks.take(own)),
            )
        )
    return found
