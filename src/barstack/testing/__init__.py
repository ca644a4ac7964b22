"""Contract suites for barstack's own parts and for plugins. Nothing in barstack imports this."""

from ._bar_checks import BAR_CHECKS, sound_bars
from ._bars import walk
from ._ensembles import ENSEMBLE_CHECKS, small_stacked
from ._expect import expect, fail
from ._features import FEATURE_CHECKS
from ._labels_and_splits import LABEL_CHECKS, SPLITTER_CHECKS, shared_steps
from ._models import MODEL_CHECKS, regime_dataset, small_dataset, training_rows
from ._parametrize import (
    BoundCheck,
    ForTask,
    InFolder,
    StageNamed,
    StoreIn,
    checks_of,
    parametrize_with_checks,
)
from ._providers import PROVIDER_CHECKS
from ._regimes import regime_filter_share
from ._scalers import SCALER_CHECKS, wild_values
from ._stages import STAGE_CHECKS, StageWork, small_study
from ._store import SHARED_STORE_CHECKS, STORE_CHECKS, made_up_forecasts, made_up_trial
from ._sweeps import small_sweep_series
from ._worlds import WORLD_CHECKS, z_scores

__all__ = [
    "BAR_CHECKS",
    "ENSEMBLE_CHECKS",
    "FEATURE_CHECKS",
    "LABEL_CHECKS",
    "MODEL_CHECKS",
    "PROVIDER_CHECKS",
    "SCALER_CHECKS",
    "SHARED_STORE_CHECKS",
    "SPLITTER_CHECKS",
    "STAGE_CHECKS",
    "STORE_CHECKS",
    "WORLD_CHECKS",
    "BoundCheck",
    "ForTask",
    "InFolder",
    "StageNamed",
    "StageWork",
    "StoreIn",
    "checks_of",
    "expect",
    "fail",
    "made_up_forecasts",
    "made_up_trial",
    "parametrize_with_checks",
    "regime_dataset",
    "regime_filter_share",
    "shared_steps",
    "small_dataset",
    "small_stacked",
    "small_study",
    "small_sweep_series",
    "sound_bars",
    "training_rows",
    "walk",
    "wild_values",
    "z_scores",
]
