"""What several files of tests of sweeps begin with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from barstack.experiments import Sweep


@pytest.fixture
def sweep_file(tmp_path: Path, study_file: Callable[..., Path]) -> Path:
    """A sweep of 24 experiments."""
    study_file(tmp_path)
    sweep = Sweep(
        study={
            "bars": {"provider": "files", "path": "bars"},
            "features": ["rsi", "body"],
            "split": {"split": "walk_forward", "folds": 2},
        },
        grid={"model": ["ridge"], "horizon": [1, 4], "model.penalty": list(range(1, 13))},
    )
    path = tmp_path / "sweep.yaml"
    path.write_text(sweep.to_yaml())
    return path
