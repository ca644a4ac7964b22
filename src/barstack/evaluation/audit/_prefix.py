"""Prefix invariance: what was known by a moment stays the same, whatever comes after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from barstack.bars import Bars, Panel, SeriesTable, as_panel
from barstack.core.arrays import Floats
from barstack.core.decisions import Decisions
from barstack.core.errors import LeakError
from barstack.features import FeatureSet, FeatureTable, read_series

from ._control import SAME, Alteration, Control, compare_features, refuse_unseeded
from ._cuts import KINDS, futures, places, rare
from ._leak import Leak
from ._pipeline import Data, feature_table

Function = Callable[..., Any]


def assert_causal(
    features: FeatureSet | Function, bars: Bars | Panel, series: Mapping[str, Any] | None = None
) -> None:
    """`LeakError` when any feature of any bar depends on a later bar, or on what was known later.

    features  a `FeatureSet`, or a function of the bars by symbol (and of the series, where there
              are any) that gives a `FeatureTable` or a DataFrame with `symbol` and `decided_at`
    series    where the features have any: a table of each, by name

    Bars and series are cut, and their future altered, at a few moments; every feature before the
    cut must keep its value to the last bit.

    >>> from barstack.features import Feature
    >>> from barstack.testing import walk
    >>> assert_causal(FeatureSet(features=[Feature(feature="rsi")]), walk(bars=100))

    >>> import pandas as pd
    >>> def centred(panel):
    ...     close = pd.Series(panel["WALK"].close, panel["WALK"].closed_at)
    ...     return close.rolling(9, center=True).mean().rename_axis("decided_at").to_frame("mean")
    >>> assert_causal(centred, walk(bars=100))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    barstack.core.errors.LeakError: Feature 'mean' of WALK at 2026-01-07 16:30 UTC changes from ...
    """
    for leak in find_leaks(features, bars, series):
        raise LeakError(str(leak))


def find_leaks(
    features: FeatureSet | Function,
    bars: Bars | Panel,
    series: Mapping[str, Any] | None = None,
    *,
    cuts: int = 3,
) -> Iterator[Leak]:
    """Each feature that depends on what comes later, once, where it first shows.

    cuts  moments at which the bars are cut and altered. Three find what reads the next bar;
          what reads only to the end of an hour shows at a cut inside one, so a thorough audit
          takes a dozen.

    >>> from barstack.features import Feature, FeatureSet
    >>> from barstack.testing import walk
    >>> list(find_leaks(FeatureSet(features=(Feature(feature="rsi"),)), walk(bars=200)))
    []
    """
    panel = as_panel(bars)
    reported: set[str] = set()
    if isinstance(features, FeatureSet):
        tables = read_series(features.series, series)
        # Symbols that look at one another are cut together, others one by one, within their bars.
        alone = [{symbol: each} for symbol, each in panel.items()]
        for group in [panel] if features.needs_market else alone:
            known = {name: _about(table, group) for name, table in tables.items()}
            yield from _hunt(_computed_by(features), Data(group, known), cuts, reported, exact=True)
    else:
        data = Data(panel, dict(series or {}))
        yield from _hunt(_returned_by(features), data, cuts, reported, exact=False)


def _hunt(
    table_of: Callable[[Data], FeatureTable],
    data: Data,
    cuts: int,
    reported: set[str],
    *,
    exact: bool,
) -> Iterator[Leak]:
    whole = table_of(data)
    control = Control("features", whole.decisions, whole.columns, whole.values)
    times = np.unique(whole.decisions.decided_at)
    chosen = [times[place - 1] for place in places(len(times), cuts)]
    for number, at in enumerate([*chosen, *rare(data, whole, cuts)]):
        kind = KINDS[number % len(KINDS)]
        for future in futures(data, at, kind, number):
            if number >= len(chosen) and not future.same_shape:
                continue  # rare rows are looked at with another future alone
            again = control.look(table_of, future, at)
            if again is None:
                continue
            for leak in compare_features(whole, again, Alteration(at, future.what, exact)):
                if leak.column not in reported:
                    refuse_unseeded(leak, compare_features(whole, table_of(data), SAME))
                    reported.add(leak.column)
                    yield leak

    def made(other: Data) -> tuple[Decisions, Floats]:
        table = table_of(other)
        return table.decisions, table.values

    further = [] if exact else control.elsewhere(made, data)
    for leak in (*control.blind(made, data), *further):
        if leak.column not in reported:
            reported.add(leak.column)
            yield leak


def _computed_by(features: FeatureSet) -> Callable[[Data], FeatureTable]:
    return lambda data: features.compute(data.panel, data.series)


def _returned_by(function: Function) -> Callable[[Data], FeatureTable]:
    def table_of(data: Data) -> FeatureTable:
        given = function(data.panel, data.series) if data.series else function(data.panel)
        return feature_table(given, sorted(data.panel))

    return table_of


def _about(table: SeriesTable, panel: Panel) -> SeriesTable:
    """Of one symbol only what concerns it, which is quicker to cut."""
    return table.about(next(iter(panel))) if len(panel) == 1 else table
