"""Files of weights that may be opened: those that a study or the user names, never an artifact."""

from __future__ import annotations

from pathlib import Path

# In the environment, paths with colons between, for artifacts that are loaded elsewhere.
WEIGHTS = "BARSTACK_WEIGHTS"
TOLD: set[Path] = set()  # that this process was told to train with
