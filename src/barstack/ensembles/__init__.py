"""Ensembles: combining members from their out-of-fold forecasts."""

from . import _weighted  # noqa: F401 (registers them)
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

__all__ = [
    "ENSEMBLES",
    "Ensemble",
    "FittedEnsemble",
    "MemberForecasts",
    "align",
    "fit_known",
    "register",
    "walk_forward",
]
