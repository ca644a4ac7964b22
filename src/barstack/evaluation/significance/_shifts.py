"""Permutation tests that keep the dependence: forecasts against returns of another time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Floats, Ints
from barstack.core.errors import ConfigError, DataError

from ._resampling import checked


@dataclass(frozen=True)
class ShiftTest:
    """How often positions of another time do at least as well.

    statistic  sum of position x return, the means of both taken off
    p_value    one-sided, (1 + at least as good) / (1 + shifts)
    shifts     number of other times compared with
    """

    statistic: float
    p_value: float
    shifts: int


def shift_test(position: Floats, returns: Floats, *, least: int = 1) -> ShiftTest:
    """Hold positions against the returns of every other time, round the circle.

    A circular shift keeps how positions and returns each depend on their own past (persistence,
    clustered volatility) and takes away only what joins them, so no block length has to be chosen.
    All shifts are made at once by a Fourier transform. Under the null that the two are independent
    and stationary, every shift is as likely the best one; the two places where the circle closes
    make this exact only in the limit. Shifts shorter than `least` are left out, since they are
    nearly the same.

    Parameters
    ----------
    position, returns
        (n_times,), or (n_times, n_symbols), which are shifted together, so that what symbols
        have in common stays.
    least
        Shortest shift: the longest time over which positions or returns depend on their past.

    Raises
    ------
    ConfigError
        Where fewer than 19 shifts are left, of which no p-value of 5 % can come.

    >>> rng = np.random.default_rng(0)
    >>> returns = rng.normal(size=500)
    >>> shift_test(np.sign(returns + 3 * rng.normal(size=500)), returns).p_value < 0.01
    True
    """
    one, other = checked(position), checked(returns)
    if one.shape != other.shape:
        raise DataError(
            f"Positions have the shape {one.shape} and returns {other.shape}; give both on the "
            "same times and symbols."
        )
    n_times = len(one)
    if least < 1 or n_times + 1 - 2 * least < 19:
        raise ConfigError(
            f"With {n_times} times and least = {least} there are {max(n_times + 1 - 2 * least, 0)} "
            "shifts; give longer series or a smaller least, such that 19 or more are left."
        )
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)
    product = np.conj(np.fft.rfft(one, axis=0)) * np.fft.rfft(other, axis=0)
    by_shift = np.fft.irfft(product.sum(axis=1), n_times)
    others = by_shift[least : n_times + 1 - least]
    rounding = 1e-12 * float(np.abs(by_shift).max())
    over = int((others >= by_shift[0] - rounding).sum())
    return ShiftTest(float(by_shift[0]), (1.0 + over) / (1.0 + len(others)), len(others))


def block_permutation_test(
    statistic: Callable[[Ints], float],
    n_times: int,
    block: int,
    *,
    repetitions: int = 999,
    seed: int = 0,
) -> float:
    """One-sided p-value of a statistic, by putting blocks of time in another order.

    For statistics that no Fourier transform makes quick, such as a rank correlation. A block that
    is long beside the dependence keeps nearly all of it.

    Parameters
    ----------
    statistic
        From (n_times,) rows, by which one of the two series is reordered and the other is not, to
        a number; large speaks for a connection.
    block
        Times in a block; what is left over stays behind the last one.
    repetitions
        Number of random orders, each begun at a random place of the circle.

    >>> x, y = np.random.default_rng(0).normal(size=(2, 300))
    >>> y += 0.5 * x
    >>> block_permutation_test(lambda rows: float(x[rows] @ y), 300, 10)
    0.001
    """
    if not 1 <= block <= n_times // 5:
        raise ConfigError(
            f"block is {block} of {n_times} times; give 1 to {n_times // 5}, so that there are "
            "five blocks or more to put in order."
        )
    rng = np.random.default_rng(seed)
    observed = statistic(np.arange(n_times))
    over = 0
    for _ in range(repetitions):
        turned = (np.arange(n_times) + rng.integers(n_times)) % n_times
        whole = turned[: n_times // block * block].reshape(-1, block)
        rows = np.concatenate([rng.permutation(whole).ravel(), turned[whole.size :]])
        over += statistic(rows) >= observed
    return (1.0 + over) / (1.0 + repetitions)
