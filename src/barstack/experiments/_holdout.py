"""The sealed stretch of a study: opened once, whole, for one test."""

from __future__ import annotations

import getpass
import json
import math
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from barstack.bars import Panel
from barstack.core.errors import ConfigError, DataError
from barstack.core.files import new_file
from barstack.core.forecast import signal_of
from barstack.core.horizon import Horizon
from barstack.core.spec import content_id
from barstack.core.times import KnownAt, as_time, iso
from barstack.evaluation import adjusted_p_value, often
from barstack.evaluation.sweeps import net_edges
from barstack.forecasting import load
from barstack.labels import LABELS
from barstack.portfolio import side_of
from barstack.tracking import BarPrint, Store, Trial, open_store, trials_on

from ._counting import VERDICT
from ._data import load_series
from ._plan import StatedPlan
from ._study import Study
from ._verdicts import DatedVerdict, read_json

HOLDOUT = "holdout.json"


@dataclass(frozen=True)
class HoldoutVerdict:
    """What the judged ensemble of a run did on bars that nothing had seen.

    Attributes
    ----------
    run
        Id of the run.
    edge
        "supported" where it earned more than a steady position after costs, and luck would do so
        less often than `level`; "unproven" where it earned more; else "none".
    sentence
        The same in words.
    hypothesis
        That was pre-registered; "" for none.
    horizon
        The one that the run's verdict is on.
    first_at, last_at
        First and last decision, UTC.
    n_decisions
        With a known label.
    net_edge_bps, net_edge_bps_se
        A bar's mean profit after costs, less a steady position's.
    net_edge_twice_bps
        The same at twice the costs.
    p_value, p_adjusted
        Of a single test; for all looks at these bars.
    level
        That the latter must fall below.
    looks
        At these bars: this one, earlier openings, and trials that were judged on them.
    opened_at, opened_by
        When, UTC, and by which user on which host.
    """

    run: str
    edge: str
    sentence: str
    hypothesis: str
    horizon: str
    first_at: str
    last_at: str
    n_decisions: int
    net_edge_bps: float
    net_edge_bps_se: float | None
    net_edge_twice_bps: float
    p_value: float
    p_adjusted: float
    level: float
    looks: int
    opened_at: str
    opened_by: str

    def to_json(self) -> dict[str, Any]:
        """Plain data; `HoldoutVerdict(**data)` reads it back."""
        return asdict(self)


def open_holdout(run: Path | str, *, folder: Path | str = ".") -> HoldoutVerdict:
    """Open the sealed bars of a run's study and judge its ensemble by them, once.

    The ledger receives who opened it and when before anything is computed. The artifact forecasts
    the sealed bars as it is, fitted on none of them, and the test is a single one, at the
    pre-registered level, at the horizon of the run's verdict. Where the same bars were opened
    before, or trials were judged on them, these count as looks. Called again for the same run it
    returns what was found then.

    Parameters
    ----------
    run
        Folder of a run.
    folder
        Where relative paths in the study start.

    Raises
    ------
    ConfigError
        Where the study has no holdout, or the ledger knows that it was opened and its result is
        gone.
    DataError
        Where the sealed stretch has no bars, or too few to know any label.

    >>> import tempfile
    >>> import barstack as bs
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     study = small_study(Path(folder)).model_copy(update={"holdout": "2026-01-20"})
    ...     run = bs.run(study, folder=folder, runs=f"{folder}/runs")
    ...     found = open_holdout(run.folder, folder=folder)
    >>> found.first_at, found.looks
    ('2026-01-20 15:00 UTC', 1)
    """
    run = Path(run)
    given = read_json(run, VERDICT, DatedVerdict.from_json)
    study = Study.from_yaml(run / "study.yaml")
    if not study.holdout:
        raise ConfigError(
            f"The study of run {run.name} has no holdout. Seal one before the first fit, in the "
            "study: holdout: 2025-06-01"
        )
    if (run / HOLDOUT).is_file():
        return read_json(run, HOLDOUT, lambda data: HoldoutVerdict(**data))
    panel = study.bars.load(Path(folder))
    begin = as_time(study.holdout)
    sealed = {name: bars for name, bars in panel.items() if bars.closed_at[-1] > begin}
    if not sealed:
        raise DataError(
            f"The bars end before the holdout begins, at {iso(begin)}. Open it once there are more."
        )
    store = open_store(run.resolve().parent)
    opening = _opening(store, run.name, study, given, panel)
    earlier = _looks_before(store, opening, iso(begin))
    found = _judged(run, study, given, panel, begin, Path(folder))
    recorded = next(each for each in store.trials() if each.id == opening.id)
    plan = study.preregistered or StatedPlan(hypothesis="none")
    verdict = _verdict(run.name, study, given, plan, found, earlier + 1, recorded)
    with new_file(run / HOLDOUT) as scratch:
        scratch.write_text(json.dumps(verdict.to_json(), indent=1))
    return verdict


