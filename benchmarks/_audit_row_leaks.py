"""Mistakes in the choice of rows and symbols, and in folds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from _audit_bars import Source
from _audit_clean import barrier_fit, features_of, series_split
from _audit_features import bar_us, momentum, table
from _audit_leaks import Case, draft, leak
from _audit_leaks import steady as forgetful
from sklearn.model_selection import KFold

from barstack.bars import Bars
from barstack.core.times import DAY_US
from barstack.evaluation.audit import Data

# --- which rows there are ------------------------------------------------------------------------


@leak("survivorship by later membership")
def _survivors(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source, symbols=3)
    columns = made_of.columns

    def members(data: Data) -> list[str]:
        grown = {s: bars.close[-1] / bars.close[0] for s, bars in data.panel.items()}
        return sorted(grown, key=lambda symbol: grown[symbol])[1:]

    def chosen(data: Data) -> Data:
        return Data({symbol: data.panel[symbol] for symbol in members(data)}, data.series)

    label = made_of.label
    return made_of.case(
        "features",
        "rows",
        features=lambda data: table(chosen(data), columns),
        labels=lambda data: label.compute(chosen(data).panel),
    )


@leak("rows chosen by what followed")
def _eventful(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source, symbols=1)
    columns, label = made_of.columns, made_of.label

    def eventful(data: Data) -> Any:
        (bars,) = data.panel.values()
        moves = np.abs(np.diff(np.log(bars.close), append=np.log(bars.close[-1])))
        return moves > np.median(moves) / 2

    def answers(data: Data) -> Any:
        found = label.compute(data.panel)
        rows = np.flatnonzero(eventful(data))
        return replace(
            found,
            decisions=found.decisions.take(rows),
            **{
                name: getattr(found, name)[rows]
                for name in ("values", "known_at", "returns", "eligible")
            },
        )

    return made_of.case(
        "features",
        "rows",
        features=lambda data: table(data, columns)[eventful(data)],
        labels=answers,
    )


@leak("bars used when they open")
def _at_the_open(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source, symbols=1)
    columns, label = made_of.columns, made_of.label

    def early(decided_at: Any, data: Data) -> Any:
        return decided_at - np.timedelta64(bar_us(data) // 2, "us")

    def features(data: Data) -> pd.DataFrame:
        frame = table(data, columns).reset_index()
        frame["decided_at"] = early(frame["decided_at"], data)
        return frame

    def labels(data: Data) -> Any:
        found = label.compute(data.panel)
        decisions = replace(found.decisions, decided_at=early(found.decisions.decided_at, data))
        return replace(found, decisions=decisions)

    return made_of.case("features", features=features, labels=labels)


@leak("duplicated bars")
def _duplicates(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source, symbols=1, horizon=4)
    (bars,) = made_of.data.panel.values()
    start, length = len(bars) // 4, len(bars) // 8
    records = np.concatenate([bars.records, bars.records[start : start + length]])
    again = records[len(bars) :]
    shift = bars.records["closed_at"][-1] - again["opened_at"][0]
    shift += -shift % DAY_US + DAY_US  # pasted as if the days after the last had been the same
    for name in ("opened_at", "closed_at", "session_open", "session_close"):
        again[name] += shift
    again["session"] += shift // DAY_US
    made_of.data = Data({bars.symbol: Bars(bars.symbol, bars.length_us, records)})
    made_of.columns = forgetful(int(rng.integers(4, 9)))
    del made_of.columns["trend"]
    return made_of.case("folds", "duplicated rows")


# --- folds ---------------------------------------------------------------------------------------


@leak("label overlap at a fold edge")
def _edge(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source, symbols=1)
    return made_of.case("folds", "fold 0", folds=series_split(gap=0))


@leak("k-fold without purge")
def _unpurged(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source, symbols=1)
    made_of.columns = forgetful()

    def folds(features: Any, labels: Any) -> Any:
        rows = np.flatnonzero(~np.isnat(labels.all_known_at))
        return [(rows[train], rows[test]) for train, test in KFold(4).split(rows)]

    return made_of.case("folds", "fold 0", folds=folds)


@leak("shuffled k-fold")
def _shuffled(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source, symbols=1)
    seed = int(rng.integers(1000))

    def folds(features: Any, labels: Any) -> Any:
        rows = np.flatnonzero(~np.isnat(labels.all_known_at))
        split = KFold(4, shuffle=True, random_state=seed).split(rows)
        return [(rows[train], rows[test]) for train, test in split]

    return made_of.case("folds", "fold 0", folds=folds)


@leak("one symbol trained on, another tested")
def _by_symbol(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source, symbols=2)

    def folds(features: Any, labels: Any) -> Any:
        code = labels.decisions.symbol_code
        answered = ~np.isnat(labels.all_known_at)
        parts = [np.flatnonzero(answered & (code == each)) for each in (0, 1)]
        return [(parts[0], parts[1]), (parts[1], parts[0])]

    return made_of.case("folds", "fold 0", folds=folds)


@leak("purged by another symbol's clock")
def _other_clock(rng: np.random.Generator, source: Source) -> Case:
    """Rows are cut by number, as if all symbols had the same bars."""
    made_of = draft(rng, source, symbols=2)

    def folds(features: Any, labels: Any) -> Any:
        place = np.arange(len(labels.decisions)) - labels.decisions.first_row
        answered = ~np.isnat(labels.all_known_at)
        half = int(place.max()) // 2
        second = labels.decisions.symbol_code == 1
        train = answered & (place < np.where(second, half + 30, half - 30))
        return [(np.flatnonzero(train), np.flatnonzero(place >= half + 30))]

    return made_of.case("folds", "fold 0", folds=folds)


@leak("k-fold with long memory and no embargo")
def _no_embargo(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source)
    made_of.columns = forgetful(5) | {"long_memory": momentum(60)}
    made_of.split = {"split": "purged_kfold", "folds": 3, "embargo": 0}
    return made_of.case("folds", "long_memory")


@leak("barriers fitted on all data")
def _barriers(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source)
    fit = barrier_fit(made_of.flow, until="all")
    return made_of.case("barriers", "widths", fit=fit, features=features_of(made_of.columns))
