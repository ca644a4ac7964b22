"""Ensembles: combining members from their out-of-fold forecasts, and the artifact of it all."""

from . import _weighted  # noqa: F401 (registers them)
from ._artifact import TrainedEnsemble
from ._calls import load as load_ensemble
from ._ensemble import (
    ENSEMBLES,
    Ensemble,
    FittedEnsemble,
    MemberForecasts,
    align,
    fit_known,
    register,
    walk_forward,
)
from ._live import LiveEnsemble
from ._manifest import Manifest, verified_manifest
from ._one_row import OneRowEnsemble
from ._reload import check_reloads
from ._signature import new_key, sign, verify

__all__ = [
    "ENSEMBLES",
    "Ensemble",
    "FittedEnsemble",
    "LiveEnsemble",
    "Manifest",
    "MemberForecasts",
    "OneRowEnsemble",
    "TrainedEnsemble",
    "align",
    "check_reloads",
    "fit_known",
    "load_ensemble",
    "new_key",
    "register",
    "sign",
    "verified_manifest",
    "verify",
    "walk_forward",
]
