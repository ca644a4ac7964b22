"""`barstack world` as people and scripts meet it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import Barstack

SMALL = ("--bars", 900, "--noise", "gaussian", "--horizon", 1, "--horizon", "1h")


@pytest.mark.parametrize("command", ["make", "list", "show"])
def test_every_command_explains_itself(barstack: Barstack, command: str) -> None:
    called = barstack("world", command, "--help")
    assert called.code == 0
    assert "Example: barstack world" in called.out
    assert max(map(len, called.out.splitlines())) <= 80


def test_make_and_show(barstack: Barstack, tmp_path: Path) -> None:
    made = barstack(
        "world", "make", "--kind", "linear", "--r2", 0.04, "--into", "toy", "--seed", 7, *SMALL
    )
    assert made.code == 0, made.err
    assert "4.05" in made.out  # 900 bars hold an open more than eleven sessions and a half
    assert "exact" in made.out
    assert max(map(len, made.out.splitlines())) <= 80
    assert barstack("world", "show", "toy").out == made.out
    content = barstack("world", "show", "toy", "--json").json
    assert content["world"]["world"] == "linear"
    assert content["world"]["seed"] == 7
    assert [each["horizon"] for each in content["figures"]] == ["1bars", "1h"]
    assert (tmp_path / "catalog" / "toy" / "truth.parquet").is_file()


def test_any_field_can_be_set(barstack: Barstack) -> None:
    fields = ("memory=0.5", "noise={tails: 5}", "symbols=[A, B]", "start=2018-01-02")
    more = [part for field in fields for part in ("--with", field)]
    made = barstack("world", "make", "--kind", "linear", "--into", "toy", *SMALL, *more, "--json")
    assert made.code == 0, made.err
    found = made.json
    assert (found["world"]["memory"], found["world"]["noise"]["tails"]) == (0.5, 5.0)
    assert found["world"]["symbols"] == ["A", "B"]
    assert found["world"]["start"] == "2018-01-02"  # not a date of YAML
    wrong = barstack("world", "make", "--kind", "linear", "--into", "other", "--with", "memory")
    assert wrong.code == 2
    assert "Write --with FIELD=VALUE" in wrong.err


def test_against_other_bars_with_a_page(barstack: Barstack, tmp_path: Path) -> None:
    for name, kind in (("toy", "market"), ("other", "garch")):
        assert barstack("world", "make", "--kind", kind, "--into", name, "--bars", 3000).code == 0
    page = tmp_path / "page.html"
    shown = barstack("world", "show", "toy", "--against", "other", "--html", page)
    assert shown.code == 0, shown.err
    assert "tail index" in shown.out
    assert max(len(line) for line in shown.out.splitlines() if str(page) not in line) <= 80
    text = page.read_text()
    assert "Nobody can forecast these prices" in text
    assert "http://" not in text.partition("<script>")[0]
    assert text.count('<script type="application/json">') == 5
    rows = barstack("world", "show", "toy", "--against", "other", "--json").json["likeness"]
    assert [row["bars"] for row in rows] == [3000, 3000]


def test_a_page_where_none_can_be(barstack: Barstack, tmp_path: Path) -> None:
    assert (
        barstack("world", "make", "--kind", "martingale", "--into", "toy", "--bars", 500).code == 0
    )
    called = barstack("world", "show", "toy", "--html", tmp_path)
    assert called.code == 2
    assert f"{tmp_path} is a folder. Name the page to write in it" in called.err
    (tmp_path / "file").touch()
    called = barstack("world", "show", "toy", "--html", tmp_path / "file" / "page.html")
    assert called.code == 3
    assert "StorageError  Cannot write" in called.err
    assert "Traceback" not in called.err
    shown = barstack("world", "show", "toy", "--html", tmp_path / "new" / "page.html")
    assert shown.code == 0, shown.err
    assert (tmp_path / "new" / "page.html").is_file()


def test_too_few_bars_to_say_what_they_are_like(barstack: Barstack, tmp_path: Path) -> None:
    assert (
        barstack("world", "make", "--kind", "martingale", "--into", "toy", "--bars", 499).code == 0
    )
    assert barstack("world", "show", "toy").code == 0
    called = barstack("world", "show", "toy", "--html", tmp_path / "page.html")
    assert called.code == 2
    assert "Give 500 bars or more" in called.err


def test_mistakes(barstack: Barstack) -> None:
    for arguments, says in (
        (("make", "--kind", "lienar", "--into", "toy"), "Did you mean 'linear'"),
        (("make", "--kind", "martingale", "--r2", 0.1, "--into", "toy"), "Unknown key"),
        (("show", "nothing"), "no catalog"),
    ):
        called = barstack("world", *arguments)
        assert called.code == 2
        assert says in " ".join(called.err.split())


def test_list(barstack: Barstack) -> None:
    shown = barstack("world", "list")
    assert "regime_dependent" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80
    found = barstack("world", "list", "--json").json
    assert {"name", "signal", "about"} == set(found["worlds"][0])
    assert "market" in found["noises"]
