"""What models share that learn something of their own for each ticker."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import Field, WithJsonSchema

from barstack.core.arrays import Floats, Rows
from barstack.core.errors import ConfigError, DataError
from barstack.core.forecast import Target
from barstack.core.stored import Name, Positive, Stored
from barstack.core.untrusted import read_json
from barstack.datasets import FittedScaler, Inputs, NewestRow, Samples
from barstack.splits import early_stop_split

from .._arrays import check_files, check_width, require, seal_files
from .._model import MODELS, Model
from ..training._calls import load, predict, save, update

_INDEX = "tickers.json"

# In full it would hold the schema of every model, this one's again among them.
AnyModel = Annotated[
    Model,
    MODELS,
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object", "required": ["model"]}]}),
]


@dataclass(frozen=True, eq=False)
class Ticker:
    """One ticker's own part, with the scales it was learned in.

    learned  what the model learned of it
    scaler   fitted on its own rows
    y_scale  (n_horizons,) its labels' deviation, in deviations of all tickers' labels
    """

    learned: Any
    scaler: FittedScaler
    y_scale: Floats


class _Entry(Stored):
    """A ticker's scales in a file."""

    symbol: Name
    scaler: dict[str, Any]
    y_scale: list[Positive]


class _Index(Stored):
    """All tickers, in the order of their folders."""

    tickers: list[_Entry] = Field(min_length=1, max_length=100_000)


@dataclass(frozen=True, eq=False)
class Tickers:
    """Every ticker's own part by its symbol, and what all of them began from where they did."""

    own: Mapping[str, Ticker]
    shared: Any = field(default=None)


class TickerRows(NamedTuple):
    """One ticker's samples in its own scales, and the deviation of its labels as in `Ticker`."""

    train: Samples
    stop: Samples | None
    y_scale: Floats

    def ticker(self, learned: Any) -> Ticker:
        """What was learned from these rows, with their scales."""
        return Ticker(learned, self.train.scaler, self.y_scale)


