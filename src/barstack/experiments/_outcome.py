"""What finished tasks have found, as a run and its tracking read it."""

from __future__ import annotations

import json
from typing import Any

from barstack.core.forecast import Forecast

from ._engine import Engine


def forecasts_of(engine: Engine) -> dict[str, Forecast]:
    """Forecasts out of fold by name, of the ensembles, the judged one first, then members."""
    study = engine.study
    names = [f"ensemble {name}" for name in study.ensemble_names]
    names += [f"member {name}" for name in study.members]
    return {name.partition(" ")[2]: engine.value(name).out_of_fold.forecast for name in names}


def fits_of(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """Facts on each fit of each member: of every fold, and of the final fit last."""
    members = engine.place("tables").folder / "members"
    return {
        name: json.loads((members / name / "metrics.json").read_text())["fits"]
        for name in engine.study.members
    }
