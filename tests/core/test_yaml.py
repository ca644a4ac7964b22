"""YAML from elsewhere is bounded in size, nesting and expansion before anything is built."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from barstack.core.yaml import DEEPEST, MOST_NODES, read_yaml

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
WRONG = {
    "an alias bomb": (BOMB, "stands for more than 50,000 values"),
    "an alias of itself": ("a: &a {b: *a}", "stands for what contains it"),
    "deep": ("a: " + "[" * 9_000 + "]" * 9_000, "more than 40 levels deep"),
    "deep keys": ("\n".join(" " * n + "a:" for n in range(900)), "more than 40 levels deep"),
    "many values": ("[" + "1," * (MOST_NODES + 1) + "]", "stands for more than"),
    "long": ("#" * 1_000_001, "1,000,001 characters"),
    "a huge integer": ("a: " + "9" * 9_000, "9,000 digits"),
    "a large integer": ("a: 9223372036854775808", "too large"),
    "half a character": ('a: "\\ud83d"', "U+D83D"),
    "an escape": ('a: "\\e[2J"', "U+001B"),
    "reversed text": ("a: \u202egnp.exe", "U+202E"),
    "a key twice": ("a: 1\na: 2", "'a' is given twice"),
    "many keys, one twice": ("".join(f"k{n}: 1\n" for n in range(20_000)) + "k7: 1", "k7"),
    "an object": ("a: !!python/object/apply:os.system [id]", "could not determine a constructor"),
}


@pytest.mark.parametrize(("text", "told"), WRONG.values(), ids=WRONG)
def test_is_refused(text: str, told: str) -> None:
    with pytest.raises(yaml.YAMLError) as refused:
        read_yaml(text)
    assert told in str(refused.value)


def test_what_people_write_is_read() -> None:
    assert read_yaml("a: &x [1, 2]\nb: *x\nc: {on: ON, t: true, d: 2026-01-05}") == {
        "a": [1, 2],
        "b": [1, 2],
        "c": {"on": "ON", "t": True, "d": "2026-01-05"},
    }
    deep = "[" * DEEPEST + "]" * DEEPEST
    assert read_yaml(deep)[0][0] is not None


words = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | words,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(values)
def test_reads_what_was_written(value: object) -> None:
    assert read_yaml(yaml.safe_dump(value)) == value
