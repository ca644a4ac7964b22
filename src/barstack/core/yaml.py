"""YAML as people write it here: dates stay text, and nothing given twice is dropped silently."""

from __future__ import annotations

from typing import Any

import yaml


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
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = [key for key in keys if keys.count(key) > 1]
        if repeated:
            raise yaml.MarkedYAMLError(
                problem=f"key {repeated[0]!r} is given twice", problem_mark=node.start_mark
            )
        return super().construct_mapping(node, deep)


def read_yaml(text: str) -> Any:
    """The value written in `text`; `yaml.YAMLError` where it is no YAML or has a key twice.

    >>> read_yaml("{start: 2018-01-01, symbols: [A, ON], adjusted: true}")
    {'start': '2018-01-01', 'symbols': ['A', 'ON'], 'adjusted': True}
    """
    return yaml.load(text, Loader=_Loader)
