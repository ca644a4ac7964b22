"""Members, ensembles and folds for a study that names none, chosen by how many bars there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from barstack.bars import Panel
from barstack.core.chosen import Chosen
from barstack.core.errors import ConfigError, MissingPackageError
from barstack.models import MODELS
from barstack.splits import WalkForward

from ._study import Study

# The quickest members by task; those of returns need no library beside barstack's own.
_QUICKEST = {
    "return": ("ridge", "elastic_net"),
    "direction": ("logistic",),
    "three_class": ("logistic",),
    "quantiles": ("lightgbm",),
}


@dataclass(frozen=True)
class Preset:
    """How much is tried.

    further    members beside the quickest
    folds      at most
    ensembles  the first is judged
    """

    further: tuple[str, ...]
    folds: int
    ensembles: tuple[str, ...] = ("inverse_variance", "nnls")


PRESETS: Mapping[str, Preset] = {
    "quick": Preset((), 3),
    "standard": Preset(("lightgbm", "extra_trees"), 6),
    "thorough": Preset(
        ("lightgbm", "extra_trees", "xgboost", "catboost", "lstm"),
        8,
        ("inverse_variance", "nnls", "greedy", "performance_weighted"),
    ),
}
_EXTRAS = {"scikit-learn": "classical", "torch": "neural", "safetensors": "neural"}

# Rows of training between which a member is worth its time: forests are slow with many rows, and
# networks learn nothing from few.
_ROWS = {"extra_trees": (0, 200_000), "lstm": (5_000, 500_000)}
_TEST_TIMES = 200  # decision times of a test stretch, at least

# Seconds of one fit for a row of training, from docs/measured.md (124,000 rows of 107 features,
# one of 30 epochs for networks), and those of everything else.
FIT_S = {
    "ridge": 2e-6,
    "elastic_net": 4e-6,
    "logistic": 6e-6,
    "lightgbm": 35e-6,
    "extra_trees": 580e-6,
    "xgboost": 21e-6,
    "catboost": 42e-6,
    "lstm": 700e-6,
}
_BEGIN_S, _ROW_S = 15.0, 100e-6


def n_rows(panel: Panel) -> int:
    """Bars of all symbols."""
    return sum(map(len, panel.values()))


def members_of(preset: str, task: str, rows: int) -> tuple[str, ...]:
    """Names of the members that a preset takes for a task.

    >>> members_of("standard", "return", 3_500)
    ('ridge', 'elastic_net', 'lightgbm', 'extra_trees')
    >>> members_of("standard", "direction", 1_000_000)
    ('logistic', 'lightgbm')
    """
    every = dict.fromkeys((*_QUICKEST[task], *PRESETS[preset].further))
    bounds = {name: _ROWS.get(name, (0, rows)) for name in every}
    return tuple(name for name, (least, most) in bounds.items() if least <= rows <= most)


def folds_of(preset: str, panel: Panel) -> int:
    """Folds of walk-forward, fewer where tests would be short."""
    tested = (1.0 - WalkForward().first_train) * max(map(len, panel.values()))
    return max(2, min(PRESETS[preset].folds, int(tested // _TEST_TIMES)))


def seconds_of(preset: str, task: str, panel: Panel) -> float:
    """An estimate for one core, from sizes alone; two cores halve most of it."""
    rows, folds = n_rows(panel), folds_of(preset, panel)
    fits = 1.0 + 0.7 * folds  # the final one has all rows, those of folds 0.4 to 1.0 of them
    each = sum(FIT_S[name] for name in members_of(preset, task, rows))
    return _BEGIN_S + rows * (_ROW_S + fits * each)


def preset_within(study: Study, panel: Panel, time_limit: float) -> tuple[Study, Chosen]:
    """The study with the largest preset whose estimate is within `time_limit` seconds.

    No clock is read, and nothing is stopped. Raises `ConfigError` where the study has members or
    a preset, or the limit is none.

    >>> import tempfile
    >>> from barstack.testing import small_study, walk
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     study = Study(bars=small_study(Path(folder)).bars, horizons=[2])
    >>> preset_within(study, {"WALK": walk(400)}, 20.0)[1].value
    'thorough'
    """
    if study.members or study.preset:
        named = f"preset {study.preset}" if study.preset else ", ".join(study.members)
        raise ConfigError(f"time_limit chooses a preset, and there is {named}. Leave one out.")
    number = isinstance(time_limit, int | float) and not isinstance(time_limit, bool)
    if not number or not time_limit > 0:
        raise ConfigError(f"time_limit is {time_limit!r:.80}. Give seconds, a number above 0.")
    expected = {name: seconds_of(name, study.label.task, panel) for name in PRESETS}
    within = [name for name, seconds in expected.items() if seconds <= time_limit]
    chosen = within[-1] if within else "quick"
    listed = ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in expected.items())
    because = f"Of {n_rows(panel):,} bars, on one core, about: {listed}; at most {time_limit:g} s."
    if not within:
        because += " Even the quickest is expected to take longer."
    return study.model_copy(update={"preset": chosen}), Chosen("preset", chosen, because)


def completed(study: Study, folder: Path | str = ".") -> tuple[Study, tuple[Chosen, ...]]:
    """The study with what a preset chooses, and what that is; a study with members as it is.

    The choice depends on the task and the number of bars alone, so that it is the same wherever
    the study runs. What a study says of its split and ensembles stays.

    >>> import tempfile
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     study = Study(bars=small_study(Path(folder)).bars, horizons=[2], preset="quick")
    ...     chosen = completed(study, folder)[0]
    >>> list(chosen.members)
    ['ridge', 'elastic_net']
    """
    if study.members:
        return study, ()
    return complete_with(study, study.visible_bars.load(Path(folder)))


def complete_with(study: Study, panel: Panel) -> tuple[Study, tuple[Chosen, ...]]:
    """As `completed`, for the bars in `panel`."""
    preset, rows = study.preset or "standard", n_rows(panel)
    members = members_of(preset, study.label.task, rows)
    _check_installed(members, preset)
    chosen: dict[str, object] = {"members": list(members), "preset": ""}
    by_default = "" if study.preset else " where a study names no members"
    choices = [Chosen("members", members, f"Preset {preset}{by_default}, for {rows:,} bars.")]
    if "ensembles" in study.left_open:
        ensembles = PRESETS[preset].ensembles
        chosen["ensembles"] = list(ensembles)
        choices.append(Chosen("ensembles", ensembles, f"Preset {preset}."))
    if "split" in study.left_open:
        folds = folds_of(preset, panel)
        chosen["split"] = WalkForward(folds=folds)
        because = f"Walk-forward, each test of {_TEST_TIMES} decision times or more."
        choices.append(Chosen("folds", folds, because))
    return study.model_copy(update=chosen), tuple(choices)


def _check_installed(members: tuple[str, ...], preset: str) -> None:
    """`MissingPackageError` before any work, where a member's library is not installed."""
    missing: dict[str, str] = {}
    for package in (each for name in members for each in MODELS.get(name).packages):
        try:
            version(package)
        except PackageNotFoundError:
            missing[package] = _EXTRAS.get(package, "boosting")
    if missing:
        extras = ",".join(sorted(set(missing.values())))
        raise MissingPackageError(
            f"Preset {preset} needs {', '.join(sorted(missing))}: pip install "
            f"'barstack[{extras}]'. Or name members whose libraries are installed, such as "
            "members: [ridge], or, for returns, preset: quick, which needs none."
        )
