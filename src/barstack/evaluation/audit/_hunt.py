"""The whole hunt: every proof, stage by stage, on any pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from barstack.bars import as_panel
from barstack.core.errors import ConfigError, LeakError
from barstack.features import FeatureTable
from barstack.labels import LabelTable
from barstack.splits import Fold

from ._absences import hunt_absences
from ._apart import hunt_folds
from ._causal import made_again
from ._chosen import hunt_chosen
from ._clocks import hunt_bars
from ._door import read, read_features, read_folds, read_labels
from ._duplicates import hunt_duplicates
from ._earned import hunt_returns
from ._futures import KINDS, futures
from ._leak import Leak
from ._memory import hunt_memory
from ._moments import moments
from ._pipeline import Data, Pipeline
from ._prefix import Known, compare_features, compare_labels
from ._record import AuditRecord
from ._refits import hunt_fit
from ._targets import TOO_GOOD, hunt_targets

_SHORT_CUTS = 3


def hunt(
    pipeline: Pipeline,
    data: Data,
    *,
    cuts: int = 12,
    refits: int = 3,
    too_good: float = TOO_GOOD,
    short: bool = False,
    record: AuditRecord | None = None,
) -> Iterator[Leak]:
    """Every leak found in a pipeline, each stage and column once; none is good news.

    cuts      moments at which bars and series are cut and their future altered, beside the edges
              of folds and a few awkward places
    refits    folds that are fitted again, twice each: the first, the last and some between
    too_good  a correlation with the label that no column reaches in earnest
    short     three moments and no fits, as before every fit of a study
    record    counts what is done

    >>> from barstack.features import Feature, FeatureSet
    >>> from barstack.labels import LABELS
    >>> from barstack.splits import WalkForward
    >>> from barstack.testing import walk
    >>> features = FeatureSet(features=[Feature(feature="rsi")])
    >>> label = LABELS.parse({"label": "return", "horizons": [4]})
    >>> pipeline = Pipeline(
    ...     features=lambda data: features.compute(data.panel),
    ...     labels=lambda data: label.compute(data.panel),
    ...     folds=lambda features, labels: WalkForward(folds=2).split(
    ...         labels.decisions, labels.all_known_at),
    ... )
    >>> list(hunt(pipeline, Data({"WALK": walk(bars=200)})))
    []
    """
    if cuts < 1 or refits < 0:
        raise ConfigError(f"cuts must be 1 or more and refits 0 or more, got {cuts} and {refits}.")
    data = Data(as_panel(data.panel), data.series)
    record = AuditRecord() if record is None else record
    record.how = "short" if short else "full"
    told: set[tuple[str, str]] = set()
    cuts = _SHORT_CUTS if short else cuts
    for leak in _all(pipeline, data, cuts, refits, too_good, short, record):
        if (leak.stage, leak.column) not in told:
            told.add((leak.stage, leak.column))
            record.leaks += 1
            yield leak


def assert_clean(
    pipeline: Pipeline, data: Data, *, cuts: int = 12, refits: int = 3, too_good: float = TOO_GOOD
) -> None:
    """`LeakError` that names every leak of a pipeline; for tests. Arguments as of `hunt`."""
    leaks = [
        str(leak) for leak in hunt(pipeline, data, cuts=cuts, refits=refits, too_good=too_good)
    ]
    if leaks:
        raise LeakError("\n".join(leaks))


def _all(
    pipeline: Pipeline,
    data: Data,
    cuts: int,
    refits: int,
    too_good: float,
    short: bool,
    record: AuditRecord,
) -> Iterator[Leak]:
    features, labels = read(pipeline, data)
    folds = read_folds(pipeline, features, labels)
    record.folds = len(folds)
    yield from _prefixes(pipeline, data, features, labels, folds, cuts, short, record)
    yield from hunt_bars(data.panel)
    yield from hunt_absences(features, data)

    def made(data: Data) -> LabelTable:
        return read_labels(pipeline, data)

    yield from hunt_returns(labels, made, data, traded=pipeline.traded)
    yield from hunt_chosen(labels, made, data, *([2] if short else []))
    yield from hunt_folds(labels, folds)
    yield from hunt_duplicates(features, labels, folds)
    yield from hunt_targets(features, labels, data.panel, too_good, short=short)
    if short:
        return
    yield from hunt_memory(pipeline, data, features, labels, folds)
    if pipeline.fit is not None and folds and refits:
        # The last fold first, which has most to learn from.
        for number in np.unique(np.linspace(len(folds) - 1, 0, refits).astype(int))[::-1]:
            record.refitted.append(int(number))
            yield from hunt_fit(pipeline.fit, data, features, labels, folds, int(number))


def _prefixes(
    pipeline: Pipeline,
    data: Data,
    features: FeatureTable,
    labels: LabelTable,
    folds: Sequence[Fold],
    cuts: int,
    short: bool,
    record: AuditRecord,
) -> Iterator[Leak]:
    """Features and labels made again at each moment, without and with another future."""
    chosen = moments(data, features.decisions, () if short else folds, cuts, awkward=not short)
    record.cuts += len(chosen)
    for number, moment in enumerate(chosen):
        kind = KINDS[number % len(KINDS)]
        for future in futures(data, moment.at, kind, number):
            if moment.early and not future.same_shape:
                continue
            known = Known(moment.at, future.what, future.same_shape)
            table = made_again(lambda data: read_features(pipeline, data), future, moment.at)
            if table is not None:
                yield from compare_features(features, table, known, labels.all_known_at)
            answers = made_again(lambda data: read_labels(pipeline, data), future, moment.at)
            if answers is not None:
                yield from compare_labels(labels, answers, known)
