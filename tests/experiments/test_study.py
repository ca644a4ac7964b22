"""Study files: what they may say, and a sentence for everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import barstack as bs
from barstack import Run, Study
from barstack.core.errors import ConfigError
from barstack.ensembles import ENSEMBLES
from barstack.experiments import Sweep, compare_runs

BASE = """
bars: sample
label: {label: return, horizons: [4h]}
members: [ridge]
"""


def read(tmp_path: Path, text: str) -> Study:
    file = tmp_path / "study.yaml"
    file.write_text(text, encoding="utf-8")
    return Study.from_yaml(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BASE + "ensembels: [stack]", r"study\.yaml: Unknown key study\.ensembels.*'ensembles'"),
        (BASE.replace("[ridge]", "[ridg]"), r"Unknown model 'ridg'\. Did you mean 'ridge'"),
        (BASE + "members: [lightgbm]", r"key 'members' is given twice"),
        (BASE + "split: {split: walk_forward, folds: 3, folds: 4}", r"'folds' is given twice"),
        ("bars: [", r"study\.yaml is not YAML: .*line 1"),
        ("bars: a\n  label: b", r"is not YAML"),
        ("- bars\n- label", r"holds \['bars', 'label'\], not a study"),
        ("", r"holds None, not a study"),
        ("just words", r"holds 'just words', not a study"),
        ("bars: sample", r"study\.label is missing\. Add it\.$"),
        (BASE + "1: 2", r"Unknown key study\.1"),
        (BASE + "!!python/object/apply:os.system ['true']: 1", r"is not YAML"),
        (BASE + "seed: !!python/name:os.system", r"is not YAML"),
        (BASE.replace("[ridge]", "[]"), r"Cannot read members from \[\]"),
        (BASE.replace("[ridge]", "ridge"), r"Cannot read members from 'ridge'"),
        (BASE.replace("[ridge]", "[ridge, ridge]"), r"repeat a name"),
        (BASE.replace("[ridge]", "[{model: ridge}]"), r"Cannot read members from"),
        (BASE.replace("[ridge]", "{a/b: ridge}"), r"Name 'a/b': use letters"),
        (BASE.replace("[ridge]", "{../a: ridge}"), r"Name '\.\./a'"),
        (BASE.replace("[ridge]", "{nnls: ridge}"), r"called nnls.*other names"),
        (BASE.replace("[ridge]", "{zero: ridge}"), r"called zero.*other names"),
        (BASE.replace("[ridge]", "{a: [ridge]}"), r"Cannot read a model from \['ridge'\]"),
        (BASE + "ensembles: [stack, {ensemble: stack, weight_spread: 1.0}]", r"repeat a name"),
        (BASE + "ensembles: []", r"Cannot read ensembles from \[\]"),
        (BASE.replace("label: return", "label: direction"),
         r"'ridge' does return, not direction\. Models that do: .*catboost"),
        (BASE + "split: purged_kfold", r"forward forecasts.*walk_forward or chronological"),
        (BASE.replace("sample", "smaple"), r"Unknown provider 'smaple'\. Did you mean 'sample'"),
        (BASE.replace("sample", "{provider: files}"), r"files\.path is missing"),
        (BASE.replace("sample", "{path: bars}"), r"Cannot read a provider from"),
    ],
)  # fmt: skip
def test_mistakes_in_a_file(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){said}"):
        read(tmp_path, text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no study file .*nowhere\.yaml"):
        Study.from_yaml(tmp_path / "nowhere.yaml")
    with pytest.raises(ConfigError, match="cannot be read as text"):
        Study.from_yaml(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ConfigError, match="cannot be read as text"):
        Study.from_yaml(tmp_path / "binary.yaml")


@pytest.mark.parametrize("kind", [Study, Sweep])
def test_no_more_of_a_file_is_read_than_may_be_one(kind: type[Study | Sweep]) -> None:
    with pytest.raises(ConfigError, match="it has more than 1,000,000 characters"):
        kind.from_yaml("/dev/zero")  # which never ends


FORMS: list[Any] = [
    ["ridge"],
    {"ridge": None},
    {"ridge": {}},
    {"ridge": "ridge"},
    {"ridge": {"model": "ridge"}},
    {"ridge": {"penalty": 1}},
]


@pytest.mark.parametrize("members", FORMS, ids=str)
def test_members_in_all_their_forms(tmp_path: Path, members: Any) -> None:
    text = yaml.safe_dump(yaml.safe_load(BASE) | {"members": members})
    assert read(tmp_path, text) == read(tmp_path, BASE)


def test_lists_take_objects_beside_names() -> None:
    members: list[Any] = ["naive_mean", bs.Ridge(penalty=2.0)]
    study = bs.Study(bars="sample", label=bs.Return([1]), members=members)
    assert study.members == {"ridge": bs.Ridge(penalty=2.0), "naive_mean": bs.NaiveMean()}
    with pytest.raises(bs.BarstackError, match="repeat a name"):
        bs.Study(bars="sample", label=bs.Return([1]), members=[bs.Ridge(), bs.Ridge(penalty=2.0)])


def test_symbols_dates_and_numbers_mean_what_they_look_like(tmp_path: Path) -> None:
    """YAML 1.1 would make ON a truth, 2026-01-05 a date and 1e-3 a word."""
    bars = "{provider: files, path: bars, symbols: [ON, NO, Y], start: 2026-01-05}"
    text = BASE.replace("sample", bars).replace("[ridge]", "{ridge: {penalty: 1e-3}}")
    study = read(tmp_path, text)
    source: Any = study.bars
    assert source.symbols == ("ON", "NO", "Y")
    assert source.start == "2026-01-05"
    ridge: Any = study.members["ridge"]
    assert ridge.penalty == 0.001
    assert read(tmp_path, study.to_yaml()) == study


EXAMPLES = sorted(Path(__file__).parents[2].glob("examples/*.yaml"))
STUDIES = [file for file in EXAMPLES if "study" not in yaml.safe_load(file.read_text())]


@pytest.mark.parametrize("example", STUDIES, ids=lambda file: file.stem)
def test_a_study_survives_its_text(tmp_path: Path, example: Path) -> None:
    study = Study.from_yaml(example)
    again = read(tmp_path, study.to_yaml())
    assert again == study
    assert again.id == study.id
    assert again.title == study.title
    assert again.to_yaml() == study.to_yaml()


def test_the_title_changes_nothing(tmp_path: Path) -> None:
    titled = read(tmp_path, BASE + "title: Größe zählt")
    assert titled.title == "Größe zählt"
    assert titled.id == read(tmp_path, BASE).id


def test_compare_and_leaderboard_give_one_figure_one_error(finished: Run) -> None:
    """To rounding: the one adds up rows by symbol, the other by time."""
    scores = {(each.horizon, each.name): each for each in finished.evaluation.scores}
    for at in compare_runs([finished.folder]):
        for entry in at.entries:
            score = scores[at.horizon, entry.name]
            assert entry.ic == pytest.approx(score.ic, rel=1e-9)
            assert entry.ic_se == pytest.approx(score.ic_se, rel=1e-9)
            assert entry.directional_accuracy_se == pytest.approx(score.directional_accuracy_se)
            assert entry.reach == score.reach


def test_a_report_has_the_id_of_its_folder(finished: Run, with_series: Run) -> None:
    for done in (finished, with_series):
        page = (done.folder / "report.html").read_text(encoding="utf-8")
        assert f"Run <code>{done.folder.name}</code>" in page
        assert "In short, before anything was fitted" in page


def test_what_was_called_stack_is_read_from_the_studies_of_old_runs(tmp_path: Path) -> None:
    old = read(tmp_path, BASE + "ensembles: {stack: {ensemble: stack, weight_spread: 0.5}}")
    assert old.ensembles == {"stack": ENSEMBLES.parse("nnls")}
