"""The trials of a study, by which a verdict prices luck."""

from __future__ import annotations

from barstack.bars import Panel
from barstack.core.schedule import AT_EACH_CLOSE
from barstack.core.spec import content_id
from barstack.core.times import iso
from barstack.tracking import Trial

from ._data import length_us
from ._engine import Engine
from ._results import data_id
from ._study import Study


def trials_of(study: Study, engine: Engine) -> list[Trial]:
    """Each member and ensemble at each horizon, the one that the verdict is on first.

    A trial's id holds how the bars were chosen, and its data their content, so that the same
    configuration on grown bars is a further look, which costs as much as any trial. Costs change
    no forecast and are left out.
    """
    panel: Panel = engine.value("bars")
    bar_format = engine.value("format")
    features_id = study.feature_set(length_us(panel)).id
    source = study.bars
    chosen = [length_us(panel), bar_format.calendar, bar_format.hours, source.start, source.end]
    seen = [study.label.id, study.split.id, study.scaler.id, study.weights.id, study.max_gap]
    setting = [*chosen, sorted(panel), features_id, *seen, study.seed]
    tried = {name: (f"ensemble {name}", study.recipe_of(name)) for name in study.ensemble_names}
    tried |= {name: (f"member {name}", study.recipe_of(name)) for name in study.members}
    decided_at = AT_EACH_CLOSE.decisions(panel).decided_at
    data = data_id(panel, engine.value("series"))
    return [
        Trial(
            id=content_id([spec, horizon, setting]),
            data=data,
            name=name,
            horizon=horizon,
            symbols=tuple(panel),
            first_at=iso(decided_at.min()),
            last_at=iso(decided_at.max()),
            forecasts=engine.key(task),
        )
        for name, (task, spec) in tried.items()
        for horizon in study.label.target.horizons
    ]
