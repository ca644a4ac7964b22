"""Text of users is shown as it is: brackets are no markup, control characters are escaped."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import Barstack, table_of

from barstack.testing import walk

NAME = "[red]A[/]"


def test_brackets_in_symbols_are_shown(barstack: Barstack, tmp_path: Path) -> None:
    table_of(walk(200)[:150]).write_parquet(tmp_path / "bars.parquet")
    imported = barstack(
        "import", tmp_path / "bars.parquet", "--into", "marked", "--yes", "--symbol", NAME,
        "--calendar", "XNYS", "--stamp", "open", "--hours", "regular",
    )  # fmt: skip
    assert f"{NAME} " in imported.out
    assert NAME in barstack("data", "marked", code=None).out


@pytest.mark.parametrize("style", [None, "bold"])
def test_consoles_read_no_markup(style: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    from barstack.cli._tables import facts_table, table  # noqa: PLC0415
    from barstack.cli._terminal import stdout  # noqa: PLC0415

    shown = table("symbol", title=NAME)
    shown.add_row(NAME, style=style)
    for each in (NAME, shown, facts_table([(NAME, "a\x1b[2J")])):
        stdout().print(each)
    out = capsys.readouterr().out
    assert out.count(NAME) == 4
    assert "\x1b" not in out
