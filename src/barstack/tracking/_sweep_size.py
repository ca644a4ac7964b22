"""How many experiments a sweep has, noted beside the store for whoever watches it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from barstack.core.files import make_folder, new_file

_FOLDER = ".sweeps"  # within the folder of runs


@dataclass(frozen=True)
class SweepSize:
    """What a sweep set out to do, of the call that began last.

    experiments  that are to have a result when it is done

    >>> SweepSize("5f3e", "Reference grid", 1620).experiments
    1620
    """

    sweep_id: str
    title: str
    experiments: int


def note_sweep_size(runs: Path, size: SweepSize) -> None:
    """Write it into a folder of runs, where it replaces what the same sweep has noted before.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     note_sweep_size(Path(folder), SweepSize("5f3e", "Reference grid", 1620))
    ...     list(sweep_sizes(Path(folder)))
    [SweepSize(sweep_id='5f3e', title='Reference grid', experiments=1620)]
    """
    folder = runs / _FOLDER
    make_folder(folder)
    with new_file(folder / f"{size.sweep_id}.json") as scratch:
        scratch.write_text(json.dumps(asdict(size)) + "\n", encoding="utf-8")


def sweep_sizes(runs: Path) -> Iterator[SweepSize]:
    """All that were noted in a folder of runs; a file that cannot be read as one is left out.

    >>> list(sweep_sizes(Path("no such folder")))
    []
    """
    for file in sorted((runs / _FOLDER).glob("*.json")):
        try:
            content = json.loads(file.read_text("utf-8"))
            yield SweepSize(
                str(content["sweep_id"]), str(content["title"]), int(content["experiments"])
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue  # another program's file: what is missing is a total, not a result
