"""Forecasting: the artifact of a trained ensemble, and forecasts from it, in bulk or bar by bar."""

from ._artifact import TrainedEnsemble
from ._manifest import Manifest, verified_manifest
from ._models import Models
from ._one_row import LiveEnsemble, OneRowEnsemble
from ._predictor import Predictor, load
from ._reload import check_reloads
from ._signature import new_key, sign, verify
from ._streams import PanelStream, Stream

__all__ = [
    "LiveEnsemble",
    "Manifest",
    "Models",
    "OneRowEnsemble",
    "PanelStream",
    "Predictor",
    "Stream",
    "TrainedEnsemble",
    "check_reloads",
    "load",
    "new_key",
    "sign",
    "verified_manifest",
    "verify",
]
