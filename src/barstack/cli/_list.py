"""`barstack list`: what study files can name."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from barstack.core.errors import ConfigError, did_you_mean

from ._complete import KINDS, kinds
from ._root import Json, app, summary
from ._terminal import print_json, stdout

_MORE = {
    "features": "Formulas by group: barstack features list.",
    "models": "Sizes: barstack models list. Settings: barstack models show NAME.",
    "splits": "Settings: barstack splits list.",
}


@app.command(name="list", epilog="Example: barstack list models")
def list_(
    kind: Annotated[
        str,
        typer.Argument(
            autocompletion=kinds,
            help="features, models, labels, splits, scalers, ensembles, providers or checks.",
        ),
    ],
    as_json: Json = False,
) -> None:
    """What study files can name, plugins included."""
    rows = _registered(kind)
    if as_json:
        print_json({kind: rows})
        return
    from rich.table import Table  # noqa: PLC0415

    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    stdout().print(table)
    if kind in _MORE:
        stdout().print(_MORE[kind])


def _registered(kind: str) -> list[dict[str, Any]]:
    from barstack.bars import PROVIDERS  # noqa: PLC0415
    from barstack.datasets import SCALERS  # noqa: PLC0415
    from barstack.ensembles import ENSEMBLES  # noqa: PLC0415
    from barstack.features import FEATURES  # noqa: PLC0415
    from barstack.labels import LABELS  # noqa: PLC0415
    from barstack.models import MODELS  # noqa: PLC0415
    from barstack.splits import SPLITTERS  # noqa: PLC0415

    if kind == "features":
        return [
            {
                "name": name,
                "group": FEATURES.get(name).group,
                "parameters": ", ".join(f"{k}={v}" for k, v in FEATURES.get(name).params.items()),
                "unit": FEATURES.get(name).unit,
                "about": FEATURES.get(name).about.split("\n\n")[0].replace("\n", " "),
            }
            for name in FEATURES.names()
        ]
    if kind == "checks":
        from barstack.bars.checks import CHECKS, STRUCTURAL  # noqa: PLC0415

        named = [CHECKS.get(name) for name in CHECKS.names()]
        always = [(name, "always refuses", about) for name, about in STRUCTURAL.items()]
        listed = [(each.name, f"{each.level}s", each.about) for each in named] + always
        return [
            {"name": name, "by default": level, "about": about} for name, level, about in listed
        ]
    registries: dict[str, Any] = {
        "models": MODELS,
        "labels": LABELS,
        "splits": SPLITTERS,
        "scalers": SCALERS,
        "ensembles": ENSEMBLES,
        "providers": PROVIDERS,
    }
    if kind not in registries:
        raise ConfigError(f"Nothing is listed as {kind!r}. {did_you_mean(kind, KINDS)}")
    registry = registries[kind]
    rows = []
    for name in registry.names():
        spec = registry.get(name)
        facts = {"tasks": ", ".join(spec.tasks)} if kind in ("models", "ensembles") else {}
        rows.append({"name": name, **facts, "about": summary(spec)})
    return rows
