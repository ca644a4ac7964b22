"""Settings as commands take them: NAME=VALUE, the value as in a study file."""

from __future__ import annotations

from typing import Any

import yaml

from barstack.core.errors import ConfigError


class _Loader(yaml.SafeLoader):
    """As study files are read: dates stay text, and ON and NO are symbols, no truth values."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (as the parent has it)
        first: [
            (tag, pattern)
            for tag, pattern in resolvers
            if tag != "tag:yaml.org,2002:timestamp"
            and (tag != "tag:yaml.org,2002:bool" or first in "tTfF")
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def settings_of(given: list[str], option: str, example: str) -> dict[str, Any]:
    """Values by name; `ConfigError` for what is no NAME=VALUE or no YAML.

    >>> settings_of(["start=2018-01-01", "symbols=[A, ON]"], "--with", "memory=0.5")
    {'start': '2018-01-01', 'symbols': ['A', 'ON']}
    """
    settings = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise ConfigError(
                f"Cannot use {option} {each}. Write {option} FIELD=VALUE, such as {example}."
            )
        try:
            settings[name] = yaml.load(value, Loader=_Loader)
        except yaml.YAMLError:
            raise ConfigError(f"Cannot read {value!r} in {option} {each} as YAML.") from None
    return settings
