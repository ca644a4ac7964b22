"""`barstack models`: what there is, what each can forecast, and its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer

from barstack.core.errors import ConfigError, MissingPackageError, did_you_mean

from ._complete import models as models_named
from ._root import Json, group, summary
from ._terminal import print_json, stdout

if TYPE_CHECKING:
    from barstack.models import Model

models = group(
    "models",
    "What models there are, what each can forecast, and its settings.",
    "barstack models show lstm",
)

Features = Annotated[int, typer.Option(min=1, help="Features that parameters are counted for.")]
Outputs = Annotated[
    int,
    typer.Option(
        min=1,
        help="Numbers forecast, likewise: horizons times those at each, such as 12 for three "
        "classes at four horizons.",
    ),
]


@models.command(name="list", epilog="Example: barstack models list --family neural --features 85")
def list_(
    family: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    task: Annotated[str | None, typer.Option(help="Only models that can do it.")] = None,
    features: Features = 52,
    outputs: Outputs = 4,
    as_json: Json = False,
) -> None:
    """All models by family; for networks, the number of parameters at the default size."""
    from barstack.models import MODELS  # noqa: PLC0415

    rows = [_facts(name, MODELS.get(name), features, outputs) for name in MODELS.names()]
    for what, wanted in (("family", family), ("tasks", task)):
        if wanted is None:
            continue
        known = sorted({each for row in rows for each in _several(row[what])})
        if wanted not in known:
            raise ConfigError(f"No model of {what} {wanted!r}. {did_you_mean(wanted, known)}")
        rows = [row for row in rows if wanted in _several(row[what])]
    if as_json:
        print_json({"models": rows})
        return

    from ._tables import folded, right, table  # noqa: PLC0415

    shown = table("model", right("parameters"), folded("about"))
    for each in sorted({row["family"] for row in rows}):
        members = [row for row in rows if row["family"] == each]
        shown.add_row(f"{each}, {len(members)}", style="bold cyan")
        for row in members:
            size = "" if row["parameters"] is None else f"{row['parameters']:,}"
            shown.add_row(f" {row['name']}", size, row["about"])
    stdout().print(shown)
    if any(row["parameters"] for row in rows):
        stdout().print(f"\nParameters with {features} features and {outputs} outputs.")


@models.command(epilog="Example: barstack models show lightgbm")
def show(
    name: Annotated[
        str,
        typer.Argument(help="A model; barstack models list has them.", autocompletion=models_named),
    ],
    features: Features = 52,
    outputs: Outputs = 4,
    as_json: Json = False,
) -> None:
    """What a model is, what it can forecast, what its settings mean."""
    from barstack.models import MODELS  # noqa: PLC0415

    model = MODELS.get(name)
    facts = _facts(name, model, features, outputs)
    facts |= {"settings": _settings(model), "meanings": _meanings(model)}
    if as_json:
        print_json(facts)
        return
    from ._tables import facts_table, folded, table  # noqa: PLC0415

    console = stdout()
    console.print(name, style="bold", end="")
    console.print(f", {facts['family']}\n\n{facts['about']}\n")
    rows = [("forecasts", ", ".join(facts["tasks"]))]
    if facts["parameters"] is not None:
        size = f"{facts['parameters']:,} with {features} features and {outputs} outputs"
        rows.append(("parameters", size))
    console.print(facts_table([*rows, ("stops early", "yes" if facts["stops_early"] else "no")]))
    if facts["settings"]:
        settings = table("setting", folded("default"), folded("meaning"))
        for key, default in facts["settings"].items():
            shown = "none" if default is None else str(default)
            settings.add_row(key, shown, facts["meanings"][key])
        console.print()
        console.print(settings)


def _facts(name: str, model: type[Model], features: int, outputs: int) -> dict[str, Any]:
    return {
        "name": name,
        "family": model.family,
        "tasks": list(model.tasks),
        "stops_early": model.stops_early,
        "parameters": _parameters(model, features, outputs),
        "about": summary(model),
    }


def _parameters(model: type[Model], features: int, outputs: int) -> int | None:
    """Of a network at its default size, where PyTorch is installed to build it.

    The size of other models depends on the data.
    """
    count = getattr(model, "parameter_count", None)
    try:
        return None if count is None else int(count(model(), features, outputs))
    except MissingPackageError:
        return None


def _settings(model: type[Model]) -> dict[str, Any]:
    """Each setting's default, or "required"."""
    return {
        key: "required" if info.is_required() else info.get_default(call_default_factory=True)
        for key, info in model.model_fields.items()
    }


def _meanings(model: type[Model]) -> dict[str, str]:
    """What each setting means, in its unit, and what there is to choose from."""
    found = {}
    for key, info in model.model_fields.items():
        choices = get_args(info.annotation) if get_origin(info.annotation) is Literal else ()
        among = f" ({', '.join(choices)})" if choices else ""
        found[key] = f"{info.description or ''}{among}"
    return found


def _several(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
