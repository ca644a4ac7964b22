"""Names: found, mistyped, taken, and brought by an installed package."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from barstack import load
from barstack.core.errors import ArtifactError, ConfigError
from barstack.core.registry import Registry, SpecRegistry
from barstack.core.spec import Spec

MODEL = """
    import json
    import numpy as np
    from barstack.models import Model, register

    @register("median", family="classical", tasks=("return",))
    class Median(Model):
        "Forecasts the median training return."

        def fit(self, train, stop, target, seed):
            return np.median(train.y, axis=0)

        def predict(self, learned, inputs, target):
            return np.repeat(learned[None, :, None], len(inputs), axis=0)

        def save(self, learned, folder):
            (folder / "median.json").write_text(json.dumps(learned.tolist()))

        def load(self, folder, target):
            return np.array(json.loads((folder / "median.json").read_text()))
"""


def install(site: Path, module: str, source: str) -> Path:
    """A package with an entry point, as an installer leaves it in `site`."""
    site.mkdir(exist_ok=True)
    (site / f"{module}.py").write_text(textwrap.dedent(source))
    about = site / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[barstack]\n{module} = {module}\n")
    return site


def python(site: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter that sees the packages in `site`."""
    before = f"import sys; sys.path.insert(0, {str(site)!r})\n"
    return subprocess.run(
        [sys.executable, "-c", before + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_model_from_another_package_is_used_by_name(
    tmp_path: Path, study_file: Callable[..., Path]
) -> None:
    file = study_file(tmp_path, members=["median", "ridge"])
    site = install(tmp_path / "site", "extra_models", MODEL)
    runs = tmp_path / "runs"
    done = python(
        site,
        f"""
        import barstack as bs
        run = bs.run({str(file)!r}, runs={str(runs)!r})
        print(bs.load(run.folder))
        """,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Predictor(median, ridge;")

    (folder,) = runs.glob("[!.]*")
    with pytest.raises(ArtifactError, match="'median'"):  # this process has no such package
        load(folder)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_package", "No module named 'no_such_package'"),
        (MODEL.replace('"median"', '"ridge"'), "model 'ridge' is already registered by"),
        ("raise SystemError('odd')", "odd"),
    ],
    ids=["missing import", "taken name", "fault"],
)
def test_a_broken_plugin_is_named_each_time(tmp_path: Path, source: str, said: str) -> None:
    site = install(tmp_path / "site", "broken_models", source)
    done = python(
        site,
        """
        from barstack.core.errors import ConfigError
        from barstack.core.registry import load_plugins
        for attempt in range(2):
            try:
                load_plugins()
            except ConfigError as error:
                print(str(error).replace(chr(10), " "))
        """,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stderr
    for line in lines:
        assert line.startswith("Plugin 'broken_models' (broken_models) failed to load:")
        assert said in line
        assert "Mend it or uninstall" in line


def test_unknown_names_and_kinds() -> None:
    colours: SpecRegistry[Spec] = SpecRegistry("colour", "barstack.core")

    @colours.register("green")
    class Green(Spec):
        pass

    assert colours.parse("green") == colours.parse({"colour": "green"}) == Green()
    with pytest.raises(ConfigError, match=r"Unknown colour 'gren'\. Did you mean 'green'\?"):
        colours.get("gren")
    for wrong in (5, None, {"color": "green"}, {"colour": 5}, ["green"]):
        with pytest.raises(ConfigError, match="Cannot read a colour from"):
            colours.parse(wrong)
    with pytest.raises(ConfigError, match="Spec is not a registered colour"):
        colours.parse(Spec())


def test_a_name_is_given_once() -> None:
    things: Registry[type] = Registry("thing", "barstack.core")
    things.add("one", int)
    things.add("one", int)  # a module imported again registers its own again
    with pytest.raises(ConfigError, match=r"'one' is already registered by builtins\.int"):
        things.add("one", float)
    assert things.get("one") is int
