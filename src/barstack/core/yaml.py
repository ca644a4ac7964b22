"""YAML as people write it here: dates stay text, nothing given twice is dropped silently.

A file from elsewhere cannot take memory or time out of proportion to its size: its length, its
nesting, and what its aliases stand for are bounded before anything is built.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from .errors import ConfigError
from .text import forbidden_character

MOST_CHARACTERS = 1_000_000
MOST_NODES = 50_000  # with each alias counted as what it stands for
DEEPEST = 40
_MOST_BYTES = 4 * MOST_CHARACTERS  # of UTF-8
_WIDEST_INTEGER_BITS = 63


class _Loader(yaml.SafeLoader):
    """A safe loader in which only true and false are truth values: ON and NO are symbols."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (as the parent has it)
        first: [
            (tag, pattern)
            for tag, pattern in resolvers
            if tag != "tag:yaml.org,2002:timestamp"
            and (tag != "tag:yaml.org,2002:bool" or first in "tTfF")
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for place, _ in node.value:
            key = repr(self.construct_object(place, deep=True))  # a list is no key, told below
            if key in seen:
                raise _mistake(f"key {key} is given twice", place)
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_scalar(self, node: Any) -> Any:
        value = super().construct_scalar(node)
        found = forbidden_character(value)
        if found is not None:
            raise _mistake(f"the text holds the character {found}, which no text may", node)
        return value

    def construct_yaml_int(self, node: Any) -> int:
        try:
            value: int = super().construct_yaml_int(node)
        except ValueError as error:  # too many digits for Python, or none after 0x
            raise _mistake(f"{_short(node.value)} is not a whole number: {error}", node) from None
        if value.bit_length() > _WIDEST_INTEGER_BITS:
            raise _mistake(f"the number {_short(node.value)} is too large", node)
        return value


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def read_yaml(text: str) -> Any:
    """The value written in `text`.

    Raises `yaml.YAMLError` where it is not YAML, has a key twice, is longer than a million
    characters, nests deeper than 40 levels, or expands to more than 50,000 values.

    >>> read_yaml("{start: 2018-01-01, symbols: [A, ON], adjusted: true}")
    {'start': '2018-01-01', 'symbols': ['A', 'ON'], 'adjusted': True}
    """
    if len(text) > MOST_CHARACTERS:
        raise yaml.YAMLError(f"it has {len(text):,} characters, of at most {MOST_CHARACTERS:,}")
    _check_events(text)
    return yaml.load(text, Loader=_Loader)


def read_yaml_file(file: Path, kind: str, example: str) -> dict[str, Any]:
    """The keys and values that a file holds; no more of it is read than may be YAML here.

    Parameters
    ----------
    file
        A file, or what can be read like one.
    kind
        What it should be, such as "study", for messages.
    example
        Where to look for one, for messages.

    Raises
    ------
    ConfigError
        Where the file is missing, is no text, no YAML, or no keys with values.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise yaml.YAMLError(f"it has more than {MOST_CHARACTERS:,} characters")
        found = read_yaml(content.decode("utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"There is no {kind} file {file}. Look at {example}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read as text: {error}.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not YAML: {error}.") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{file} holds {found!r:.80}, not a {kind}. Look at {example}.")
    return {str(key): value for key, value in found.items()}


def _check_events(text: str) -> None:
    """Refuse deep nesting and aliases that expand, from the flat list of events."""
    depth = count = 0
    sizes: dict[str, int] = {}  # values that each anchor stands for
    open_anchors: list[tuple[str | None, int]] = []
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            open_anchors.append((event.anchor, count))
            if depth > DEEPEST:
                raise _mistake(f"values are nested more than {DEEPEST} levels deep", event)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            anchor, before = open_anchors.pop()
            if anchor is not None:
                sizes[anchor] = count - before + 1
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_anchors):
                raise _mistake(f"the alias *{event.anchor} stands for what contains it", event)
            count += sizes.get(str(event.anchor), 1)
        elif isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)):
            count += 1
        if count > MOST_NODES:
            raise _mistake(f"it stands for more than {MOST_NODES:,} values", event)


def _mistake(problem: str, at: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=getattr(at, "start_mark", at))


def _short(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:20]}... ({len(text):,} digits)"
