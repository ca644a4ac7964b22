"""The trials of a study, by which a verdict prices luck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from barstack.bars import Panel
from barstack.core.schedule import AT_EACH_CLOSE
from barstack.core.spec import content_id
from barstack.core.times import iso
from barstack.tracking import BarPrint, Trial

from ._data import length_us
from ._engine import Engine
from ._study import Study


def data_of(engine: Engine) -> str:
    """Content id of an engine's bars and series together, as `data_id` has it, from their keys."""
    bars = engine.key("bars")
    return content_id([bars, engine.key("series")]) if engine.value("series") else bars


def trials_of(study: Study, engine: Engine) -> list[Trial]:
    """Each member and ensemble at each horizon, the one that the verdict is on first."""
    tried = {name: f"ensemble {name}" for name in study.ensemble_names}
    tried |= {name: f"member {name}" for name in study.members}
    judged = judged_on(study, engine)
    return [
        judged.trial(name, study.recipe_of(name), horizon, engine.key(task))
        for name, task in tried.items()
        for horizon in study.label.target.horizons
    ]


@dataclass(frozen=True)
class JudgedOn:
    """What all trials of a study have in common, as plain data.

    Attributes
    ----------
    data               content id of the bars and series
    setting            what forecasts depend on beside the model and the horizon
    symbols            judged together
    first_at, last_at  first and last decision, UTC
    bars               key of their prints in the ledger
    """

    data: str
    setting: list[Any]
    symbols: Sequence[str]
    first_at: str
    last_at: str
    bars: str = ""

    def trial(self, name: str, recipe: Any, horizon: str, forecasts: str) -> Trial:
        """A trial of a member or ensemble at a horizon, with the key of its forecasts.

        Its id holds how the bars were chosen, and its data their content, so that the same
        configuration on grown bars is a further look, which costs as much as any trial.
        """
        return Trial(
            id=content_id([recipe, horizon, self.setting]),
            data=self.data,
            name=name,
            horizon=horizon,
            symbols=tuple(self.symbols),  # a list once it was JSON
            first_at=self.first_at,
            last_at=self.last_at,
            forecasts=forecasts,
            bars=self.bars,
        )


def judged_on(study: Study, engine: Engine) -> JudgedOn:
    """Of a study on its bars, of which the ledger keeps prints.

    Costs change no forecast and are left out.
    """
    panel: Panel = engine.value("bars")
    bar_format = engine.value("format")
    features_id = study.feature_set(length_us(panel)).id
    source = study.bars
    chosen = [length_us(panel), bar_format.calendar, bar_format.hours, source.start, source.end]
    seen = [study.label.id, study.split.id, study.scaler.id, study.weights.id, study.max_gap]
    decided_at = AT_EACH_CLOSE.decisions(panel).decided_at
    return JudgedOn(
        data_of(engine),
        [*chosen, sorted(panel), features_id, *seen, study.seed],
        tuple(panel),
        iso(decided_at.min()),
        iso(decided_at.max()),
        engine.forecasts.keep_bars(
            {
                symbol: BarPrint.of(bars.closed_at, bars.records["close"])
                for symbol, bars in panel.items()
            }
        ),
    )
