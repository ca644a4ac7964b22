"""A run's forecasts traded: signals of one forecaster at one horizon, through the decision path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.times import KnownAt
from barstack.portfolio import Signals, Strategy
from barstack.simulation import (
    Costs,
    Events,
    Settings,
    Simulation,
    simulate_signals,
)

from ._recombine import RunForecasts
from ._run import Run

_KEYS = ("strategy", "settings")


def simulate_run(
    run: Run | Path | str,
    *,
    name: str | None = None,
    horizon: str | None = None,
    strategy: Strategy | Mapping[str, Any] | None = None,
    settings: Settings | Mapping[str, Any] | None = None,
    events: Events | None = None,
    folder: Path | str = ".",
) -> Simulation:
    """Trade the forecasts out of fold of a run; each was made before what it is traded on.

    Parameters
    ----------
    run
        A run, or the folder of one.
    name
        A member or ensemble, by default the judged ensemble.
    horizon
        By default the one of the verdict.
    strategy
        How positions follow forecasts, by default the rule of the verdict: each decision is held
        until its label is known.
    settings
        What is assumed of fills, costs and limits. Where they name no costs, the study's `cost_bps`
        is the commission.
    events
        Splits, dividends and funding, where bars are not adjusted.
    folder
        Where relative paths in the study start, for the folder of a run.

    Raises
    ------
    ConfigError
        For names that the run has not, and labels whose side a rule takes.

    >>> import tempfile
    >>> import barstack as bs
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as place:
    ...     run = bs.run(small_study(Path(place)), folder=place, runs=f"{place}/runs")
    ...     found = simulate_run(run)
    >>> found.symbols, len(found.fills) > 1
    (('WALK',), True)
    """
    stored = RunForecasts(run.folder if isinstance(run, Run) else run)
    study = stored.study
    if stored.target.task == "direction" and study.label.content().get("label") == "meta":
        raise ConfigError(
            "The side of this run's label is that of a rule, which forecasts only confirm. Make "
            "signals with Signals.of(..., rule_side=...) and hand them to simulate_signals."
        )
    name = stored.check(name or study.ensemble_names[0])
    horizon = horizon or stored.given.verdict.horizon
    if horizon not in stored.target.horizons:
        raise ConfigError(
            f"Run {stored.id} has no horizon {horizon!r}. "
            f"{did_you_mean(horizon, stored.target.horizons)}"
        )
    panel = run.bars if isinstance(run, Run) else study.bars.load(Path(folder))
    panel = {symbol: panel[symbol] for symbol in stored.symbols if symbol in panel}
    table = stored.table(name)
    forecast = stored.out_of_fold(table, stored.symbols).forecast
    known_at = KnownAt(table[f"known_at_{horizon}"].to_numpy().astype("datetime64[us]"))
    return simulate_signals(
        panel,
        Signals.of(forecast, horizon, known_at=known_at),
        strategy,
        _with_costs(settings, study.cost_bps),
        events=events,
    )


def _with_costs(settings: Settings | Mapping[str, Any] | None, cost_bps: float) -> Settings:
    if isinstance(settings, Settings):
        return settings
    given = dict(settings or {})
    given.setdefault("costs", Costs(commission_bps=cost_bps))
    return Settings(**given)


def simulation_plan(content: Any) -> tuple[Strategy, dict[str, Any]]:
    """Strategy and settings from the content of a YAML file.

    >>> strategy, settings = simulation_plan({"strategy": {"stop": 0.02}, "settings": {}})
    >>> strategy.stop
    0.02
    """
    if not isinstance(content, dict):
        raise ConfigError(
            "A simulation file has the keys strategy and settings, each with its own below it."
        )
    for key in content:
        if key not in _KEYS:
            raise ConfigError(f"Unknown key {key!r} in a simulation. {did_you_mean(key, _KEYS)}")
    settings = dict(content.get("settings") or {})
    Settings(**settings)  # every mistake now, not after minutes
    return Strategy(**(content.get("strategy") or {})), settings