def _opening(store: Store, run: str, study: Study, given: DatedVerdict, panel: Panel) -> Trial:
    """Enter the opening in the ledger."""
    last = max(bars.closed_at[-1] for bars in panel.values())
    opening = Trial(
        id=content_id(["holdout opened", run]),
        data=study.holdout,
        name=given.verdict.ensemble,
        horizon=given.verdict.horizon,
        symbols=given.symbols,
        first_at=iso(as_time(study.holdout)),
        last_at=iso(last),
        bars=store.keep_bars(
            {
                symbol: BarPrint.of(bars.closed_at, bars.records["close"])
                for symbol, bars in panel.items()
            }
        ),
        kind="opening",
        note=json.dumps({"run": run, "by": _who()}),
    )
    store.record([opening])
    return opening


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container without a name for its user
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def _looks_before(store: Store, opening: Trial, begin: str) -> int:
    """Trials and openings on these instruments that reached into the stretch before."""
    found = 0
    for each in trials_on(store, opening.symbols, opening.bars):
        if each.id == opening.id:
            break
        found += each.last_at > begin
    return found


@dataclass(frozen=True)
class _Found:
    first_at: str
    last_at: str
    n_decisions: int
    once: Any  # NetEdge at the study's costs
    twice: Any  # and at twice those


def _judged(
    run: Path, study: Study, given: DatedVerdict, panel: Panel, begin: np.datetime64, folder: Path
) -> _Found:
    """Forecast the sealed bars with the artifact, and follow the forecasts."""
    predictor = load(run)
    tables = load_series(study.series, folder, "")
    forecast = next(iter(predictor.forecasts(panel, series=tables or None).values()))
    content: Mapping[str, Any] = predictor.provenance.label or study.label.content()
    labels = LABELS.parse(dict(content)).compute(panel)
    horizons = [Horizon.parse(name) for name in forecast.target.horizons]
    place = horizons.index(Horizon.parse(given.verdict.horizon))
    rows = labels.decisions.find(forecast.decisions)
    sealed = forecast.decisions.decided_at >= begin
    known = np.flatnonzero(sealed & ~np.isnan(labels.values[rows, place]))
    if not len(known):
        raise DataError(
            f"The holdout from {iso(begin)} on has no decision whose label is known yet. Open it "
            "once there are more bars."
        )
    at, decisions = rows[known], forecast.decisions.take(known)
    target = replace(forecast.target, horizons=(forecast.target.horizons[place],))
    signal = signal_of(forecast.values[known][:, [place]], target)
    side = side_of(signal, None if labels.side is None else labels.side[at])[:, 0]
    known_at = KnownAt(labels.known_at[at, place])
    once, twice = (
        net_edges(panel, decisions, known_at, {"judged": side}, times * study.cost_bps)["judged"]
        for times in (1.0, 2.0)
    )
    decided = decisions.decided_at
    return _Found(iso(decided.min()), iso(decided.max()), len(known), once, twice)


def _verdict(
    run: str,
    study: Study,
    given: DatedVerdict,
    plan: StatedPlan,
    found: _Found,
    looks: int,
    opening: Trial,
) -> HoldoutVerdict:
    once = found.once
    p_adjusted = adjusted_p_value(once.p_value, looks)
    edge = "none"
    if once.bps > 0.0 and once.t_value is not None:
        edge = "supported" if p_adjusted < plan.level else "unproven"
    at = f"{once.bps:+.2f} basis points a bar after costs".replace("-", "−")
    twice = f"{found.twice.bps:+.2f} at twice the costs".replace("-", "−")
    what = {
        "none": f"No edge on the holdout: {at}, no more than a steady position",
        "unproven": f"Not proven on the holdout: {at} ({twice}), and luck alone does this well "
        f"{often(p_adjusted)}, where {100 * plan.level:g} % was the bar",
        "supported": f"Supported on the holdout: {at} ({twice}), and luck alone does this well "
        f"{often(p_adjusted)}, which is below the bar of {100 * plan.level:g} %",
    }[edge]
    seen = (
        "These bars had not been seen."
        if looks == 1
        else f"These bars were not sealed: this is look {looks:,} at them, and p counts all."
    )
    return HoldoutVerdict(
        run=run,
        edge=edge,
        sentence=f"{what}. {seen}",
        hypothesis=study.preregistered.hypothesis if study.preregistered else "",
        horizon=given.verdict.horizon,
        first_at=found.first_at,
        last_at=found.last_at,
        n_decisions=found.n_decisions,
        net_edge_bps=once.bps,
        net_edge_bps_se=once.bps_se,
        net_edge_twice_bps=found.twice.bps,
        p_value=once.p_value,
        p_adjusted=p_adjusted if math.isfinite(p_adjusted) else 1.0,
        level=plan.level,
        looks=looks,
        opened_at=opening.recorded_at,
        opened_by=json.loads(opening.note)["by"],
    )
