"""The documentation runs, is complete, and its links lead somewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.docs.doc_pages import ROOT, blocks, commands, pages, without_blocks
from tests.docs.generate_docs import barstack, command_names, regenerated

import barstack as bs
from barstack.bars import PROVIDERS, Provider, SeriesFile
from barstack.bars.sources import PagedProvider
from barstack.core import errors
from barstack.core.horizon import Horizon
from barstack.core.registry import SpecRegistry
from barstack.core.spec import Spec
from barstack.datasets import SCALERS
from barstack.ensembles import ENSEMBLES, Ensemble
from barstack.labels import LABELS, Label, SampleWeights
from barstack.models import MODELS
from barstack.models.boosting._boosting import Boosting
from barstack.models.neural._neural import Neural
from barstack.splits import SPLITTERS, Splitter
from barstack.worlds import NOISES, WORLDS, Noise, Planted, World

LANGUAGES = ("python", "console", "yaml", "toml", "text")
Outcome = subprocess.CompletedProcess[str]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


with_each_page = pytest.mark.parametrize("page", pages(), ids=name)


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[Path, Future[Outcome]]:
    """The selected pages, each running in a process and a folder of its own, two at a time."""
    selected: list[Any] = [
        item.callspec.params["page"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == "test_page_runs"
    ]

    def run(page: Path, folder: Path) -> Outcome:
        return subprocess.run(
            [sys.executable, "-m", "tests.docs.run_doc_page", str(page)],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )

    pool = ThreadPoolExecutor(max_workers=2)
    return {page: pool.submit(run, page, tmp_path_factory.mktemp(page.stem)) for page in selected}


@pytest.mark.slow
@with_each_page
def test_page_runs(page: Path, outcomes: dict[Path, Future[Outcome]]) -> None:
    done = outcomes[page].result(timeout=300)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@with_each_page
def test_studies_are_valid(page: Path, tmp_path: Path) -> None:
    """Whole studies, but for those that name what the page itself registers when it runs."""
    registered = re.findall(r"^def (\w+)|register\w*\(\"(\w+)\"", page.read_text(), re.M)
    own = {word for pair in registered for word in pair if word}
    for block in blocks(page):
        wrong_on_purpose = block.title == "mistaken.yaml"
        if block.language != "yaml" or wrong_on_purpose or "bars" not in yaml.safe_load(block.text):
            continue
        file = tmp_path / f"{page.stem}_line_{block.line}.yaml"
        file.write_text(block.text)
        if not own & set(re.findall(r"\w+", block.text)):
            assert bs.Study.from_yaml(file).id


@with_each_page
def test_every_block_is_of_a_kind_that_is_tested(page: Path) -> None:
    """A fence in another form would be skipped in silence."""
    found = blocks(page)
    fences = re.findall(r"^ *(?:```|~~~)", page.read_text(), re.M)
    assert len(fences) == 2 * len(found)
    unknown = [block for block in found if block.language not in LANGUAGES]
    assert unknown == []


def test_commands_other_than_barstack_exist() -> None:
    """They are not run, so at least the targets and files they name must be there."""
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M)
    for page in pages():
        for block in blocks(page):
            for command in commands(block) if block.language == "console" else []:
                program, *arguments = command.split()
                if program == "make":
                    assert set(arguments) <= set(targets), f"{name(page)}: {command}"
                files = [word for word in arguments if re.fullmatch(r"[\w/]+\.(py|txt)", word)]
                for file in files:
                    assert (ROOT / file).is_file(), f"{name(page)}: {command}"


@with_each_page
def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(page)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.is_file(), f"{name(page)} links to {target}, which is not there."
        if anchor and not anchor.startswith("barstack."):  # of the reference: made by the build
            assert anchor in _anchors(file), f"{name(page)}: {file.name} has no heading #{anchor}."


@with_each_page
def test_source_files_named_exist(page: Path) -> None:
    named = re.findall(r"`(src/barstack/[\w/.]+)`", page.read_text())
    assert [file for file in named if not (ROOT / file).exists()] == []


def test_every_page_is_in_the_navigation() -> None:
    docs = ROOT / "docs"
    listed = re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    made = [notebook.with_suffix(".md") for notebook in docs.rglob("*.ipynb")]
    there = [*docs.rglob("*.md"), *made]
    assert sorted(listed) == sorted(page.relative_to(docs).as_posix() for page in there)


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=name)
def test_generated_parts_are_fresh(page: Path) -> None:
    text = page.read_text()
    assert regenerated(text) == text, "Run .venv/bin/python -m tests.docs.generate_docs."


def test_every_command_and_option_is_documented() -> None:
    sections = _sections(ROOT / "docs" / "cli.md")
    assert len(command_names()) >= 6
    for command in command_names():
        assert f"barstack {command}" in sections, f"docs/cli.md has no section on {command}."
        for option in re.findall(r"^  (--[\w-]+)", barstack(*command.split(), "--help"), re.M):
            assert option in sections[f"barstack {command}"], f"{command} {option}"


def test_every_feature_is_documented() -> None:
    page = (ROOT / "docs" / "features.md").read_text()
    listed = json.loads(barstack("list", "features", "--json"))["features"]
    assert [row["name"] for row in listed if f"| `{row['name']}` |" not in page] == []


# For each registry: the page with its settings, and what base classes share, with its heading.
SETTINGS: list[tuple[SpecRegistry[Any], str, dict[type[Spec], str]]] = [
    (PROVIDERS, "study.md", {PagedProvider: "Sources that are fetched from", Provider: "bars"}),
    (LABELS, "study.md", {Label: "label"}),
    (SPLITTERS, "study.md", {Splitter: "split"}),
    (SCALERS, "study.md", {}),
    (ENSEMBLES, "study.md", {Ensemble: "ensembles"}),
    (MODELS, "models.md", {Boosting: "Boosted trees"}),
    (WORLDS, "worlds.md", {Planted: "Every signal", World: "Every world"}),
]


@pytest.mark.parametrize(
    ("registry", "page", "bases"), SETTINGS, ids=[registry.kind for registry, *_ in SETTINGS]
)
def test_every_setting_is_documented_with_its_default(
    registry: SpecRegistry[Any], page: str, bases: dict[type[Spec], str]
) -> None:
    sections = _sections(ROOT / "docs" / page)
    for entry in registry.names():
        spec = registry.get(entry)
        if not spec.__module__.startswith("barstack.") or issubclass(spec, Neural):
            continue
        documented = _rows(sections[f"`{entry}`"])
        assert set(documented) <= set(spec.model_fields), f"{page}, {entry}: a row too many"
        for base, heading in bases.items():
            if issubclass(spec, base):
                documented = _rows(sections[heading]) | documented
        _compare(spec, documented, f"{page}, {entry}")


def test_every_setting_of_a_network_is_documented_with_its_default() -> None:
    """Those they share in one table, their own in a row of another: `name` (default)."""
    section = _sections(ROOT / "docs" / "models.md")["Neural models"]
    _compare(Neural, _rows(section), "models.md, Neural models")
    for name in MODELS.names():
        spec = MODELS.get(name)
        if not issubclass(spec, Neural):
            continue
        (row,) = re.findall(rf"^\| `{name}` \|.*$", section, re.M)
        documented = {
            field: text.removesuffix(" bars")
            for field, text in re.findall(r"`(\w+)` \((.*?)\)", row)
        }
        own = spec.model_fields.keys() - Neural.model_fields.keys()
        defaults = {field: spec.model_fields[field].default for field in own}
        assert documented == {field: str(value).strip("()") for field, value in defaults.items()}, (
            name
        )


def test_every_study_key_is_documented_with_its_default() -> None:
    documented = _rows(_sections(ROOT / "docs" / "study.md")["Top-level keys"])
    assert set(documented) == set(bs.Study.model_fields)
    _compare(bs.Study, documented, "study.md")


def test_every_setting_of_a_series_is_documented_with_its_default() -> None:
    documented = _rows(_sections(ROOT / "docs" / "series.md")["Settings"])
    assert set(documented) == set(SeriesFile.model_fields)
    _compare(SeriesFile, documented, "series.md")


def test_every_setting_of_noise_is_documented_with_its_default() -> None:
    documented = _rows(_sections(ROOT / "docs" / "worlds.md")["Noise"])
    assert set(documented) == set(Noise.model_fields)
    _compare(Noise, documented, "worlds.md")


def test_every_error_is_documented_with_its_exit_code() -> None:
    rows = _rows(_sections(ROOT / "docs" / "python.md")["Errors"], column=-1)
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    ours = [each for each in classes if issubclass(each, bs.BarstackError)]
    expected = {each.__name__: str(each.exit_code) for each in ours if each is not bs.BarstackError}
    assert rows == expected


def test_public_names_are_documented() -> None:
    table = (ROOT / "docs" / "python.md").read_text()
    for public in dir(bs):
        assert re.search(rf"^\| .*`{public}\b", table, re.M), f"docs/python.md lacks {public}"


def test_map_of_the_house_lists_the_rooms() -> None:
    listed = re.findall(r"^\| `(\w+)/` \|", (ROOT / "README.md").read_text(), re.M)
    package = ROOT / "src" / "barstack"
    rooms = [file.parent.name for file in package.glob("*/__init__.py")]
    assert sorted(listed) == sorted(rooms)


def _compare(spec: type[Spec], documented: dict[str, str], where: str) -> None:
    for field, info in spec.model_fields.items():
        assert field in documented, f"{where}: {field} is not documented"
        default = (
            "required"
            if info.is_required()
            else _written(info.get_default(call_default_factory=True))
        )
        shown = documented[field].strip("`")
        assert shown == default, f"{where}: {field} is {default}, the page says {shown}"


def _written(default: Any) -> str:
    """A default as the pages write it."""
    if isinstance(default, Noise):
        return next(name for name, noise in NOISES.items() if noise == default)
    if isinstance(default, SampleWeights):
        return default.by
    if isinstance(default, Spec):
        return str((default.registered_as or ("", ""))[1])
    if isinstance(default, tuple):
        plain = (each.content() if isinstance(each, Horizon) else each for each in default)
        return f"[{', '.join(map(str, plain))}]"
    if isinstance(default, dict):
        named = default and all(name == kind for name, kind in default.items())
        return f"[{', '.join(default)}]" if named else str(default)
    return {None: "none", "": "empty"}.get(default, str(default))


def _rows(section: str, column: int = 1) -> dict[str, str]:
    """Cells of the tables in a section, by the name in backticks that the row begins with."""
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", section, re.M)
    return {
        key: rest.split("|")[column - 1 if column > 0 else column].strip() for key, rest in rows
    }


def _sections(page: Path) -> dict[str, str]:
    """Text below each heading, up to the next."""
    parts = re.split(r"^#+ (.+)$", page.read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", without_blocks(page), re.M)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }
