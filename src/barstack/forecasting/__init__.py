"""Forecasting: the artifact of a trained ensemble, and forecasts from it, in bulk or bar by bar."""

from ._artifact import Provenance, TrainedEnsemble
from ._manifest import Manifest, verified_manifest
from ._models import Models
from ._one_row import LiveEnsemble, OneRowEnsemble
from ._predictor import Predictor, load
from ._regimes import NO_REGIME, regimes_at, with_features_of
from ._reload import ReloadCheck, check_reloads
from ._signature import new_key, sign, verify
from ._streams import PanelStream, Stream
from ._verdict import GivenVerdict, read_verdict, write_verdict

__all__ = [
    "NO_REGIME",
    "GivenVerdict",
    "LiveEnsemble",
    "Manifest",
    "Models",
    "OneRowEnsemble",
    "PanelStream",
    "Predictor",
    "Provenance",
    "ReloadCheck",
    "Stream",
    "TrainedEnsemble",
    "check_reloads",
    "load",
    "new_key",
    "read_verdict",
    "regimes_at",
    "sign",
    "verified_manifest",
    "verify",
    "with_features_of",
    "write_verdict",
]
