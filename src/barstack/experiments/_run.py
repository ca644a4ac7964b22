"""One run of a study, and what it leaves in its folder."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from barstack.bars import Bars, SeriesTable
from barstack.bars.checks import Finding
from barstack.core.files import new_folder
from barstack.core.progress import Progress
from barstack.evaluation import Evaluation, Verdict, leaderboard
from barstack.forecasting import TrainedEnsemble

from ._chain import Done, Workplace, chain_of
from ._series_stage import data_fingerprint, series_of
from ._study import Study

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run.

    id          of the study on these bars
    folder      with study.yaml, evaluation.json, report.html and artifact/
    steps       how each step ended, and its seconds
    bars        by symbol, as the study used them
    series      tables of other numbers by name, as the study used them
    verdict     whether there is an edge, with the evidence
    findings    what the checks of the bars warned of
    """

    id: str
    study: Study
    folder: Path
    evaluation: Evaluation
    verdict: Verdict
    artifact: TrainedEnsemble
    steps: list[Done]
    bars: dict[str, Bars]
    series: dict[str, SeriesTable]
    findings: list[Finding]

    def __repr__(self) -> str:
        return f"Run({self.id}, edge {self.verdict.edge}, {self.folder})"

    def leaderboard(self, horizon: str | None = None) -> pd.DataFrame:
        """Scores of all forecasters, best information coefficient first within each horizon."""
        import pandas as pd  # noqa: PLC0415 (only for the caller's convenience)

        frame = pd.DataFrame(leaderboard(self.evaluation, self.verdict.trials))
        if horizon is not None:
            frame = frame[frame["horizon"] == self.evaluation.horizon_called(horizon)]
        order = {name: place for place, name in enumerate(self.evaluation.horizons)}
        place = frame["horizon"].map(order)
        frame = frame.assign(_place=place, _ic=frame["ic"].astype(float))
        frame = frame.sort_values(["_place", "_ic"], ascending=[True, False], na_position="last")
        return frame.drop(columns=["_place", "_ic"]).reset_index(drop=True)

    def to_json(self) -> dict[str, Any]:
        """What the command line prints with --json."""
        scores = leaderboard(self.evaluation, self.verdict.trials)
        verdict = self.verdict.to_json()
        audits = verdict.pop("audits")
        return {
            "run": self.id,
            "folder": str(self.folder),
            "report": str(self.folder / "report.html"),
            "artifact": str(self.folder / "artifact"),
            "verdict": verdict,
            "task": self.evaluation.task,
            "n_decisions": self.evaluation.n_decisions,
            "ensembles": [score for score in scores if score["role"] == "ensemble"],
            "members": [score for score in scores if score["role"] == "member"],
            "naive": [score for score in scores if score["role"] == "naive"],
            "confusions": [asdict(each) for each in self.evaluation.confusions],
            "contradictions": self.evaluation.contradictions,
            "audits": audits,
            "findings": [each.to_json() for each in self.findings],
            "steps": [
                {"name": each.name, "how": each.how, "seconds": round(each.seconds, 3)}
                for each in self.steps
            ],
        }


def run_study(
    study: Study,
    *,
    folder: Path | str = ".",
    runs: Path | str = "runs",
    progress: Progress | None = None,
) -> Run:
    """Run every registered stage that is not stored yet, and write the run's folder.

    folder     where relative paths in the study start
    runs       receives `runs/<id>/`; finished steps are kept in `runs/.store/`
    """
    runs = Path(runs)
    workplace = Workplace(runs / ".store", Path(folder), progress or Progress())
    chain = chain_of(study, workplace)
    chain.run()
    judged, artifact = chain.value("evaluation"), chain.value("artifact")
    run_id = study.run_id(data_fingerprint(study, chain))
    published = chain.published()
    text = study.to_yaml()
    if not _is_published(runs / run_id, text, published):
        with new_folder(runs / run_id) as scratch:
            (scratch / "study.yaml").write_text(text)
            for name, stored in published.items():
                _copy(stored, scratch / name)
    bars, series = chain.value("bars"), series_of(study, chain)
    return Run(
        run_id,
        study,
        runs / run_id,
        judged.evaluation,
        judged.verdict,
        artifact,
        chain.done,
        bars,
        series,
        chain.value("findings"),
    )


def _is_published(folder: Path, study: str, published: Mapping[str, Path]) -> bool:
    """Whether the folder holds just this already: it then need not be writable."""
    try:
        present = {file.name for file in folder.iterdir()}
        return (
            present == {"study.yaml", *published}
            and (folder / "study.yaml").read_text() == study
            and all(_same(stored, folder / name) for name, stored in published.items())
        )
    except OSError:
        return False


def _same(one: Path, other: Path) -> bool:
    if one.is_dir():
        names = sorted(file.name for file in one.iterdir())
        return names == sorted(file.name for file in other.iterdir()) and all(
            _same(one / name, other / name) for name in names
        )
    return filecmp.cmp(one, other, shallow=False)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
