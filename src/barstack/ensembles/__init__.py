"""Ensembles: combining members from their out-of-fold forecasts."""

from ._ensemble import ENSEMBLES, Ensemble, register
from ._fitted import FittedEnsemble, fit_known, walk_forward
from ._layers import Layers
from ._regime_view import RegimeView
from ._stacked import Stacked, align
from ._weighted import Weighted

__all__ = [
    "ENSEMBLES",
    "Ensemble",
    "FittedEnsemble",
    "Layers",
    "RegimeView",
    "Stacked",
    "Weighted",
    "align",
    "fit_known",
    "register",
    "walk_forward",
]
