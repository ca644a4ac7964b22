"""`bs.run`: the whole chain, from bars to report and artifact."""

from __future__ import annotations

from pathlib import Path

from . import reports  # noqa: F401 (registers the stage that writes the report)
from .core.progress import Progress
from .experiments import Run, Study, run_study


def run(
    study: Study | Path | str,
    *,
    folder: Path | str | None = None,
    runs: Path | str = "runs",
    progress: Progress | None = None,
    workers: int | None = None,
) -> Run:
    """Run a study, or a study file; what has been made before is reused.

    folder    where relative paths in the study start: by default the study file's folder, or
              the current one
    runs      receives `<id>/` with report.html, artifact/, evaluation.json and study.yaml
    progress  reports tasks; by default silent
    workers   threads that compute tasks side by side, by default one for each core

    Raises `ConfigError`, `DataError` or `LeakError` with what, where and the way out.
    """
    if not isinstance(study, Study):
        folder = folder or Path(study).parent
        study = Study.from_yaml(study)
    return run_study(study, folder=folder or ".", runs=runs, progress=progress, workers=workers)
