"""Contract suites for barstack's own parts and for plugins. Nothing in barstack imports this."""

from ._bars import walk
from ._ensembles import ENSEMBLE_CHECKS, small_stacked
from ._features import FEATURE_CHECKS
from ._labels_and_splits import LABEL_CHECKS, SPLITTER_CHECKS, shared_steps
from ._models import MODEL_CHECKS, regime_dataset, small_dataset, training_rows
from ._regimes import regime_filter_share
from ._store import SHARED_STORE_CHECKS, STORE_CHECKS, made_up_forecasts, made_up_trial
from ._worlds import WORLD_CHECKS, z_scores

__all__ = [
    "ENSEMBLE_CHECKS",
    "FEATURE_CHECKS",
    "LABEL_CHECKS",
    "MODEL_CHECKS",
    "SHARED_STORE_CHECKS",
    "SPLITTER_CHECKS",
    "STORE_CHECKS",
    "WORLD_CHECKS",
    "made_up_forecasts",
    "made_up_trial",
    "regime_dataset",
    "regime_filter_share",
    "shared_steps",
    "small_dataset",
    "small_stacked",
    "training_rows",
    "walk",
    "z_scores",
]
