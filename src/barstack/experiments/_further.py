"""The best experiments of a sweep again with more features: which, why those, and how compared.

The best are chosen on the first half of the decisions and compared on the second: on decisions that
chose it an experiment looks better than it is, and whatever is added to it would look harmful.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from barstack.core.errors import ConfigError
from barstack.evaluation.sweeps import ExperimentSeries, SweepTable, sweep_table

from ._feature_phase import MORE_FEATURES, NOTHING, Addition, FeaturePhase
from ._study import Study
from ._sweep_plan import PlannedExperiment


def further_experiments(
    phase: FeaturePhase,
    experiments: Sequence[PlannedExperiment],
    table: SweepTable,
    bar_length_us: Callable[[PlannedExperiment], int],
) -> list[PlannedExperiment]:
    """The best experiments again, with each addition; their numbers follow on those of the sweep.

    Parameters
    ----------
    experiments
        Of the sweep.
    table
        Of those that have completed.
    bar_length_us
        Length of an experiment's bars.

    Raises
    ------
    ConfigError
        Where an addition has nothing that an experiment does not have, or a series of the name of
        one of the study's.
    """
    found: list[PlannedExperiment] = []
    for each in best_of(phase, experiments, table):
        for name, addition in phase.add.items():
            study = _with(each, name, addition, bar_length_us(each))
            settings = {**each.settings, MORE_FEATURES: name}
            further = replace(
                each,
                number=len(experiments) + len(found),
                name=f"{each.name} +{name}",
                settings=settings,
                study=study,
            )
            found.append(further)
    return found


def best_of(
    phase: FeaturePhase, experiments: Sequence[PlannedExperiment], table: SweepTable
) -> list[PlannedExperiment]:
    """Those of the highest skill on the first half of the decision times, best first."""
    by_name = {each.name: each for each in experiments}
    skill = table.skill[: _half(table)].mean(axis=0)
    order = np.argsort(-skill, kind="stable")[: phase.best]
    return [by_name[table.names[place]] for place in order.tolist()]


def phase_table(
    table: SweepTable,
    best: Iterable[PlannedExperiment],
    before: Iterable[ExperimentSeries],
    further: Iterable[ExperimentSeries],
) -> SweepTable:
    """The best experiments without and with additions, on decisions that did not choose them.

    Parameters
    ----------
    table
        Of the sweep.
    best
        As `best_of` chose them.
    before, further
        Series of the sweep's experiments, and of those with additions.

    Raises
    ------
    DataError
        With fewer than 20 decision times.
    """
    chosen = {each.name for each in best}
    series: list[ExperimentSeries] = [
        replace(each, settings={**each.settings, MORE_FEATURES: NOTHING})
        for each in before
        if each.name in chosen
    ]
    series += further
    first = min(_half(table) + table.span, len(table.times) - 1)
    return sweep_table(series, since=table.times[first])


def _half(table: SweepTable) -> int:
    return max(len(table.times) // 2, 1)


def _with(each: PlannedExperiment, name: str, addition: Addition, bar_length_us: int) -> Study:
    study = each.study
    own = study.feature_set(bar_length_us).features
    columns = {feature.name for feature in own}
    more = tuple(f for f in addition.of(bar_length_us) if f.name not in columns)
    if not more and not addition.series:
        raise ConfigError(
            f"feature_phase: {name} adds nothing to {each.name!r}, which has all its columns. "
            "Leave it out, or begin the sweep with fewer features."
        )
    if taken := sorted(set(addition.series) & set(study.series)):
        raise ConfigError(
            f"feature_phase: {name} adds the series {', '.join(taken)}, which the study has. Give "
            "it another name."
        )
    series = {**study.series, **addition.series}
    return study.model_copy(update={"features": (*own, *more), "series": series})
