"""The whole hunt: every proof, stage by stage, on any pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from barstack.bars import as_panel
from barstack.core.arrays import Floats
from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, LeakError
from barstack.features import FeatureTable
from barstack.labels import LabelTable

from ._bars import hunt_absences, hunt_bars
from ._columns import TOO_GOOD, hunt_targets
from ._control import SAME, Alteration, Control, compare_features, compare_labels, refuse_unseeded
from ._cuts import KINDS, Future, Moment, altered, futures, moments, rare
from ._duplicates import hunt_duplicates
from ._folds import hunt_choice, hunt_folds, hunt_memory
from ._holdings import hunt_chosen, hunt_returns
from ._leak import AuditRecord, Leak
from ._pipeline import Data, Pipeline, read, read_features, read_folds, read_labels
from ._refits import Fits, chosen_folds

_SHORT_CUTS = 3
_RARE = 48  # moments right after rare rows


def hunt(
    pipeline: Pipeline,
    data: Data,
    *,
    cuts: int = 12,
    refits: int | None = None,
    too_good: float = TOO_GOOD,
    short: bool = False,
    record: AuditRecord | None = None,
) -> Iterator[Leak]:
    """Every leak found in a pipeline, each stage and column once; none is good news.

    cuts      moments at which bars and series are cut and their future altered, beside the edges
              of folds and a few awkward places
    refits    folds that are fitted again, several times each: by default all, else the last, the
              first and others drawn between
    too_good  a correlation with the label that no column reaches in earnest
    short     three moments and no fits, as in every run of a study
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
    if cuts < 1 or (refits or 0) < 0:
        raise ConfigError(f"cuts must be 1 or more and refits 0 or more, got {cuts} and {refits}.")
    data = Data(as_panel(data.panel), data.series)
    record = AuditRecord() if record is None else record
    record.how = "short" if short else "full"
    reported: set[tuple[str, str]] = set()
    cuts = _SHORT_CUTS if short else cuts
    for leak in _all(pipeline, data, cuts, refits, too_good, short, record):
        if (leak.stage, leak.column) not in reported:
            reported.add((leak.stage, leak.column))
            record.leaks += 1
            yield leak


def assert_clean(
    pipeline: Pipeline,
    data: Data,
    *,
    cuts: int = 12,
    refits: int | None = None,
    too_good: float = TOO_GOOD,
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
    refits: int | None,
    too_good: float,
    short: bool,
    record: AuditRecord,
) -> Iterator[Leak]:
    features, labels = read(pipeline, data)
    folds = read_folds(pipeline, features, labels)
    record.folds = len(folds)
    looks = _Looks(pipeline, data, features, labels)
    edges = () if short else folds
    yield from looks.prefixes(moments(data, features.decisions, edges, cuts, awkward=not short))
    if not short:
        yield from looks.rare(rare(data, features, _RARE))
    record.cuts += looks.cuts
    yield from looks.controls()
    record.seen += looks.seen()
    yield from hunt_bars(data.panel)
    yield from hunt_absences(features, data)

    def made(data: Data) -> LabelTable:
        return read_labels(pipeline, data)

    yield from hunt_returns(labels, made, data, traded=pipeline.traded)
    yield from hunt_chosen(labels, made, data, *([2] if short else []))
    yield from hunt_folds(labels, folds)
    yield from hunt_choice(pipeline, features, labels, folds)
    yield from hunt_duplicates(features, labels, folds)
    yield from hunt_targets(features, labels, data.panel, too_good, short=short)
    if short:
        return
    yield from hunt_memory(pipeline, data, features, labels, folds)
    if pipeline.fit is not None and folds and refits != 0:
        record.refitted += chosen_folds(len(folds), refits)
        fits = Fits(pipeline.fit, data, features, labels, folds, record.refitted)
        yield from fits.hunt()
        if fits.seen:
            record.seen.append("fits")


class _Looks:
    """Features and labels made again on other futures, and what showed of it."""

    def __init__(
        self, pipeline: Pipeline, data: Data, features: FeatureTable, labels: LabelTable
    ) -> None:
        self.pipeline, self.data, self.features, self.labels = pipeline, data, features, labels
        self.cuts = 0
        self._features = Control("features", features.decisions, features.columns, features.values)
        self._labels = Control("labels", labels.decisions, labels.target.horizons, labels.values)

    def prefixes(self, chosen: Sequence[Moment]) -> Iterator[Leak]:
        """At each moment the data cut off, and with another future."""
        for number, moment in enumerate(chosen):
            self.cuts += 1
            kind = KINDS[number % len(KINDS)]
            for future in futures(self.data, moment.at, kind, number):
                if moment.early and not future.same_shape:
                    continue
                yield from self._at(future, moment.at)

    def rare(self, chosen: Sequence[np.datetime64]) -> Iterator[Leak]:
        """Right after rare rows, with another future alone."""
        for number, at in enumerate(chosen):
            self.cuts += 1
            rng = np.random.default_rng(number)
            kind = KINDS[number % len(KINDS)]
            yield from self._at(Future(kind, altered(self.data, at, kind, rng), True), at)

    def _at(self, future: Future, at: np.datetime64) -> Iterator[Leak]:
        known = Alteration(at, future.what, exact=False)
        table = self._features.look(self._read_features, future, at)
        if table is not None:
            for leak in compare_features(self.features, table, known, self.labels.all_known_at):
                again = self._read_features(self.data)
                refuse_unseeded(leak, compare_features(self.features, again, SAME))
                yield leak
        answers = self._labels.look(self._read_labels, future, at)
        if answers is not None:
            for leak in compare_labels(self.labels, answers, known):
                twice = self._read_labels(self.data)
                refuse_unseeded(leak, compare_labels(self.labels, twice, SAME))
                yield leak

    def _read_features(self, data: Data) -> FeatureTable:
        return read_features(self.pipeline, data)

    def _read_labels(self, data: Data) -> LabelTable:
        return read_labels(self.pipeline, data)

    def controls(self) -> Iterator[Leak]:
        """What answers to nothing, and what is looked up by date."""

        def features(data: Data) -> tuple[Decisions, Floats]:
            table = self._read_features(data)
            return table.decisions, table.values

        def labels(data: Data) -> tuple[Decisions, Floats]:
            table = self._read_labels(data)
            return table.decisions, table.values

        for control, again in ((self._features, features), (self._labels, labels)):
            yield from control.blind(again, self.data)
            yield from control.elsewhere(again, self.data)

    def seen(self) -> list[str]:
        """Parts that answered to what was altered."""
        return [each.part for each in (self._features, self._labels) if each.responded.any()]
