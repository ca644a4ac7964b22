"""Compiled parts: elimination of models from a confidence set, and symmetric cross-validation."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
from numba import njit

_ROUNDING = 1e-13  # of the moments that a variance is the difference of


@njit(cache=True)
def eliminate_by_max(means, resampled, gram, order, p_values):  # noqa: PLR0912, PLR0915
    """Fill the models in the order of their elimination, and the p-value of each step.

    means      (n_models,) mean losses
    resampled  (repetitions, n_models) resampled means less means
    gram       (n_models, n_models) mean product of two columns of `resampled`
    order      (n_models,) int64, to be filled
    p_values   (n_models,) to be filled

    The set's mean is subtracted from every column, so that a step changes all of them. Their
    second moments follow from the Gram matrix; of the resamplings only the count of those whose
    largest value exceeds the statistic is needed, and each is left at the first that does.
    """
    repetitions, n_models = resampled.shape
    alive = np.arange(n_models)
    count = n_models
    average = np.empty(repetitions)
    for b in range(repetitions):
        average[b] = resampled[b].mean()
    # Mean product of a column with the average, and mean square of the average.
    cross = np.empty(n_models)
    for j in range(n_models):
        cross[j] = gram[j].mean()
    square = cross.mean()
    grand = means.mean()
    last = np.zeros(repetitions, np.int64)  # the model that exceeded in the step before
    spread = np.empty(n_models)
    place = 0
    while count > 1:
        statistic = -np.inf
        for a in range(count):
            j = alive[a]
            variance = gram[j, j] - 2.0 * cross[j] + square
            varies = variance > _ROUNDING * (gram[j, j] + square)
            spread[j] = sqrt(variance) if varies else np.inf
            statistic = max(statistic, (means[j] - grand) / spread[j])
        if statistic <= 0.0:  # only models that are alike are left
            break
        for a in range(count):
            spread[alive[a]] *= statistic
        over = 0
        for b in range(repetitions):
            j = last[b]
            if resampled[b, j] - average[b] > spread[j]:
                over += 1
                continue
            for a in range(count):
                j = alive[a]
                if resampled[b, j] - average[b] > spread[j]:
                    over += 1
                    last[b] = j
                    break
        p = (1.0 + over) / (1.0 + repetitions)
        # All that share the largest value leave together.
        kept = 0
        gone = 0
        for a in range(count):
            j = alive[a]
            if _equal(means[j] - grand, spread[j]):
                order[place + gone] = j
                p_values[place + gone] = p
                gone += 1
            else:
                alive[kept] = j
                kept += 1
        if kept == 0 or gone == 0:
            count = kept
            place += gone
            break
        total = count * grand
        for g in range(gone):
            i = order[place + g]
            total -= means[i]
            rest = count - 1.0
            for b in range(repetitions):
                average[b] = (count * average[b] - resampled[b, i]) / rest
            # <a', a'> from <a, a>, with a' = (count a - d_i) / rest
            square = (count * count * square - 2.0 * count * cross[i] + gram[i, i]) / (rest * rest)
            for j in range(n_models):
                cross[j] = (count * cross[j] - gram[i, j]) / rest
            count -= 1
        grand = total / count
        place += gone
        for b in range(repetitions):
            if not _holds(alive, count, last[b]):
                last[b] = alive[0]
    for a in range(count):
        order[place + a] = alive[a]
        p_values[place + a] = 1.0


@njit(cache=True)
def _equal(one, other):
    return abs(one - other) <= 1e-12 * max(abs(one), abs(other))


@njit(cache=True)
def _holds(alive, count, model):
    """Whether a model is among the first `count`, which rise."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if alive[middle] < model:
            low = middle + 1
        else:
            high = middle
    return low < count and alive[low] == model


@njit(cache=True)
def eliminate_by_range(means, resampled, gram, order, p_values):  # noqa: PLR0912
    """As `eliminate_by_max`, by the largest difference of two models over its standard error."""
    repetitions, n_models = resampled.shape
    alive = np.arange(n_models)
    count = n_models
    scale = np.empty((n_models, n_models))
    for i in range(n_models):
        for j in range(n_models):
            both = gram[i, i] + gram[j, j]
            variance = both - 2.0 * gram[i, j]
            scale[i, j] = sqrt(variance) if variance > _ROUNDING * both else np.inf
    place = 0
    while count > 1:
        statistic, worst = -np.inf, 0
        for a in range(count):
            i = alive[a]
            for c in range(count):
                j = alive[c]
                if (means[i] - means[j]) / scale[i, j] > statistic:
                    statistic, worst = (means[i] - means[j]) / scale[i, j], i
        if statistic <= 0.0:
            break
        over = 0
        for b in range(repetitions):
            found = False
            for a in range(count):
                i = alive[a]
                for c in range(count):
                    j = alive[c]
                    if resampled[b, i] - resampled[b, j] > statistic * scale[i, j]:
                        found = True
                        break
                if found:
                    over += 1
                    break
        order[place] = worst
        p_values[place] = (1.0 + over) / (1.0 + repetitions)
        place += 1
        kept = 0
        for a in range(count):
            if alive[a] != worst:
                alive[kept] = alive[a]
                kept += 1
        count = kept
    for a in range(count):
        order[place + a] = alive[a]
        p_values[place + a] = 1.0


@njit(cache=True)
def symmetric_halves(sums, squares, rows, halves, logits, inside, outside):
    """Fill what became of the best trial of each half in the other half.

    sums, squares    (n_blocks, n_trials) of each block of rows
    rows             rows of a block
    halves           (n_halves, n_blocks) bool, the blocks of the first half; each stands for its
                     complement too
    logits           (2 n_halves,) to be filled: of the best one's relative rank in the other half
    inside, outside  (2 n_halves,) to be filled: Sharpe ratio of the best in its half and outside

    Equal ones rank low.
    """
    n_blocks, n_trials = sums.shape
    size = rows * n_blocks // 2
    sums_one, sums_two = np.empty(n_trials), np.empty(n_trials)
    squares_one, squares_two = np.empty(n_trials), np.empty(n_trials)
    one, two = np.empty(n_trials), np.empty(n_trials)
    for h in range(len(halves)):
        sums_one[:] = 0.0
        sums_two[:] = 0.0
        squares_one[:] = 0.0
        squares_two[:] = 0.0
        for s in range(n_blocks):
            if halves[h, s]:
                for j in range(n_trials):
                    sums_one[j] += sums[s, j]
                    squares_one[j] += squares[s, j]
            else:
                for j in range(n_trials):
                    sums_two[j] += sums[s, j]
                    squares_two[j] += squares[s, j]
        _sharpes(sums_one, squares_one, size, one)
        _sharpes(sums_two, squares_two, size, two)
        _judge(one, two, 2 * h, logits, inside, outside)
        _judge(two, one, 2 * h + 1, logits, inside, outside)


@njit(cache=True)
def _sharpes(sums, squares, size, found):
    for j in range(len(sums)):
        mean = sums[j] / size
        variance = (squares[j] - sums[j] * mean) / (size - 1)
        # Below it there is only rounding: a trial that never trades scores 0.
        found[j] = mean / sqrt(variance) if variance > 1e-14 * squares[j] / size else 0.0


@njit(cache=True)
def _judge(own, other, place, logits, inside, outside):
    best = np.argmax(own)
    below = 0
    for j in range(len(own)):
        below += other[j] < other[best]
    share = (1.0 + below) / (len(own) + 1.0)
    logits[place] = log(share / (1.0 - share))
    inside[place] = own[best]
    outside[place] = other[best]
