"""The report of a run, as a view: written when a run ends with anything new."""

from __future__ import annotations

from barstack.core.horizon import Horizon
from barstack.core.text import listed
from barstack.core.times import format_duration, iso
from barstack.experiments import Run, view


@view("report.html")
def report(run: Run) -> str:
    """One HTML page, with what was made and how long it took in the run that wrote it."""
    from ._page import render  # noqa: PLC0415 (drawing is slow to import)

    return render(
        run.evaluation,
        run.verdict,
        title=run.study.title or "A study of " + ", ".join(list(run.bars)[:5]),
        run_id=run.id,
        facts=_facts(run),
        steps=[(done.name, done.how, done.seconds) for done in run.steps],
        findings=run.findings,
        fits=run.fits(),
    )


def _facts(run: Run) -> list[tuple[str, str]]:
    from ._page import judged_decisions  # noqa: PLC0415 (drawing is slow to import)

    study, panel, found = run.study, run.bars, run.evaluation
    ahead = Horizon.parse(run.verdict.horizon).in_words
    symbols = list(panel)
    n_bars = sum(len(bars) for bars in panel.values())
    length = format_duration(next(iter(panel.values())).length_us)
    first = min(bars.opened_at[0] for bars in panel.values())
    last = max(bars.closed_at[-1] for bars in panel.values())
    own = study.features if isinstance(study.features, str) else "listed by hand"
    return [
        ("symbols", listed(symbols, 6)),
        ("bars", f"{n_bars:,} of {length}"),
        ("from, to", f"{iso(first)[:10]}, {iso(last)[:10]}"),
        (
            "judged by",
            f"{judged_decisions(found, run.verdict):,} decisions {ahead} ahead from "
            f"{found.first_at[:10]}",
        ),
        ("calendar", run.calendar),
        ("features", ", ".join([own, *(f"series {name}" for name in study.series)])),
        ("members", ", ".join(study.members)),
        ("costs", f"{study.cost_bps:g} bps of all bought or sold"),
        *([("leaks allowed", study.allow_leaks)] if study.allow_leaks else []),
    ]
