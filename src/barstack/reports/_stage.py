"""The stage that writes a run's report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from barstack.core.horizon import Horizon
from barstack.core.times import format_duration, iso
from barstack.experiments import Chain, Judged, Step, Study, Workplace, data_fingerprint, stage

if TYPE_CHECKING:
    from barstack.bars import Panel


@stage("report")
def report(study: Study, workplace: Workplace, chain: Chain) -> Iterable[Step]:
    """One HTML page, with what was made and how long it took in the run that wrote it."""

    def make(inputs: Mapping[str, Any], key: str) -> str:
        from ._page import render  # noqa: PLC0415 (drawing is slow to import)

        judged: Judged = chain.value("evaluation")
        return render(
            judged.evaluation,
            judged.verdict,
            title=study.title or "A study of " + ", ".join(list(chain.value("bars"))[:5]),
            run_id=study.run_id(data_fingerprint(study, chain)),
            facts=_facts(
                study,
                chain.value("bars"),
                judged,
                study.bars.bar_format(workplace.folder).calendar,
            ),
            steps=[(done.name, done.how, done.seconds) for done in chain.done],
            findings=chain.value("findings"),
            fits={name: inputs[f"member {name}"].fits for name in study.members},
        )

    def save(page: str, folder: Path, key: str) -> None:
        (folder / "report.html").write_text(page, encoding="utf-8")

    yield Step(
        name="report",
        needs=(
            "bars",
            "findings",
            "evaluation",
            "artifact",
            *(f"member {name}" for name in study.members),
        ),
        spec=lambda: [study.id, study.title],
        make=make,
        save=save,
        load=lambda folder, key: (folder / "report.html").read_text(encoding="utf-8"),
        publish="report.html",
    )


def _facts(study: Study, panel: Panel, found: Judged, calendar: str) -> list[tuple[str, str]]:
    from ._page import judged_decisions  # noqa: PLC0415 (drawing is slow to import)

    symbols = list(panel)
    shown = ", ".join(symbols[:6]) + (f" and {len(symbols) - 6} more" if len(symbols) > 6 else "")
    n_bars = sum(len(bars) for bars in panel.values())
    length = format_duration(next(iter(panel.values())).length_us)
    first = min(bars.opened_at[0] for bars in panel.values())
    last = max(bars.closed_at[-1] for bars in panel.values())
    own = study.features if isinstance(study.features, str) else "listed by hand"
    return [
        ("symbols", shown),
        ("bars", f"{n_bars:,} of {length}"),
        ("from, to", f"{iso(first)[:10]}, {iso(last)[:10]}"),
        (
            "judged by",
            f"{judged_decisions(*found):,} decisions "
            f"{Horizon.parse(found.verdict.horizon).in_words} ahead "
            f"from {found.evaluation.first_at[:10]}",
        ),
        ("calendar", calendar),
        ("features", ", ".join([own, *(f"series {name}" for name in study.series)])),
        ("members", ", ".join(study.members)),
        ("costs", f"{study.cost_bps:g} bps of all bought or sold"),
        *([("leaks allowed", study.allow_leaks)] if study.allow_leaks else []),
    ]
