"""Detectors of market regimes: models whose forecast is a distribution over `REGIMES`."""

from __future__ import annotations

from ._detected import DetectedRegimes, detect_regime
from ._regime import RegimeDetector

__all__ = ["DetectedRegimes", "RegimeDetector", "detect_regime"]
