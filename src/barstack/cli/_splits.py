"""`barstack splits`: which there are, and what each fold trains on, leaves out and tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barstack.core.errors import ConfigError

from ._complete import studies
from ._root import Json, group, summary
from ._split_scenes import DECISIONS, HORIZON, MEMORY, STOP, Scene, of_study, synthetic
from ._terminal import print_json, stdout

if TYPE_CHECKING:
    from barstack.core.arrays import Rows
    from barstack.splits import SplitPicture

splits = group(
    "splits",
    "How time can be cut into folds, as charts.",
    "barstack splits plot --split combinatorial_purged --set groups=8",
)


@splits.command(name="list", epilog="Example: barstack splits list")
def list_(as_json: Json = False) -> None:
    """All splitters with their settings."""
    from barstack.splits import SPLITTERS  # noqa: PLC0415 (numpy is slow to import)

    kinds = {name: SPLITTERS.get(name) for name in SPLITTERS.names()}
    settings = {
        name: {field: info.get_default() for field, info in kind.model_fields.items()}
        for name, kind in kinds.items()
    }
    abouts = {name: summary(kind) for name, kind in kinds.items()}
    if as_json:
        rows = [
            {"name": name, "kind": kind.kind, "settings": settings[name], "about": abouts[name]}
            for name, kind in kinds.items()
        ]
        print_json({"splits": rows})
        return

    from ._tables import folded, table  # noqa: PLC0415

    shown = table("name", "kind", folded("about, and settings"))
    for name, kind in kinds.items():
        shown.add_row(name, kind.kind, abouts[name])
        values = ("none" if value is None else value for value in settings[name].values())
        pairs = zip(settings[name], values, strict=True)
        shown.add_row("", "", ", ".join(f"{field}={value}" for field, value in pairs), style="dim")
    stdout().print(shown)
    stdout().print("Forward trains on the past only, crossed on both sides of each test.")


@splits.command(
    epilog="Examples: barstack splits plot study.yaml --html split.html; "
    "barstack splits plot --split purged_kfold --set folds=4 --horizon 20"
)
def plot(
    study: Annotated[
        Path | None,
        typer.Argument(
            help="A study file; by default synthetic decisions.", autocompletion=studies
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="See: barstack splits list. By default walk_forward, or the study's."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="<field=value>", help="A setting of it; repeat it."),
    ] = None,
    decisions: Annotated[
        int | None, typer.Option(help=f"Number of synthetic decisions; {DECISIONS} by default.")
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(help=f"Of their labels, in bars; {HORIZON} by default.")
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option(help=f"Bars that features read; {MEMORY} by default, or the study's."),
    ] = None,
    stop: Annotated[
        float | None,
        typer.Option(
            help=f"Share of training times for early stopping; {STOP} by default, or "
            "0 for a study in which nothing stops early."
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with the chart here.")] = None,
    as_json: Json = False,
) -> None:
    """What each fold trains on, purges, embargoes and tests, one line per fold."""
    from barstack.splits import fold_parts, paths, picture  # noqa: PLC0415

    if html is not None:
        _check_page(html, study)
    if study is None:
        scene = synthetic(split, set_ or [], decisions, horizon, memory, stop)
    elif decisions is not None or horizon is not None:
        raise ConfigError(
            "A study's bars and label determine what --decisions and --horizon set. Leave these "
            "out, or the study."
        )
    else:
        scene = of_study(study, split, set_ or [], memory, stop)
    data = (scene.decisions, scene.known_at, scene.usable)
    found = fold_parts(
        scene.splitter, *data, memory_bars=scene.memory_bars, stop_share=scene.stop_share
    )
    drawn = picture(found, scene.decisions, scene.usable)
    routes = paths(scene.splitter.split(*data, memory_bars=scene.memory_bars))
    if html is not None:
        from barstack.reports import render_split, write_page  # noqa: PLC0415

        facts = scene.facts
        if study is not None:
            facts = [*facts, ("decision times", f"{len(drawn.times):,}")]
        page = render_split(
            scene.title, scene.splitter, drawn, routes, facts, dates=study is not None
        )
        write_page(page, html)
    if as_json:
        print_json(_content(scene, drawn, routes) | {"html": str(html) if html else None})
        return
    from ._show_splits import show_picture  # noqa: PLC0415

    console = stdout()
    about = ", ".join(f"{label} {value}" for label, value in scene.facts)
    console.print(scene.title, style="bold", end="")
    console.print(f": {about}")
    show_picture(drawn, console)
    if len(routes) > 1:
        console.print(f"{len(routes)} backtest paths can be assembled from them.")
    if html is not None:
        console.print(f"  page  {html}", soft_wrap=True)


def _check_page(html: Path, study: Path | None) -> None:
    """`ConfigError` for a page that would overwrite a study, or anything that is no page."""
    if html.suffix.lower() != ".html" or (study is not None and html.resolve() == study.resolve()):
        raise ConfigError(
            f"The page would take the place of {html}, which is no page. Name one that ends in "
            f".html, such as {html.with_name('split.html')}."
        )


def _content(
    scene: Scene, drawn: SplitPicture, routes: list[list[tuple[int, Rows]]]
) -> dict[str, Any]:
    """The picture as plain data; counts are of rows, runs of decision times."""
    folds = []
    for fold, counts in enumerate(drawn.counts):
        runs = [
            {
                "part": run.part,
                "from": str(drawn.times[run.start]),
                "to": str(drawn.times[run.end - 1]),
                "times": run.end - run.start,
            }
            for run in drawn.runs(fold)
        ]
        folds.append(counts | {"runs": runs})
    return {
        "split": scene.splitter.content(),
        "kind": scene.splitter.kind,
        "memory_bars": scene.memory_bars,
        "decision_times": len(drawn.times),
        "paths": [[fold for fold, _ in route] for route in routes],
        "folds": folds,
    }
