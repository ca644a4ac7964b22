"""Forecasting: the artifact of a trained ensemble, and forecasts from it, in bulk or bar by bar."""

from ._artifact import Provenance, TrainedEnsemble
from ._manifest import Manifest, verified_manifest
from ._models import Models
from ._one_row import LiveEnsemble, OneRowEnsemble
from ._predictor import Predictor, load
from ._reload import ReloadCheck, check_reloads
from ._signature import new_key, sign, verify
from ._streams import PanelStream, Stream
from ._verdict import GivenVerdict, read_verdict, write_verdict

__all__ = [
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
    "sign",
    "verified_manifest",
    "verify",
    "write_verdict",
]
