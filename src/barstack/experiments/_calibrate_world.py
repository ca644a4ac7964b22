"""One world of a calibration: a study, whole, on bars like its own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from barstack.bars import Bars
from barstack.bars.sources import keep_frame
from barstack.core.horizon import Horizon
from barstack.worlds import world_like

from ._run import run_study
from ._study import Study


def run_on_world(study: Study, folder: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the study finds, as plain data.

    settings  seed, r2 and horizon_bars, as `world_like` takes them
    """
    panel = study.visible_bars.load(folder)
    layout = study.bars.bar_format(folder)
    frames = {
        symbol: world_like(
            bars,
            # Symbols have directions of their own, as many as there may be.
            1_000_003 * place + settings["seed"],
            r2=settings["r2"],
            horizon_bars=settings["horizon_bars"],
        ).to_frame()
        for place, (symbol, bars) in enumerate(panel.items())
    }
    with tempfile.TemporaryDirectory() as runs:
        bars = keep_frame(
            frames,
            runs=runs,
            calendar=layout.calendar,
            hours=layout.hours,
            stamp="open",
            day_zone=layout.day_zone,
            checks=dict(study.bars.checks),
        )
        # A sealed stretch and a stated plan are those of the real bars.
        content = study.content() | {"bars": bars, "holdout": "", "preregistered": None}
        run = run_study(Study(**content), folder=folder, runs=runs, workers=1, user_ledger=False)
        verdict = run.verdict
        best = min(verdict.evidence, key=lambda each: each.p_value)
        accuracy = [s.directional_accuracy for s in run.evaluation.scores if s.role != "naive"]
        return {
            "edge": verdict.edge,
            "trials": verdict.trials,
            "p_value": best.p_value,
            "p_adjusted": best.p_adjusted,
            "ic": best.ic,
            "best_accuracy": max((each for each in accuracy if each is not None), default=None),
        }


def horizon_bars(horizon: Horizon, bars: Bars) -> int:
    """About how many bars a horizon spans."""
    if horizon.unit == "bars":
        return horizon.count
    if horizon.unit == "sessions":
        sessions = len(set(bars.records["session"].tolist()))
        return max(round(horizon.count * len(bars) / max(sessions, 1)), 1)
    return max(round(horizon.count / bars.length_us), 1)
