"""`bs.run`: from bars to report and artifact. `bs.sweep`: many experiments. `bs.tune`: settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from . import reports  # (registers the stage that writes the report)
from .bars import Provider
from .bars.sources import kept_frame
from .core.chosen import Chosen
from .core.errors import ConfigError
from .core.horizon import Horizon
from .core.notebook_progress import progress_here
from .core.progress import Progress
from .evaluation.tearsheet import Tearsheet
from .evaluation.tearsheet import tearsheet as make_tearsheet
from .experiments import (
    Run,
    Study,
    Sweep,
    SweepResult,
    TuneResult,
    TuneWatch,
    Watch,
    check_free,
    preset_within,
    run_study,
    run_sweep,
    run_tune,
    simulate_run,
)
from .portfolio import Strategy
from .simulation import Events, Settings, Simulation

# What says how a frame is to be read; all else is the study's.
_OF_BARS = (
    *("symbol_column", "columns", "time_format", "timezone", "bar", "hours", "day_zone"),
    *("resample", "start", "end", "checks"),
)


def run(
    study: Any,
    *,
    horizons: str | int | Horizon | Sequence[str | int | Horizon] | None = None,
    preset: Literal["", "quick", "standard", "thorough"] = "",
    time_limit: float | None = None,
    symbol: str | None = None,
    calendar: str | None = None,
    stamp: Literal["open", "close"] | None = None,
    timezone: str | None = None,
    folder: Path | str | None = None,
    runs: Path | str = "runs",
    progress: Progress | None = None,
    workers: int | None = None,
    **settings: Any,
) -> Run:
    """Run a study, a study file, or a frame of bars; what has been made before is reused.

    Parameters
    ----------
    study
        A `Study`, the path of a study file, or bars: a pandas or polars table of one symbol, a
        mapping of such by symbol, a long table with a column of symbols, a pandas table with
        columns on two levels as yfinance gives them, or a provider.
    horizons
        How far ahead to forecast, such as `["1h", "1d"]` or "1d". This, `preset`, `symbol`,
        `calendar`, `stamp` and `timezone` are for bars only: a study says its own.
    preset
        "quick", "standard" or "thorough": which members and ensembles, and how many folds, by the
        number of bars. By default standard, where no `members` are given.
    time_limit
        Seconds. Chooses among presets by an estimate from the number of bars; it stops nothing.
    symbol
        Of a table that names none; by default "unnamed".
    calendar, stamp, timezone
        The exchange, such as "XNYS", or "24/7"; which end of a bar its time names, "open" or
        "close"; and the zone of times that carry none. What the frame shows for sure is taken;
        the rest is asked for, by a `ConfigError`.
    folder
        Where relative paths in the study start: by default the study file's folder, or the
        current one.
    runs
        Receives `<id>/` with report.html, artifact/, evaluation.json and study.yaml.
    progress
        Reports tasks and what was chosen; by default drawn in a notebook and silent elsewhere, so
        `bs.Progress()` silences it there. `Run.chosen` holds the latter too.
    workers
        Threads that compute tasks side by side, by default one for each core.
    settings
        For bars: further keys of a study, such as `label`, `members`, `features` or `cost_bps`,
        and of a provider, such as `hours`, `columns`, `resample` or `start`.

    Raises
    ------
    ConfigError, DataError, LeakError
        With what, where and the way out.

    >>> import tempfile
    >>> import barstack as bs
    >>> from barstack.testing import walk
    >>> frame = walk(400).to_frame()
    >>> study = {"features": ["body"], "members": ["ridge"], "calendar": "24/7", "stamp": "open"}
    >>> runs = tempfile.mkdtemp()
    >>> run = bs.run(frame, horizons=["1h"], symbol="WALK", runs=runs, **study)
    >>> run.verdict.edge, list(run.members)
    ('none', ['ridge'])
    >>> (run.folder / "report.html").exists()
    True
    """
    chosen: tuple[Chosen, ...] = ()
    progress = progress or progress_here()
    named = {"horizons": horizons, "preset": preset, "symbol": symbol, "calendar": calendar}
    named |= {"stamp": stamp, "timezone": timezone}
    given = settings | {name: value for name, value in named.items() if value}
    if isinstance(study, str | Path | Study):
        if given:
            raise ConfigError(
                f"A study says its own {', '.join(given)}. Write it there, or hand in a frame."
            )
        if not isinstance(study, Study):
            folder = folder or Path(study).parent
            study = Study.from_yaml(study)
    elif isinstance(study, Provider):
        study = Study(**{"bars": study, **given})
    else:
        own = ("symbol", "calendar", "stamp", "timezone", *_OF_BARS)
        reading = {name: given.pop(name) for name in own if name in given}
        if not {"horizons", "label"} & set(given):
            raise ConfigError('Say how far ahead to forecast, such as horizons=["1h", "1d"].')
        names = reading.pop("symbol", None), reading.pop("symbol_column", None)
        bars, chosen = kept_frame(study, *names, Path(runs), reading)
        study = Study(**{"bars": bars, **given})
    if time_limit is not None:
        bars_of_all = study.visible_bars.load(Path(folder or "."))
        study, preset_choice = preset_within(study, bars_of_all, time_limit)
        chosen = (*chosen, preset_choice)
    for each in chosen:
        progress.note(str(each))
    done = run_study(study, folder=folder or ".", runs=runs, progress=progress, workers=workers)
    done.chosen = (*chosen, *done.chosen)
    return done


def sweep(
    sweep: Any,
    *,
    limit: int | None = None,
    workers: int | None = None,
    engine: str = "local",
    time_budget: float | str | None = None,
    folder: Path | str | None = None,
    runs: Path | str = "runs",
    watch: Watch | None = None,
) -> SweepResult:
    """Run a `Sweep` or a sweep file; what is stored is reused, and the rest is computed.

    Parameters
    ----------
    sweep
        A `Sweep`, or the path of a sweep file.
    folder
        Where relative paths start: by default the file's folder, or the current one.
    limit, workers, engine, time_budget, runs, watch
        As `barstack.experiments.run_sweep` takes them.

    Returns
    -------
    SweepResult
        With `to_frame()`, one row for each experiment.

    Examples
    --------
    >>> import tempfile
    >>> import barstack as bs
    >>> grid = {"model": ["ridge"], "horizon": ["4h"], "model.penalty": [1, 10]}
    >>> found = bs.sweep(
    ...     bs.Sweep(study={"bars": "sample", "features": ["rsi", "body"]}, grid=grid),
    ...     runs=tempfile.mkdtemp(),
    ...     engine="serial",
    ... )
    >>> found.to_frame()[["name", "status", "n_decisions"]]
                      name     status  n_decisions
    0   ridge 4h penalty=1  completed         2072
    1  ridge 4h penalty=10  completed         2072
    """
    if not isinstance(sweep, Sweep):
        folder = folder or Path(sweep).parent
        sweep = Sweep.from_yaml(sweep)
    return run_sweep(
        sweep,
        folder=folder or ".",
        runs=runs,
        limit=limit,
        workers=workers,
        engine=engine,
        time_budget=time_budget,
        watch=watch,
    )


def tune(
    study: Any,
    *,
    trials: int | None = None,
    members: Sequence[str] = (),
    to: Path | str | None = None,
    workers: int | None = None,
    engine: str = "local",
    time_budget: float | str | None = None,
    folder: Path | str | None = None,
    runs: Path | str = "runs",
    watch: TuneWatch | None = None,
) -> TuneResult:
    """Search for better settings of the members of a `Study` or a study file.

    Every trial is counted in the ledger. `TuneResult.study` has the best settings.

    Parameters
    ----------
    study
        A `Study`, or the path of a study file.
    to
        File that receives the tuned study, with comments. By default of a file `study.yaml`, which
        is `study_tuned.yaml` beside it, so that relative paths hold; of a `Study` none is written.
    folder
        Where relative paths start: by default the file's folder, or the current one.
    trials, members, workers, engine, time_budget, runs, watch
        As `barstack.experiments.run_tune` takes them.

    Raises
    ------
    ConfigError
        Where no member can be tuned, or `to` is a file that tuning has not written.

    Examples
    --------
    >>> import tempfile
    >>> import barstack as bs
    >>> study = bs.Study(bars="sample", horizons=["4h"], features=["rsi", "body"],
    ...                  members=["ridge"])
    >>> found = bs.tune(study, trials=4, runs=tempfile.mkdtemp(), engine="serial")
    >>> found.to_frame()["status"].tolist()
    ['completed', 'completed', 'completed', 'pruned']
    >>> found.study.members["ridge"]  # none was better than the one there was
    Ridge(penalty=1.0)
    """
    if not isinstance(study, Study):
        file = Path(study)
        folder = folder or file.parent
        to = to or file.with_name(f"{file.stem}_tuned.yaml")
        study = Study.from_yaml(file)
    if to is not None:
        check_free(Path(to))
    found = run_tune(
        study,
        folder=folder or ".",
        runs=runs,
        trials=trials,
        members=members,
        workers=workers,
        engine=engine,
        time_budget=time_budget,
        watch=watch,
    )
    return found if to is None else found.write(to)


def simulate(
    run: Any,
    *,
    name: str | None = None,
    horizon: str | None = None,
    strategy: Strategy | Mapping[str, Any] | None = None,
    settings: Settings | Mapping[str, Any] | None = None,
    events: Events | None = None,
    folder: Path | str = ".",
) -> Simulation:
    """Trade the forecasts out of fold of a run: orders, fills, costs, limits, money.

    Parameters
    ----------
    run
        A `Run`, or the folder of one.
    name
        A member or ensemble, by default the judged ensemble.
    horizon
        By default the one of the verdict.
    strategy
        How positions follow forecasts: a `Strategy`, or its settings. By default each decision is
        held until its label is known, the rule of the verdict.
    settings
        Capital, fills, costs and limits: `Settings`, or plain data of them. By default the costs
        are the study's `cost_bps`.
    events
        Splits, dividends and funding, where bars are not adjusted.
    folder
        Where relative paths in the study start, for the folder of a run.

    Raises
    ------
    ConfigError, DataError, LeakError
        With what, where and the way out.

    Examples
    --------
    >>> import tempfile
    >>> import barstack as bs
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as place:
    ...     run = bs.run(small_study(Path(place)), folder=place, runs=f"{place}/runs")
    ...     found = bs.simulate(run, strategy={"stop": 0.02}, settings={"capital": 50_000})
    >>> found.settings.capital, len(found.fills) > 1
    (50000.0, True)
    """
    return simulate_run(
        run,
        name=name,
        horizon=horizon,
        strategy=strategy,
        settings=settings,
        events=events,
        folder=folder,
    )


def tearsheet(
    simulation: Simulation, *, title: str = "", html: Path | str | None = None
) -> Tearsheet:
    """Everything worth knowing of a simulation; written as a page too where `html` names one.

    Parameters
    ----------
    simulation
        From `bs.simulate` or `barstack.simulation`.
    title
        By default the symbols.
    html
        A page to write.

    Examples
    --------
    >>> import barstack as bs
    >>> from barstack.simulation import Targets, simulate_targets
    >>> from barstack.testing import walk
    >>> bars = walk(bars=300)
    >>> found = bs.tearsheet(simulate_targets(bars, Targets.of("WALK", bars.closed_at[5], 1.0)))
    >>> [row["name"] for row in found.beside][:2]
    ['strategy', 'without costs']
    """
    found = make_tearsheet(simulation, title=title)
    if html is not None:
        reports.write_page(reports.render_tearsheet(found, simulation), Path(html))
    return found
