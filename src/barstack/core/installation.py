"""What of barstack and its optional libraries is installed, without importing any of them."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

_ESSENTIAL = ""  # the extra of what is always installed

# What each extra is for; `dev` and `docs` are for those who work on barstack itself.
EXTRAS = {
    "demo": "barstack demo: the sample bars and every family that it uses",
    "classical": "members of scikit-learn: extra_trees, logistic, svm, sklearn and others",
    "boosting": "members lightgbm, xgboost and catboost",
    "neural": "members that are networks: lstm, mlp, tcn, transformer and others",
    "timesfm": "member timesfm, pretrained",
    "fast": "networks that answer one row at a time through ONNX",
    "alpaca": "bars from Alpaca",
    "ccxt": "bars from crypto exchanges",
    "yfinance": "bars from Yahoo",
    "sql": "bars from PostgreSQL and other databases; the tracking database of a team",
    "ray": "barstack sweep --engine ray",
    "tune": "barstack tune",
    "dashboard": "barstack dashboard",
    "mlflow": "trials from and experiments to MLflow: barstack tracking import and export",
    "signing": "barstack sign and verify",
}


@dataclass(frozen=True)
class Library:
    """A library that barstack needs, and what is there of it.

    needed     such as "lightgbm>=4.6"
    installed  its version; None where it is missing
    fits       whether that version is one that is needed
    """

    name: str
    needed: str
    installed: str | None
    fits: bool


@dataclass(frozen=True)
class Extra:
    """An optional part of barstack."""

    name: str
    purpose: str
    libraries: tuple[Library, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """What must be installed or upgraded, as pip takes it."""
        return tuple(each.needed for each in self.libraries if not each.fits)

    @property
    def command(self) -> str:
        """What brings it; empty where nothing is missing."""
        return f"pip install 'barstack[{self.name}]'" if self.missing else ""


@dataclass(frozen=True)
class FolderState:
    """A folder that barstack writes to; `error` is why it cannot, if so."""

    purpose: str
    path: str
    error: str = ""


@dataclass(frozen=True)
class Installation:
    """What `inspect_installation` found.

    essential  libraries without which nothing runs
    extras     optional parts
    compiled   number of functions kept as machine code: of features, and by numba of all else
    memory_gib of the machine; None where the system does not say
    """

    barstack: str
    place: str
    python: str
    system: str
    cores: int
    memory_gib: float | None
    essential: tuple[Library, ...]
    extras: tuple[Extra, ...]
    compiled: dict[str, int]
    folders: tuple[FolderState, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """Why `barstack demo` cannot run here, each with the way out."""
        found = [
            f"{each.name} {each.installed or 'is missing'}: pip install '{each.needed}'."
            for each in self.essential
            if not each.fits
        ]
        for each in self.extras:
            if each.name == "demo" and each.missing:
                found.append(f"The demo lacks {', '.join(each.missing)}: {each.command}.")
        return (*found, *(each.error for each in self.folders if each.error))

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        extras = [
            asdict(each) | {"missing": list(each.missing), "command": each.command}
            for each in self.extras
        ]
        problems = list(self.problems)
        return asdict(self) | {"extras": extras, "problems": problems, "demo_runs": not problems}


def inspect_installation(runs: Path, catalog: Path) -> Installation:
    """The installation that this process runs in.

    runs, catalog  folders that would be written to

    >>> found = inspect_installation(Path("runs"), Path("catalog"))
    >>> [each.name for each in found.essential if each.name == "numpy"]
    ['numpy']
    """
    package = Path(__file__).parents[1]
    return Installation(
        barstack=_installed("barstack") or "unknown: it is not installed by pip",
        place=str(package),
        python=f"{platform.python_version()} ({sys.executable})",
        system=platform.platform(),
        cores=_cores(),
        memory_gib=_memory_gib(),
        essential=tuple(_libraries(_ESSENTIAL)),
        extras=tuple(
            Extra(name, purpose, tuple(_libraries(name))) for name, purpose in EXTRAS.items()
        ),
        compiled={
            "features": _count(cache_folder() / "kernels", "*.o"),
            "functions": _count(package, "**/__pycache__/*.nbi")
            + _count(Path(os.environ.get("NUMBA_CACHE_DIR", os.devnull)), "**/*.nbi"),
        },
        folders=(
            _state("compiled features and calendars", cache_folder(), "Set BARSTACK_CACHE"),
            _state("runs", runs, "Say --runs"),
            _state("the catalog", catalog, "Set BARSTACK_CATALOG"),
        ),
    )


def cache_folder() -> Path:
    """The folder in $BARSTACK_CACHE, else the user's cache folder."""
    named = os.environ.get("BARSTACK_CACHE")
    if named:
        return Path(named)
    try:
        import platformdirs  # noqa: PLC0415 (an installation without it is inspected too)
    except ImportError:
        return Path.home() / ".cache" / "barstack"
    return platformdirs.user_cache_path("barstack")


def _libraries(extra: str) -> Iterator[Library]:
    """Those that an extra brings, or that barstack always needs."""
    try:
        from packaging.requirements import Requirement  # noqa: PLC0415 (likewise)
    except ImportError:
        yield Library("packaging", "packaging", None, False)
        return
    for text in _requirements():
        one = Requirement(text)
        by_default = one.marker is None or one.marker.evaluate({"extra": ""})
        wanted = one.marker is not None and one.marker.evaluate({"extra": extra})
        if by_default if extra == _ESSENTIAL else wanted and not by_default:
            found = _installed(one.name)
            fits = found is not None and one.specifier.contains(found, prereleases=True)
            yield Library(one.name, text.partition(";")[0].strip(), found, fits)


@cache
def _requirements() -> tuple[str, ...]:
    try:
        return tuple(requires("barstack") or ())
    except PackageNotFoundError:
        return ()


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gib() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None


def _count(folder: Path, pattern: str) -> int:
    try:
        return sum(1 for _ in folder.glob(pattern))
    except OSError:
        return 0


def _state(purpose: str, path: Path, way: str) -> FolderState:
    """Whether a file can be written there, or where the folder would be made."""
    there = path.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there):
            return FolderState(purpose, str(path))
    except OSError as error:
        reason = error.strerror or str(error)
        text = f"{path}, for {purpose}, cannot be written: {reason}. {way} to another folder."
        return FolderState(purpose, str(path), text)
