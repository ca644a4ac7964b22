"""The stationary bootstrap of many series at once: block length, resamplings, and their means."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from barstack.core.arrays import Floats, Ints
from barstack.core.errors import DataError

REPETITIONS = 1_000
FEWEST_TIMES = 20
_COLUMNS = 256  # transformed at once
_ROUNDING = 1e-24  # of the mean square: a variance below it is only rounding


def block_length(series: Floats, *, span: int = 1) -> float:
    """Mean block length that suits the stationary bootstrap of these series.

    The rule of Politis and White (2004), corrected by Patton, Politis and White (2009), for each
    series by itself; of many series the mean. Autocovariances up to m lags enter, where m is twice
    the first lag beyond which five in a row are no larger than chance makes them.

    Parameters
    ----------
    series
        (n_times,) or (n_times, n_series).
    span
        Times that one outcome covers; where that is more than one, the block is at least twice as
        long.

    >>> rng = np.random.default_rng(0)
    >>> noise = rng.normal(size=2000)
    >>> smooth = np.convolve(noise, np.ones(12) / 12, "valid")
    >>> block_length(noise) < 5 < 15 < block_length(smooth)
    True
    """
    table = checked(series)
    n_times = len(table)
    centred = table - table.mean(axis=0)
    found = np.ones(table.shape[1])
    varies = np.flatnonzero((centred**2).mean(axis=0) > _ROUNDING * (table**2).mean(axis=0))
    if len(varies):
        found[varies] = _lengths(np.ascontiguousarray(centred[:, varies].T))
    longest = math.ceil(min(3.0 * math.sqrt(n_times), n_times / 3.0))
    least = 2 * span if span > 1 else 1
    return float(max(min(found.mean(), longest), min(least, longest), 1.0))


def _lengths(centred: Floats) -> Floats:
    """(n_series,) lengths; centred is (n_series, n_times)."""
    n_times = centred.shape[1]
    run = max(5, int(math.log10(n_times)))
    most = min(math.ceil(math.sqrt(n_times)) + run, n_times - 2)
    covariance = np.empty((len(centred), most + 1))
    correlation = np.empty_like(covariance)
    squares = np.cumsum(centred**2, axis=1)
    for lag in range(most + 1):
        product = np.einsum("ij,ij->i", centred[:, lag:], centred[:, : n_times - lag])
        covariance[:, lag] = product / n_times
        # As in arch: both norms leave out one value more than the product does.
        late = squares[:, -1] - squares[:, lag]
        early = squares[:, n_times - lag - 2]
        correlation[:, lag] = np.abs(product) / np.sqrt(np.maximum(late * early, 1e-300))
    small = correlation < 2.0 * math.sqrt(math.log10(n_times) / n_times)
    # runs[:, i] tells whether lags i to i + run - 1 are all small; the last window ends before
    # the last lag, as in arch.
    counts = np.cumsum(np.hstack([np.zeros((len(centred), 1)), small]), axis=1)
    runs = counts[:, run:-1] - counts[:, : -run - 1] == run
    first = np.argmax(runs, axis=1)
    lags = np.where(runs.any(axis=1), np.minimum(2 * np.maximum(first, 1), most), most)
    at = np.arange(1, most + 1)
    share = at / lags[:, None]
    weight = np.where(share <= 0.5, 1.0, 2.0 * (1.0 - share)) * (share <= 1.0)
    slope = 2.0 * (weight * at * covariance[:, 1:]).sum(axis=1)
    spread = covariance[:, 0] + 2.0 * (weight * covariance[:, 1:]).sum(axis=1)
    return np.asarray(np.cbrt(slope**2 / np.maximum(spread**2, 1e-300) * n_times))


def stationary_indices(n_times: int, repetitions: int, block: float, seed: int) -> Ints:
    """(repetitions, n_times) rows of stationary bootstrap samples.

    Politis and Romano (1994): blocks begin anywhere, have geometric lengths of mean `block`, and
    go on at the first row after the last one.

    >>> rows = stationary_indices(6, 2, 3.0, seed=0)
    >>> rows.shape, bool((rows < 6).all())
    ((2, 6), True)
    """
    rng = np.random.default_rng(seed)
    start = rng.integers(n_times, size=(repetitions, n_times))
    begins = rng.random((repetitions, n_times)) < 1.0 / block
    begins[:, 0] = True
    at = np.arange(n_times)
    begun = np.maximum.accumulate(np.where(begins, at, 0), axis=1)
    return np.asarray((np.take_along_axis(start, begun, axis=1) + at - begun) % n_times)


def counts_of(indices: Ints) -> Floats:
    """(repetitions, n_times) how often each sample holds each row.

    >>> counts_of(np.array([[0, 1, 1], [2, 2, 2]]))
    array([[1., 2., 0.],
           [0., 0., 3.]])
    """
    repetitions, n_times = indices.shape
    flat = indices + n_times * np.arange(repetitions)[:, None]
    counts = np.bincount(flat.ravel(), minlength=repetitions * n_times)
    return counts.reshape(repetitions, n_times).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Resampled:
    """Means of many series and of their resamplings: what all tests of many trials share.

    >>> returns = np.random.default_rng(0).normal(size=(100, 3))
    >>> resampled = resample(returns, repetitions=200)
    >>> resampled.deviations.shape, resampled.flipped().mean[0] == -resampled.mean[0]
    ((200, 3), np.True_)

    Attributes
    ----------
    mean
        (n_series,) of each series.
    se
        (n_series,) standard errors of the means; infinite where a series never varies.
    deviations
        (repetitions, n_series) mean of each resampling less the mean.
    ratios
        (repetitions, n_series) standard deviation of each resampling over that of the series.
    n_times
        Length of the series.
    block
        Mean length of the blocks.
    shrinkage
        Variance of the resampled means over the squared standard error, below 1.
    freedom
        Degrees of freedom of the part of a variance that is due to serial dependence.
    """

    mean: Floats
    se: Floats
    deviations: Floats
    ratios: Floats
    n_times: int
    block: float
    shrinkage: float
    freedom: float

    @property
    def t_values(self) -> Floats:
        """(n_series,) means over their standard errors."""
        return np.asarray(self.mean / self.se)

    @property
    def z_values(self) -> Floats:
        """(n_series,) t-values on the scale of the studentised resamplings.

        These vary with the variance of each resampling's values, not with its serial dependence,
        which is estimated with an error too. So a t-value is mapped to the normal one of the same
        probability under Student's t of `freedom`.
        """
        from scipy.special import ndtri, stdtr  # noqa: PLC0415

        t_values = self.t_values
        if math.isinf(self.freedom):
            return t_values
        sizes = -ndtri(np.maximum(stdtr(self.freedom, -np.abs(t_values)), 1e-300))
        return np.asarray(np.copysign(sizes, t_values))

    def flipped(self) -> Resampled:
        """Of the same series with their sign changed: returns as losses, and losses as returns."""
        return replace(self, mean=-self.mean, deviations=-self.deviations)

    def against(self, centre: Floats) -> Floats:
        """(repetitions, n_series) studentised resamplings, each with a standard error of its own.

        centre  (n_series,) subtracted from the resampled means; `mean` imposes the null
        """
        values = self.deviations + (self.mean - centre)
        values /= self.se * math.sqrt(self.shrinkage) * self.ratios
        return values


def resample(
    series: Floats,
    *,
    repetitions: int = REPETITIONS,
    block: float | None = None,
    span: int = 1,
    seed: int = 0,
    counts: Floats | None = None,
) -> Resampled:
    """Bootstrap the means of many series, all by the same resamplings of the times.

    Since the times are resampled jointly, the dependence between trials is kept. One matrix product
    gives all means, another all variances: a resampled mean is divided by its own standard
    error, which is what makes the bootstrap more exact than the normal distribution where tails are
    fat or skewed (Hall 1992). The variance of a series' resampled means is known in closed form;
    that of a resampling differs from it by the ratio of the variances of their values.

    Parameters
    ----------
    series
        (n_times, n_series) one column for each trial: returns, timing profits, or the
        benchmark's loss less the trial's. Positive is good.
    repetitions
        Number of resamplings.
    block
        Mean block length; by default that of `block_length`.
    span
        Times that one outcome covers.
    counts
        (repetitions, n_times) resamplings that are given, in place of drawing them.

    Raises
    ------
    DataError
        Where values are missing or there are fewer than 20 times.

    >>> returns = np.random.default_rng(0).normal([0.0, 0.2], 1.0, size=(500, 2))
    >>> resample(returns).t_values.round(1)
    array([-1.9,  4.6])
    """
    table = checked(series)
    n_times = len(table)
    if n_times < FEWEST_TIMES:
        raise DataError(
            f"{n_times} times are too few to resample; {FEWEST_TIMES} are the least, and hundreds "
            "are needed for a useful test."
        )
    block = block_length(table, span=span) if block is None else float(block)
    if counts is None:
        counts = counts_of(stationary_indices(n_times, repetitions, block, seed))
    mean = table.mean(axis=0)
    centred = table - mean
    variance = (centred**2).mean(axis=0)
    varies = variance > _ROUNDING * (table**2).mean(axis=0)
    deviations = counts @ centred / n_times
    squares = counts @ centred**2 / n_times - deviations**2
    ratios = np.sqrt(np.maximum(squares, 0.0) / np.where(varies, variance, 1.0))
    # A resampling of equal rows has no spread; its mean says nothing against the null.
    ratios[:, ~varies] = 1.0
    ratios = np.where(ratios > 1e-6, ratios, np.inf)
    # Means of deviations from a sample's own mean vary less than means do: of independent rows by
    # the factor 1 - (2 block - 1) / n_times, which follows from the bootstrap's kernel.
    shrinkage = max(1.0 - (2.0 * block - 1.0) / n_times, 0.5)
    spread = np.where(varies, bootstrap_variance(centred, block), 0.0)
    se = np.sqrt(np.where(spread > 0.0, spread / shrinkage, np.inf))
    # Of independent rows, autocovariances with the bootstrap's weights q^lag, q = 1 - 1 / block,
    # add 4 / n_times times the sum of q^(2 lag) to the relative variance of a variance.
    kept = (1.0 - 1.0 / block) ** 2
    freedom = n_times * (1.0 - kept) / (2.0 * kept) if kept > 0.0 else math.inf
    return Resampled(mean, se, deviations, ratios, n_times, block, shrinkage, freedom)


def bootstrap_variance(centred: Floats, block: float) -> Floats:
    """(n_series,) variance of the means of stationary bootstrap samples.

    Politis and Romano (1994), lemma 1: the autocovariance at each lag counts with
    (1 - lag / n) q^lag + lag / n q^(n - lag), q = 1 - 1 / block. Sums over lags are products of
    spectra.

    Parameters
    ----------
    centred
        (n_times, n_series) of mean zero.

    >>> bootstrap_variance(np.array([[1.0], [-1.0], [1.0], [-1.0]]), 1.0)
    array([0.25])
    """
    from scipy.fft import next_fast_len  # noqa: PLC0415

    n_times = len(centred)
    size = next_fast_len(2 * n_times - 1, real=True)
    kept, at = 1.0 - 1.0 / block, np.arange(n_times)
    weight = (1.0 - at / n_times) * kept**at + at / n_times * kept ** (n_times - at)
    around = np.zeros(size)
    around[:n_times] = weight
    around[size - n_times + 1 :] = weight[:0:-1]
    kernel = np.fft.rfft(around).real
    # Each frequency but the first, and the last of an even size, stands for its negative too.
    kernel[1 : len(kernel) - (size % 2 == 0)] *= 2.0
    found = np.empty(centred.shape[1])
    for first in range(0, len(found), _COLUMNS):
        spectrum = np.fft.rfft(centred[:, first : first + _COLUMNS].T, size)
        power = spectrum.real**2 + spectrum.imag**2
        found[first : first + _COLUMNS] = power @ kernel
    return np.asarray(np.maximum(found, 0.0) / (size * n_times**2))


def checked(series: Floats) -> Floats:
    """(n_times, n_series) finite numbers, or a DataError."""
    table = np.asarray(series, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or not table.size:
        raise DataError(
            f"Series of trials have the shape {table.shape}; give (n_times, n_trials), a row for "
            "each time and a column for each trial."
        )
    bad = ~np.isfinite(table)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"Trial {column} has no number at row {row}. Give all trials on the same times, and "
            "0 where a trial holds nothing."
        )
    return table
