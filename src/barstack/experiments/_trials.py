"""Counting what has been tried, so that a verdict can price luck."""

from __future__ import annotations

from typing import Any

from barstack.bars import Panel
from barstack.core.forecast import Target
from barstack.core.spec import content_id
from barstack.core.times import iso
from barstack.features import decisions_of

from ._chain import Chain, Workplace
from ._data_stages import length_us
from ._study import Study


def count_trials(study: Study, workplace: Workplace, chain: Chain) -> int:
    """Enter this study's trials in the ledger and count all made on its symbols, ever.

    A trial is a member or ensemble at one horizon. Its id holds how the bars were chosen, not
    the bars: the same configuration on a few bars more is the same idea, while another period,
    basket, bar length or session is another one. Costs change no forecast and are left out.
    """
    panel: Panel = chain.value("bars")
    features_id = study.feature_set(length_us(panel)).id
    source = study.bars
    chosen = [length_us(panel), source.calendar, source.hours, source.start, source.end]
    seen = [study.label.id, study.split.id, study.scaler.id, study.weights.id, study.max_gap]
    setting = [*chosen, sorted(panel), features_id, *seen, study.seed]
    tried: dict[str, Any] = {name: model.id for name, model in study.members.items()}
    for each, name in zip(study.ensembles, study.ensemble_names, strict=True):
        tried[name] = [each.id, sorted(model.id for model in study.members.values())]
    target: Target = study.label.target
    trials = [
        (content_id([spec, horizon, setting]), f"{name} {horizon}")
        for name, spec in tried.items()
        for horizon in target.horizons
    ]
    decided_at = decisions_of(panel).decided_at
    ledger = workplace.ledger
    ledger.record(trials, panel, iso(decided_at.min()), iso(decided_at.max()))
    return ledger.count(panel)
