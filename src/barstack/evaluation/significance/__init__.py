"""Significance: what luck alone would do, for one series or for thousands of trials.

Pure functions of arrays of returns or losses. Rows are times, columns are trials.
"""

from ._anytime import EProcess, Interval, log_e_path
from ._confidence_set import confidence_set
from ._effective_trials import EffectiveTrials, effective_trials
from ._giacomini_white import ConditionalAbility, giacomini_white
from ._long_run import hac_se, long_run_variance
from ._many_trials import SuperiorAbility, careful, romano_wolf, spa, step_m
from ._overfitting import Overfitting, overfitting
from ._paths import PathDistribution, path_distribution, paths_of
from ._resampling import Resampled, block_length, counts_of, resample, stationary_indices
from ._sharpe import (
    SharpeRatio,
    deflated_sharpe,
    luckiest_sharpe,
    probabilistic_sharpe,
    sharpe_ratio,
    shortest_record,
)
from ._shifts import ShiftTest, block_permutation_test, shift_test

__all__ = [
    "ConditionalAbility",
    "EProcess",
    "EffectiveTrials",
    "Interval",
    "Overfitting",
    "PathDistribution",
    "Resampled",
    "SharpeRatio",
    "ShiftTest",
    "SuperiorAbility",
    "block_length",
    "block_permutation_test",
    "careful",
    "confidence_set",
    "counts_of",
    "deflated_sharpe",
    "effective_trials",
    "giacomini_white",
    "hac_se",
    "log_e_path",
    "long_run_variance",
    "luckiest_sharpe",
    "overfitting",
    "path_distribution",
    "paths_of",
    "probabilistic_sharpe",
    "resample",
    "romano_wolf",
    "sharpe_ratio",
    "shift_test",
    "shortest_record",
    "spa",
    "stationary_indices",
    "step_m",
]
