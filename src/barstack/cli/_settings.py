"""Settings as commands take them: NAME=VALUE, the value as in a study file."""

from __future__ import annotations

from typing import Any

import yaml

from barstack.core.errors import ConfigError
from barstack.core.yaml import read_yaml


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
            settings[name] = read_yaml(value)
        except yaml.YAMLError:
            raise ConfigError(f"Cannot read {value!r} in {option} {each} as YAML.") from None
    return settings
