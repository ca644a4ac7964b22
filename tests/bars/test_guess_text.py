"""Small files of text: which column is which, and how times and numbers are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from barstack.bars import PROVIDERS
from barstack.bars.importing import Guess, guess
from barstack.core.errors import ConfigError, DataError


def lines(tmp_path: Path, text: str, name: str = "SPY.csv") -> Path:
    (tmp_path / name).write_text(text)
    return tmp_path / name


def days(header: str, row: str, first: str = "2026-01-05", n_days: int = 10) -> str:
    """A file of business days; `row` is formatted with the date."""
    dates = pd.bdate_range(first, periods=n_days)
    return "\n".join([header, *(row.format(date=date) for date in dates)]) + "\n"


def settings_of(path: Path, **said: Any) -> dict[str, Any]:
    return guess(path, {"calendar": "XNYS"} | said).reading.settings()


def test_day_and_month_are_told_apart_only_by_a_day_beyond_12(tmp_path: Path) -> None:
    row = "{date:%d/%m/%Y},1,2,1,2,9"
    header = "Date,Open,High,Low,Close,Volume"
    clear = lines(tmp_path, days(header, row))
    assert settings_of(clear)["time_format"] == "%d/%m/%Y"
    american = lines(tmp_path, days(header, "{date:%m/%d/%Y},1,2,1,2,9"))
    assert settings_of(american)["time_format"] == "%m/%d/%Y"
    unclear = lines(tmp_path, days(header, row, "2026-02-02", 5))
    (question,) = guess(unclear, {"calendar": "XNYS"}).open
    assert question.setting == "dayfirst"
    assert question.choices == ("--dayfirst", "--monthfirst")
    assert settings_of(unclear, dayfirst=True)["time_format"] == "%d/%m/%Y"
    assert settings_of(unclear, dayfirst=False)["time_format"] == "%m/%d/%Y"


def test_an_adjusted_close_is_not_taken_for_the_close(tmp_path: Path) -> None:
    both = lines(tmp_path, days("Date,Open,High,Low,Close,Adj Close,Volume",
                                "{date:%Y-%m-%d},1,2,1,2,1.5,9"))  # fmt: skip
    found = guess(both, {"calendar": "XNYS"})
    assert found.reading.columns["close"] == "Close"
    (close,) = [each for each in found.clues if each.setting == "columns.close"]
    assert "'Adj Close' is left out" in close.because
    alone = lines(
        tmp_path, days("Date,Open,High,Low,Adj Close,Volume", "{date:%Y-%m-%d},1,2,1,2,9")
    )
    (question,) = guess(alone, {"calendar": "XNYS"}).open
    assert question.setting == "columns.close"
    assert question.choices == ("Adj Close",)
    assert settings_of(alone, columns={"close": "Adj Close"})["columns"]["close"] == "Adj Close"


def test_volume(tmp_path: Path) -> None:
    none = lines(tmp_path, days("Date,Open,High,Low,Close", "{date:%Y-%m-%d},1,2,1,2"))
    assert settings_of(none)["columns"]["volume"] == "zeros"
    other = lines(tmp_path, days("Date,Open,High,Low,Close,Turnover", "{date:%Y-%m-%d},1,2,1,2,9"))
    (question,) = guess(other, {"calendar": "XNYS"}).open
    assert question.choices == ("Turnover", "zeros")
    ticks = lines(tmp_path, days("<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<TICKVOL>,<VOL>,<SPREAD>",
                                 "{date:%Y.%m.%d},1,2,1,2,9,0,3"))  # fmt: skip
    assert settings_of(ticks)["columns"]["volume"] == "<TICKVOL>"


def test_quotes_without_trades_are_asked_about(tmp_path: Path) -> None:
    header = "time,bid_open,bid_high,bid_low,bid_close,ask_open,ask_high,ask_low,ask_close,volume"
    file = lines(tmp_path, days(header, "{date:%Y-%m-%d},1,2,1,2,1,2,1,2,9"))
    found = {each.setting: each.choices for each in guess(file).open}
    assert found["columns.close"] == ("bid_close", "ask_close")


def test_a_comma_that_may_be_either_is_asked_about(tmp_path: Path) -> None:
    row = '{date:%Y-%m-%d};"1,234";"2,345";"1,111";"1,500";900'
    file = lines(tmp_path, days("Date;Open;High;Low;Close;Volume", row))
    (question,) = guess(file, {"calendar": "XNYS"}).open
    assert question.setting == "decimal"
    fraction = settings_of(file, decimal=",", thousands="")
    assert fraction["decimal"] == ","


def test_lines_above_the_header_and_several_header_lines(tmp_path: Path) -> None:
    table = days("Date,Open,High,Low,Close,Volume", "{date:%Y-%m-%d},1,2,1,2,9")
    assert settings_of(lines(tmp_path, f"https://bars.example\n{table}"))["skip_lines"] == 1
    yahoo = table.replace("Volume\n", "Volume\nTicker,SPY,SPY,SPY,SPY,SPY\nDate,,,,,\n", 1)
    file = lines(tmp_path, yahoo.replace("Date,Open", "Price,Open", 1))
    found = settings_of(file)
    assert found["header_lines"] == 3
    source = {"provider": "files", "path": str(file), "calendar": "XNYS", "header_lines": 3}
    assert len(PROVIDERS.parse(source).load()["SPY"]) == 10


def test_numbers_as_spreadsheets_write_them(tmp_path: Path) -> None:
    row = '{date:%b %d, %Y}|"$1,001.50"|$1,002|"$1,000.5"|"$1,001.75"|"1,234,567"'
    file = lines(tmp_path, days("Date|Open|High|Low|Close/Last|Volume", row))
    found = settings_of(file)
    assert (found["thousands"], found["columns"]["close"]) == (",", "Close/Last")
    source = {"provider": "files", "path": str(file), "calendar": "XNYS"}
    bars = PROVIDERS.parse(source | found).load()["SPY"]
    assert bars.records[0][["open", "close", "volume"]].tolist() == (1001.5, 1001.75, 1_234_567)


def test_absolute_times_come_before_local_ones(tmp_path: Path) -> None:
    row = "{date:%s},{date:%Y-%m-%d},1,2,1,2,9"
    file = lines(tmp_path, days("unix,date,open,high,low,close,volume", row))
    assert settings_of(file)["columns"]["time"] == "unix"


@pytest.mark.parametrize("wrong", ["1,23", "12,3456", "1.234,5", "1,234,5"])
def test_numbers_that_are_written_otherwise_further_down_are_refused(
    tmp_path: Path, wrong: str
) -> None:
    row = '{date:%Y-%m-%d},"1,001.50","1,002","1,000.5","1,001.75",9'
    text = days("Date,Open,High,Low,Close,Volume", row)
    file = lines(tmp_path, text + f'2026-01-20,"1,001","1,002","{wrong}","1,001",9\n')
    source = {"provider": "files", "path": str(file), "calendar": "XNYS", "thousands": ","}
    with pytest.raises(DataError, match=rf"'{wrong}' in row 10 of 'Low' is not a number"):
        PROVIDERS.parse(source).load()


def test_what_is_no_table_at_all(tmp_path: Path) -> None:
    for text in ("", "hello\n", "a,b,c\n1,2,3\n", "Date,Open,High,Low,Close,Volume\n"):
        with pytest.raises(DataError):
            guess(lines(tmp_path, text))
    with pytest.raises(ConfigError, match=r"Unknown setting 'calender'\. Did you mean 'calendar'"):
        guess(tmp_path / "SPY.csv", {"calender": "XNYS"})


HEADER = "Date,Open,High,Low,Close,Volume"


def first(found: Guess) -> pl.DataFrame:
    """The first rows, as guessed."""
    assert found.first is not None
    return found.first


def clues(found: Guess) -> dict[str, tuple[Any, str]]:
    return {each.setting: (each.value, each.certainty) for each in found.clues}


@pytest.mark.parametrize(
    ("prices", "taken"),
    [
        # Yen are quoted so, to three digits; so are points of an index, with thousands.
        (("110.250", "110.251"), (".", "likely")),
        (("15.250", "999"), (None, "unsure")),
        (("1,250", "1,251"), (None, "unsure")),
        (("1,250", "999"), (None, "unsure")),
        (("0,250", "1,251"), (",", "sure")),
        (("1.250.000", "1.251"), (",", "sure")),
        (("0.250", "1.251"), None),
    ],
)
def test_a_mark_before_three_digits_everywhere(
    tmp_path: Path, prices: tuple[str, str], taken: tuple[Any, str] | None
) -> None:
    rows = [f"2026-01-{day:02};{price};{price};{price};{price};9"
            for day, price in zip(range(5, 10), prices * 3, strict=False)]  # fmt: skip
    file = lines(tmp_path, "\n".join([HEADER.replace(",", ";"), *rows]))
    assert clues(guess(file, {"calendar": "XNYS"})).get("decimal") == taken


def test_the_mark_between_thousands_follows_from_that_before_fractions(tmp_path: Path) -> None:
    """So that one answer is enough."""
    file = lines(tmp_path, days("Date;Open;High;Low;Close;Volume",
                                "{date:%Y-%m-%d};15.250;15.300;15.200;15.250;900"))  # fmt: skip
    found = settings_of(file, decimal=",")
    assert (found["decimal"], found["thousands"]) == (",", ".")
    found = settings_of(file, thousands=".")
    assert (found["decimal"], found["thousands"]) == (",", ".")
    assert first(guess(file, {"calendar": "XNYS", "decimal": ","}))["close"][0] == 15250.0
    swiss = lines(tmp_path, days("Date;Open;High;Low;Close;Volume",
                                 "{date:%Y-%m-%d};1'250,5;1'300,5;1'200,5;1'250,5;9"))  # fmt: skip
    assert settings_of(swiss, thousands="'")["decimal"] == ","


def test_times_in_a_form_that_nobody_knows(tmp_path: Path) -> None:
    """Named or not, the column is read as is said; before that, a format is asked for."""
    file = lines(tmp_path, days(HEADER, "{date:%d|%m|%Y},1,2,1,2,9"))
    (question,) = guess(file, {"calendar": "XNYS", "columns": {"time": "Date"}}).open
    assert question.setting == "time_format"
    assert question.because == "'05|01|2026' in row 0 of 'Date' is in no form that is known."
    assert question.choices == ("%d.%m.%Y %H:%M", "epoch ms")
    for said in ({}, {"columns": {"time": "Date"}}):
        found = guess(file, {"calendar": "XNYS", "time_format": "%d|%m|%Y"} | said)
        assert first(found)["timestamp"][0].isoformat() == "2026-01-05"


def test_a_time_that_is_none_further_down(tmp_path: Path) -> None:
    text = days(HEADER, "{date:%d/%m/%Y},1,2,1,2,9") + "Total,1,2,1,2,9\n"
    file = lines(tmp_path, text)
    said = {"calendar": "XNYS", "columns": {"time": "Date"}}
    (question,) = guess(file, said).open
    assert question.because == "'Total' in row 10 of 'Date' is not written as most are."
    assert question.choices == ("%d/%m/%Y",)
    assert len(first(guess(file, said | {"time_format": "%d/%m/%Y"}))) == 5
    epochs = lines(tmp_path, days(HEADER, "{date:%s},1,2,1,2,9") + "Total,1,2,1,2,9\n")
    assert guess(epochs, said).open[0].choices == ("epoch s",)


def test_a_format_that_does_not_fit_is_refused_with_one_that_may(tmp_path: Path) -> None:
    file = lines(tmp_path, days(HEADER, "{date:%d/%m/%Y},1,2,1,2,9"))
    for said in ({}, {"columns": {"time": "Date"}}):
        with pytest.raises(
            DataError,
            match=r"cannot read '05/01/2026' in row 0 of 'Date' as a time written %d\.%m\.%Y, nor "
            r"most others\. Say .* with --time-format, such as '%d/%m/%Y'\.",
        ):
            guess(file, {"time_format": "%d.%m.%Y"} | said)
    with pytest.raises(ConfigError, match=r"Times cannot be written %Y-%m-%d %I\. .*meridiem"):
        guess(file, {"time_format": "%Y-%m-%d %I"})
    # Any number may count something: only what looks like counts, or is named, is taken for them.
    other = lines(tmp_path, days(HEADER, "{date:%d|%m|%Y},1,2,1,2,9"))
    (question,) = guess(other, {"calendar": "XNYS", "time_format": "epoch s"}).open
    assert question.because == "No column holds times written epoch s."
    with pytest.raises(DataError, match=r"no column 'Dte'\. Did you mean 'Date'"):
        guess(file, {"columns": {"time": "Dte"}})
