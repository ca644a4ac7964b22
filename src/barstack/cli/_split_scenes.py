"""What `barstack splits plot` draws: the rows of a study, or synthetic ones."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from barstack.core.errors import ConfigError

from ._root import settings_of
from ._terminal import stderr

if TYPE_CHECKING:
    from barstack.core.arrays import Bools
    from barstack.core.decisions import Decisions
    from barstack.core.times import KnownAt
    from barstack.splits import Splitter

DECISIONS, HORIZON, MEMORY, STOP = 240, 12, 24, 0.15  # defaults


@dataclass(frozen=True, eq=False)
class Scene:
    """What is split."""

    title: str
    splitter: Splitter
    decisions: Decisions
    known_at: KnownAt
    usable: Bools | None
    memory_bars: int
    stop_share: float
    facts: list[tuple[str, str]]


def synthetic(
    split: str | None,
    settings: list[str],
    n_decisions: int | None,
    horizon: int | None,
    memory: int | None,
    stop: float | None,
) -> Scene:
    """Hourly decisions, whose labels all span `horizon` of them."""
    import numpy as np  # noqa: PLC0415

    from barstack.core.decisions import Decisions  # noqa: PLC0415
    from barstack.core.times import DecidedAt, KnownAt  # noqa: PLC0415

    n = DECISIONS if n_decisions is None else n_decisions
    ahead = HORIZON if horizon is None else horizon
    if n < 1 or ahead < 1:
        raise ConfigError(f"--decisions {n} --horizon {ahead}: give 1 or more of each.")
    hour = np.timedelta64(1, "h")
    times = np.datetime64("2026-01-05T00:00", "us") + np.arange(n) * hour
    splitter = _splitter(split or "walk_forward", settings)
    memory_bars = MEMORY if memory is None else memory
    return Scene(
        title=(splitter.registered_as or ("", ""))[1],
        splitter=splitter,
        decisions=Decisions.concatenate({"": DecidedAt(times)}),
        known_at=KnownAt(times + ahead * hour),
        usable=None,
        memory_bars=memory_bars,
        stop_share=_share(STOP if stop is None else stop),
        facts=[
            ("decisions", f"{n:,}"),
            ("horizon", f"{ahead} bars"),
            *_embargo_facts(splitter, memory_bars),
        ],
    )


def of_study(
    file: Path, split: str | None, settings: list[str], memory: int | None, stop: float | None
) -> Scene:
    """The rows that a run would split, made as a run makes them."""
    from barstack.datasets import usable_rows  # noqa: PLC0415
    from barstack.experiments import Engine, Study, completed  # noqa: PLC0415
    from barstack.splits import memory_bars  # noqa: PLC0415

    from ._progress import ShownProgress  # noqa: PLC0415

    study, _ = completed(Study.from_yaml(file), file.parent)
    splitter = study.split if split is None else _splitter(split, settings)
    if split is None and settings:
        splitter = _splitter(None, settings, splitter)
    with tempfile.TemporaryDirectory() as store:
        engine = Engine(study, Path(store), file.parent, ShownProgress(stderr()))
        panel, table, ends = (engine.value(each) for each in ("bars", "features", "label_ends"))
    bars = next(iter(panel.values()))
    members = study.members.values()
    stops = any(each.stops_early for each in members)
    lookback = max(each.lookback_bars for each in members)
    if memory is None:
        memory = memory_bars(study.feature_set(bars.length_us), panel, lookback)
    horizons = ", ".join(each.in_words for each in study.label.horizons)
    symbols = ", ".join(panel) if len(panel) < 4 else f"{len(panel):,}"
    return Scene(
        title=study.title or file.stem,
        splitter=splitter,
        decisions=table.decisions,
        known_at=ends.known_at,
        usable=usable_rows(table) & ends.eligible,
        memory_bars=memory,
        stop_share=_share((STOP if stops else 0.0) if stop is None else stop),
        facts=[
            ("symbols", symbols),
            ("horizon", horizons),
            *_embargo_facts(splitter, memory),
        ],
    )


def _splitter(name: str | None, settings: list[str], base: Splitter | None = None) -> Splitter:
    """A splitter by name, or `base`, with settings given as FIELD=VALUE."""
    from barstack.splits import SPLITTERS  # noqa: PLC0415

    fields = {} if base is None else base.content()
    if name is not None:
        fields = {"split": name}
    given = settings_of(settings, "--set", "folds=4")
    if "split" in given:
        raise ConfigError("Cannot use --set split=... Name the splitter with --split.")
    fields |= given
    return SPLITTERS.parse(fields)


def _embargo_facts(splitter: Splitter, memory: int) -> list[tuple[str, str]]:
    if splitter.embargo is not None:
        text = splitter.embargo
        return [("embargo", f"{text} bars" if isinstance(text, int) else text)]
    return [("features read", f"{memory:,} bars")] if splitter.kind == "crossed" else []


def _share(stop: float) -> float:
    if not 0.0 <= stop < 1.0:
        raise ConfigError(f"--stop must be 0 or more and below 1, got {stop:g}.")
    return stop
