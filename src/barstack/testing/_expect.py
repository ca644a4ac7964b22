"""How a check fails: with a sentence, under `python -O` too, which leaves `assert` out."""

from __future__ import annotations

from typing import Any, NoReturn

_SHOWN = 300  # characters of a value


def fail(sentence: str) -> NoReturn:
    """`pytest.fail` with a sentence; `AssertionError` where pytest is not installed.

    >>> try:
    ...     fail("The forecasts are not finite.")
    ... except BaseException as error:
    ...     print(error)
    The forecasts are not finite.
    """
    try:
        import pytest  # noqa: PLC0415 (checks run outside of it too)
    except ImportError:
        raise AssertionError(sentence) from None
    pytest.fail(sentence)


def expect(holds: Any, sentence: str) -> None:
    """Fail with the sentence unless it holds.

    >>> expect(2 > 1, "Two is not more than one.")
    """
    if not holds:
        fail(sentence)


def same(found: Any, expected: Any, what: str) -> None:
    """Fail unless both are equal; `what` is what was found, as the subject of a sentence."""
    if found != expected:
        fail(f"{what} is {_short(found)}, and must be {_short(expected)}.")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