class ByTicker(Model):
    """A model for each ticker, with scales of its own. Subclass it and write `fit_tickers`.

    `stops_early` says no, whatever the model within: each ticker's own latest rows are what it
    stops by, which a cut through the time of all would deny to one whose rows end early.
    """

    of: AnyModel = Field(
        "lightgbm",
        validate_default=True,
        description="the model that each ticker gets, by name or with settings",
    )

    def model_post_init(self, context: Any) -> None:
        super().model_post_init(context)
        # What the model within can and needs, this one can and needs.
        self.__dict__.update(
            tasks=self.of.tasks,
            packages=self.of.packages,
            threaded=self.of.threaded,
            concurrent=self.of.concurrent,
        )
        if isinstance(self.of, ByTicker):
            raise ConfigError("of is itself a model for each ticker. Name the model within.")

    @property
    def lookback_bars(self) -> int:
        return self.of.lookback_bars

    def files_id(self) -> str:
        return self.of.files_id()

    @property
    def pretrained_through(self) -> np.datetime64 | None:
        return self.of.pretrained_through

    @property
    def updates(self) -> bool:
        return self.of.updates

    def symbols(self, learned: Tickers) -> Collection[str]:
        return learned.own.keys()

    @abstractmethod
    def fit_tickers(
        self,
        rows: Mapping[str, TickerRows],
        target: Target,
        seed: int,
        known: Tickers,
        **options: Any,
    ) -> Tickers:
        """Learn of tickers that are not `known` yet; those that are stay as they are.

        options  for `fit` of the model within
        """

    def fit(
        self, train: Samples, stop: Samples | None, target: Target, seed: int, **options: Any
    ) -> Tickers:
        rows = self._rows(train, target, {})
        return self.fit_tickers(rows, target, seed, Tickers({}), **options)

    def update(
        self, learned: Tickers, train: Samples, stop: Samples | None, target: Target, seed: int
    ) -> Tickers:
        """Each known ticker learns on in its own scales, or stays as it is where its rows are too
        few for that; a new one joins.
        """
        own = dict(learned.own)
        new: dict[str, TickerRows] = {}
        for symbol, rows in self._rows(train, target, own).items():
            if symbol in own:
                further = update(self.of, own[symbol].learned, rows.train, rows.stop, target, seed)
                own[symbol] = rows.ticker(further)
            else:
                new[symbol] = rows
        found = replace(learned, own=own)
        return self.fit_tickers(new, target, seed, found) if new else found

    def predict(self, learned: Tickers, inputs: Inputs, target: Target) -> Floats:
        found = np.empty((len(inputs), len(target.horizons), len(target.outputs)))
        for symbol, places in inputs.places_by_symbol().items():
            if symbol not in learned.own:
                raise DataError(
                    f"{symbol} is none of the tickers that were trained on: "
                    f"{', '.join(sorted(learned.own))}. Train with it, or let it join with "
                    "barstack.models.update."
                )
            ticker = learned.own[symbol]
            for values in ticker.scaler.learned.values():
                check_width(len(values), inputs.table[:0])
            own = replace(
                inputs,
                rows=inputs.rows[places],
                history=inputs.history[places],
                scaler=ticker.scaler,
            )
            values = predict(self.of, ticker.learned, own, target)
            found[places] = values * ticker.y_scale[:, None]
        return found

    def save(self, learned: Tickers, folder: Path) -> None:
        index = []
        for number, (symbol, ticker) in enumerate(sorted(learned.own.items())):
            scales = {"scaler": ticker.scaler.to_json(), "y_scale": ticker.y_scale.tolist()}
            index.append({"symbol": symbol, **scales})
            (folder / str(number)).mkdir()
            save(self.of, ticker.learned, folder / str(number))
        (folder / _INDEX).write_text(json.dumps(index, indent=1))
        if learned.shared is not None:
            (folder / "shared").mkdir()
            self.save_shared(learned.shared, folder / "shared")
        seal_files(folder)

    def load(self, folder: Path, target: Target) -> Tickers:
        check_files(folder)
        file = folder / _INDEX
        index = _Index.read({"tickers": read_json(file)}, file).tickers
        require(file, len({each.symbol for each in index}) == len(index), "it has a ticker twice")
        own = {
            each.symbol: self._loaded(each, folder / str(number), target)
            for number, each in enumerate(index)
        }
        shared = folder / "shared"
        return Tickers(own, self.load_shared(shared, target) if shared.is_dir() else None)

    def save_shared(self, shared: Any, folder: Path) -> None:
        """Write what all tickers have in common: by default something of the model within."""
        save(self.of, shared, folder)

    def load_shared(self, folder: Path, target: Target) -> Any:
        """Read what `save_shared` wrote."""
        return load(self.of, folder, target)

    def _loaded(self, entry: _Entry, folder: Path, target: Target) -> Ticker:
        learned = entry.scaler.get("learned")
        widths = [
            len(each)
            for each in (learned.values() if isinstance(learned, dict) else ())
            if isinstance(each, list)
        ]
        width = max(widths, default=0)
        scaler = FittedScaler.from_json(entry.scaler, width)
        y_scale = np.array(entry.y_scale)
        fine = y_scale.shape == (len(target.horizons),)
        fine = fine and (not target.n_classes or bool((y_scale == 1.0).all()))
        require(folder, fine, "y_scale is not that of the horizons")
        ticker = Ticker(load(self.of, folder, target), scaler, y_scale)
        if width:
            # A model of another width is found now, and not when somebody asks for its ticker.
            row = NewestRow.of(np.zeros((max(self.of.lookback_bars, 1), width)), scaler)
            predict(self.of, ticker.learned, row, target)
        return ticker

    def _rows(
        self, train: Samples, target: Target, known: Mapping[str, Ticker]
    ) -> dict[str, TickerRows]:
        """The rows of every ticker that has enough, in the scales that it is known in or its own.

        Raises `DataError` where none has.
        """
        found = {}
        for symbol, places in sorted(train.places_by_symbol().items()):
            parted = self._parted(train, places)
            if parted is None:  # it stays as it is or, where it is new, waits for more rows
                continue
            fit, stop = parted
            if symbol in known:
                scaler, y_scale = known[symbol].scaler, known[symbol].y_scale
            else:
                scaler = train.scaler.scaler.fit(train.table, fit.rows)
                y_scale = _deviation(fit.y, target)
            own_stop = None if stop is None else _in_scales(stop, scaler, y_scale)
            found[symbol] = TickerRows(_in_scales(fit, scaler, y_scale), own_stop, y_scale)
        if not found and not known:
            raise DataError(
                f"No ticker has enough of the {len(train)} training rows to learn from"
                f"{' and to stop early by' if self.of.stops_early else ''}. Give more bars, or "
                "train one model on all tickers."
            )
        return found

    def _parted(self, train: Samples, places: Rows) -> tuple[Samples, Samples | None] | None:
        """One ticker's samples to fit on and to stop by; None where they are too few."""
        if len(places) < 2:
            return None
        if not self.of.stops_early:
            return _taken(train, places), None
        assert train.decisions is not None  # which rows of tickers have
        assert train.known_at is not None  # which comes with the decisions
        rows = train.rows[places]
        try:
            fit, stop = early_stop_split(train.decisions, train.known_at, rows)
        except DataError:  # its only reason: fewer than two are left to fit on
            return None
        own_fit, own_stop = (_taken(train, places[np.isin(rows, part)]) for part in (fit, stop))
        return own_fit, own_stop


def _taken(samples: Samples, places: Rows) -> Samples:
    """Some of the samples, weights brought to a mean of one among them."""
    weight = samples.weight[places]
    mean = weight.mean()
    return replace(
        samples,
        rows=samples.rows[places],
        history=samples.history[places],
        y=samples.y[places],
        weight=weight / mean if mean > 0.0 else weight,
    )


def _deviation(y: Floats, target: Target) -> Floats:
    """(n_horizons,) of labels that are numbers, 1 where they are classes or never differ."""
    if target.task in ("direction", "three_class"):
        return np.ones(y.shape[1])
    deviation = y.std(axis=0)
    return np.where(deviation > 0.0, deviation, 1.0)


def _in_scales(samples: Samples, scaler: FittedScaler, y_scale: Floats) -> Samples:
    """The same samples as features and labels look in other scales."""
    return replace(samples, scaler=scaler, y=samples.y / y_scale)
