"""Counting what has been tried, so that a verdict can price luck."""

from __future__ import annotations

from typing import Any, NamedTuple

from barstack.bars import Panel
from barstack.core.forecast import Target
from barstack.core.schedule import AT_EACH_CLOSE
from barstack.core.spec import content_id
from barstack.core.times import iso

from ._chain import Chain, Workplace
from ._data_stages import length_us
from ._series_stage import data_fingerprint
from ._study import Study


class Tried(NamedTuple):
    """What has been tried so far.

    trials  looks taken at any symbol of the study, all configurations together
    looks   of those, how many this study took of its own first ensemble: 1 unless data changed
    """

    trials: int
    looks: int


def count_trials(study: Study, workplace: Workplace, chain: Chain) -> Tried:
    """Enter this study's trials in the ledger and count all made on its symbols, ever.

    A trial is a member or ensemble at one horizon, judged on some bars and series. Its id holds
    how the bars were chosen; their content is kept beside it, so that the same configuration on
    grown bars is told as a further look, which costs as much as any trial. Costs change no forecast
    and are left out.
    """
    panel: Panel = chain.value("bars")
    features_id = study.feature_set(length_us(panel)).id
    source, bar_format = study.bars, study.bars.bar_format(workplace.folder)
    chosen = [length_us(panel), bar_format.calendar, bar_format.hours, source.start, source.end]
    seen = [study.label.id, study.split.id, study.scaler.id, study.weights.id, study.max_gap]
    setting = [*chosen, sorted(panel), features_id, *seen, study.seed]
    tried: dict[str, Any] = {name: model.id for name, model in study.members.items()}
    for each, name in zip(study.ensembles, study.ensemble_names, strict=True):
        tried[name] = [each.id, sorted(model.id for model in study.members.values())]
    target: Target = study.label.target
    trials = {
        (name, horizon): content_id([spec, horizon, setting])
        for name, spec in tried.items()
        for horizon in target.horizons
    }
    decided_at = AT_EACH_CLOSE.decisions(panel).decided_at
    ledger = workplace.ledger
    ledger.record(
        [(trial, f"{name} {horizon}") for (name, horizon), trial in trials.items()],
        panel,
        data_fingerprint(study, chain),
        iso(decided_at.min()),
        iso(decided_at.max()),
    )
    judged = trials[study.ensemble_names[0], target.horizons[0]]
    return Tried(ledger.count(panel), ledger.looks(judged))
