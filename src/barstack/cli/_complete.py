"""What the shell may complete an argument to.

Where a function finds nothing the shell completes paths itself, as it does for every argument
that has no function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from barstack.core.errors import BarstackError

Completion = Callable[[str], list[str]]

# What `barstack list` lists.
KINDS = ("checks", "ensembles", "features", "labels", "models", "providers", "scalers", "splits")
_STUDIES = (".yaml", ".yml")
_RUNS = Path("runs")


def _beginning(incomplete: str, words: Iterable[str]) -> list[str]:
    """Words that the shell can take up: it would break one with a space in two."""
    return sorted(each for each in words if each.startswith(incomplete) and " " not in each)


def kinds(incomplete: str) -> list[str]:
    """What `barstack list` takes.

    >>> kinds("s")
    ['scalers', 'splits']
    """
    return _beginning(incomplete, KINDS)


def studies(incomplete: str) -> list[str]:
    """Study files in the folder that has been typed."""
    folder, slash, _ = incomplete.rpartition("/")
    found = _entries(Path(f"{folder}{slash}" or "."))
    return _beginning(
        incomplete,
        (f"{folder}{slash}{each.name}" for each in found if each.suffix in _STUDIES),
    )


def run_folders(incomplete: str) -> list[str]:
    """Folders of finished runs below `runs`."""
    runs = [each for each in _entries(_RUNS) if (each / "study.yaml").is_file()]
    return _beginning(incomplete, map(str, runs))


def collections(incomplete: str) -> list[str]:
    """Collections of the catalog."""
    from barstack.bars import Catalog  # noqa: PLC0415 (numpy is slow to import)

    return _beginning(incomplete, Catalog().names())


def models(incomplete: str) -> list[str]:
    """Registered models, those of plugins too."""
    from barstack.models import MODELS  # noqa: PLC0415

    return _beginning(incomplete, _names(MODELS.names))


def features(incomplete: str) -> list[str]:
    """Registered features, those of plugins too."""
    from barstack.features import FEATURES  # noqa: PLC0415

    return _beginning(incomplete, _names(FEATURES.names))


def sources(incomplete: str) -> list[str]:
    """Providers that bars are fetched from, and study files."""
    from barstack.bars import PROVIDERS  # noqa: PLC0415
    from barstack.bars.sources import PagedProvider  # noqa: PLC0415

    fetched = (
        name for name in _names(PROVIDERS.names) if issubclass(PROVIDERS.get(name), PagedProvider)
    )
    return [*_beginning(incomplete, fetched), *studies(incomplete)]


def _names(of: Callable[[], list[str]]) -> list[str]:
    try:
        return of()
    except BarstackError:  # of a broken plugin; a report would appear within the line being typed
        return []


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
