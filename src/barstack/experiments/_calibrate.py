"""Calibrate a study: how often it finds a signal, and is fooled, on worlds like its own bars."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from barstack.bars import panel_fingerprint
from barstack.core.errors import ConfigError, StorageError
from barstack.core.horizon import Horizon
from barstack.core.progress import Progress
from barstack.core.spec import content_id

from ._calibrate_world import horizon_bars
from ._engines import ENGINES
from ._job import Job
from ._study import Study

KEPT = "calibration"  # folder in that of the runs
_MOST_WORLDS = 100_000
_LEVEL = 0.95


@dataclass(frozen=True)
class ErrorRate:
    """How often something happened, and the 95 % interval of its chance (Clopper, Pearson 1934).

    Attributes
    ----------
    happened, of
        Counts of worlds.
    low, high
        Ends of the interval.
    """

    happened: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Of the worlds; NaN without one."""
        return self.happened / self.of if self.of else float("nan")


@dataclass(frozen=True)
class Calibration:
    """What a study finds on worlds like its own bars.

    Attributes
    ----------
    study
        Its id.
    r2
        Planted share of the squared return that the best forecast explains.
    horizon
        At which it is planted, the first of the study.
    fooled
        Worlds without a signal in which an edge was called supported.
    found
        Worlds with the signal in which it was.
    seed
        Of the first world.
    errors
        Worlds in which the study failed, with the reason; these count nowhere.

    >>> found = Calibration("a1b2", 0.01, "1h", error_rate(3, 100), error_rate(62, 100), seed=0)
    >>> found.sentence[:75]
    'This study, on bars like yours, would find an R² of 1 % at 1h in 62 of 100 '
    """

    study: str
    r2: float
    horizon: str
    fooled: ErrorRate
    found: ErrorRate
    seed: int
    errors: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """What it means, for a person who knows no statistics."""
        return (
            f"This study, on bars like yours, would find an R² of {100 * self.r2:g} % at "
            f"{self.horizon} in {_of_hundred(self.found)} and be fooled by noise in "
            f"{_of_hundred(self.fooled)}."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        rates = {name: asdict(rate) | {"share": rate.share if rate.of else None}
                 for name, rate in (("fooled", self.fooled), ("found", self.found))}  # fmt: skip
        return asdict(self) | rates | {"sentence": self.sentence}


def _of_hundred(rate: ErrorRate) -> str:
    if not rate.of:
        return "an unknown number of cases"
    low, high = 100 * rate.low, 100 * rate.high
    return f"{100 * rate.share:.0f} of 100 cases ({low:.0f} to {high:.0f}, {rate.of:,} worlds)"


def error_rate(happened: int, of: int) -> ErrorRate:
    """A rate with its exact 95 % interval.

    >>> rate = error_rate(3, 100)
    >>> round(rate.low, 3), round(rate.high, 3)
    (0.006, 0.085)
    """
    from scipy.stats import beta  # noqa: PLC0415 (slow to import)

    tail = 0.5 * (1.0 - _LEVEL)
    low = float(beta.ppf(tail, happened, of - happened + 1)) if happened else 0.0
    high = float(beta.ppf(1.0 - tail, happened + 1, of - happened)) if happened < of else 1.0
    return ErrorRate(happened, of, low, high)


def calibrate(
    study: Study | Path | str,
    *,
    worlds: int = 100,
    r2: float = 0.01,
    seed: int = 0,
    folder: Path | str | None = None,
    runs: Path | str = "runs",
    workers: int | None = None,
    engine: str = "local",
    progress: Progress | None = None,
) -> Calibration:
    """Run a study on many worlds like its own bars, half of them with a signal.

    A world has the same times, sizes of moves and volumes; directions are drawn by lot, or, with
    the signal, lean towards those of the last bars: see `barstack.worlds.world_like`. The whole
    study runs on each, from features to the verdict, in a folder and with a ledger of its own. What
    is done is kept below `runs`, so that the same call goes on where it was stopped, and one with
    more worlds adds to them.

    Parameters
    ----------
    study
        A study or the path of its file. Other series than bars stay as they are.
    worlds
        Without a signal, and as many with it.
    r2
        Share of the squared return over the first horizon that the best forecast explains.
    folder, runs, workers, engine
        As `bs.sweep` takes them.

    >>> import tempfile
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as name:
    ...     study = small_study(Path(name))
    ...     found = calibrate(study, worlds=1, folder=name, runs=f"{name}/r", engine="serial")
    >>> found.fooled.of, found.found.of, found.horizon
    (1, 1, '2bars')
    """
    if not 1 <= worlds <= _MOST_WORLDS:
        raise ConfigError(f"worlds is {worlds}; give 1 to {_MOST_WORLDS:,}.")
    if not 0.0 < r2 < 1.0:
        raise ConfigError(f"r2 is {r2:g}; give a share between 0 and 1, such as 0.01.")
    if not isinstance(study, Study):
        folder = folder if folder is not None else Path(study).parent
        study = Study.from_yaml(study)
    folder, runs, progress = Path(folder or "."), Path(runs), progress or Progress()
    panel = study.visible_bars.load(folder)
    horizon = study.label.horizon_names[0]
    ahead = horizon_bars(Horizon.parse(horizon), next(iter(panel.values())))
    key = content_id([study.id, panel_fingerprint(panel), r2, ahead])
    kept = runs / KEPT / f"{key}.jsonl"
    done = dict(_kept(kept))
    jobs = [
        _job(study, number, seed, r2 if number % 2 else 0.0, ahead) for number in range(2 * worlds)
    ]
    left = [job for job in jobs if _name(job) not in done]
    by_number = {job.number: job for job in left}
    kept.parent.mkdir(parents=True, exist_ok=True)
    errors = []
    with (
        ENGINES.get(engine)(runs, folder, workers) as doing,
        kept.open("a", encoding="utf-8") as file,
    ):
        for count, reply in enumerate(doing.replies(left, len(left)), start=1):
            job = by_number[reply.number]
            if reply.storage:
                raise StorageError(reply.error)
            progress.note(f"World {count} of {len(left)}")
            if reply.result is None:
                errors.append(f"seed {job.shared['seed']}, r2 {job.shared['r2']:g}: {reply.error}")
                continue
            done[_name(job)] = dict(reply.result)
            file.write(json.dumps([_name(job), reply.result]) + "\n")
            file.flush()
    rates = []
    for planted in (False, True):
        own_names = [_name(job) for job in jobs if bool(job.shared["r2"]) == planted]
        edges = [done[name]["edge"] for name in own_names if name in done]
        rates.append(error_rate(sum(edge == "supported" for edge in edges), len(edges)))
    return Calibration(study.id, r2, horizon, rates[0], rates[1], seed, errors)


def _job(study: Study, number: int, seed: int, r2: float, ahead: int) -> Job:
    settings = {"seed": seed + number // 2, "r2": r2, "horizon_bars": ahead}
    return Job(number, "world", study.content(), shared=settings)


def _name(job: Job) -> str:
    return f"{job.shared['seed']} {job.shared['r2']:g}"


def _kept(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What was finished before; a last line that was cut off does not count."""
    if not file.is_file():
        return
    for line in file.read_text("utf-8").splitlines():
        try:
            name, result = json.loads(line)
        except ValueError:
            continue
        yield name, result
