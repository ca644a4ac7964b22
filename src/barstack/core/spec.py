"""Frozen, validated values whose content is their identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from math import isfinite
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import ConfigError, PluginError, did_you_mean
from .horizon import Horizon
from .text import forbidden_character, printable


def content_id(content: Any) -> str:
    """Sixteen hex digits of the SHA-256 of plain data (dicts in any order).

    >>> content_id({"a": 1, "b": 2}) == content_id({"b": 2, "a": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class FrozenDict(dict[str, Any]):
    """A dict that cannot be changed, so that a spec that holds it keeps its id."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("A spec cannot be changed. Make another with model_copy(update=...).")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[FrozenDict], tuple[dict[str, Any]]]:
        return FrozenDict, (dict(self),)


class Spec(BaseModel):
    """A recipe: keyword-only, checked when made, never changed, hashable, equal by content.

    Subclasses declare fields. `version` is part of the identity: raise it when the same fields
    come to mean something else, so that stored results of the old meaning are not reused.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False
    )
    version: ClassVar[int] = 1
    registered_as: ClassVar[tuple[str, str] | None] = None  # (kind, name), set on registration
    plugin_code: ClassVar[str | None] = None  # id of a plugin's code, set on registration
    exempt: ClassVar[dict[str, str]] = {}  # checks of the contract that cannot hold, and why not

    def __init__(self, /, **values: Any) -> None:
        _check_plain(type(self), values)
        try:
            super().__init__(**values)
        except ValidationError as error:
            for mistake in error.errors():
                if isinstance(cause := mistake.get("ctx", {}).get("error"), PluginError):
                    raise cause from None  # once, however many fields met it
            raise ConfigError(_explain(type(self), error)) from None

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """An equal spec but for `update`, checked as any new one is."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**(fields | dict(update or {})))

    def model_post_init(self, _: Any) -> None:
        """Freeze what pydantic leaves open to change."""
        for name in type(self).model_fields:
            if isinstance(value := getattr(self, name), dict):
                self.__dict__[name] = FrozenDict(value)

    def content(self) -> dict[str, Any]:
        """Plain data from which an equal spec can be made."""
        own = {self.registered_as[0]: self.registered_as[1]} if self.registered_as else {}
        return own | {name: _plain(getattr(self, name)) for name in type(self).model_fields}

    def identity(self) -> list[Any]:
        """What the id is made of; nested specs stand for themselves by their own id."""
        fields = {name: _identity(getattr(self, name)) for name in type(self).model_fields}
        return [type(self).__name__, self.registered_as, self.version, fields]

    @cached_property
    def id(self) -> str:
        """Content id: equal for equal content, and code of a plugin, in any process anywhere."""
        own = self.identity()
        return content_id([own, self.plugin_code] if self.plugin_code else own)

    def __hash__(self) -> int:
        return hash(self.id)

    def __reduce__(self) -> tuple[Any, ...]:
        """By its fields alone, without what is derived from them."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return _made, (type(self), fields)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.id == getattr(other, "id", None)


def _made(kind: type[Spec], fields: dict[str, Any]) -> Spec:
    return kind(**fields)


_WIDEST_BITS = 63  # of whole numbers, which arrays and databases hold
_SMALLEST, _LARGEST = 1e-30, 1e30  # of other numbers, which 32-bit libraries hold


def _check_plain(spec: type[Spec], value: Any, where: tuple[str, ...] = ()) -> None:
    """Refuse text that no terminal or page should show, and numbers that no array can hold."""
    if isinstance(value, Spec):
        return  # checked when it was made
    if isinstance(value, str) and (found := forbidden_character(value)) is not None:
        raise ConfigError(
            f"{_place(spec, where)}: {_shown(value)} holds the character {found}. Leave it out."
        )
    # NaN and infinity are left to pydantic, which refuses both.
    size = abs(value) if isinstance(value, float) and isfinite(value) else 0.0
    if size and not _SMALLEST <= size <= _LARGEST:
        raise ConfigError(
            f"{_place(spec, where)}: {value:g} is no number that a setting can have; the "
            f"smallest is {_SMALLEST:g}, the largest {_LARGEST:g}."
        )
    if isinstance(value, int) and value.bit_length() > _WIDEST_BITS:
        raise ConfigError(
            f"{_place(spec, where)}: a whole number of {value.bit_length()} bits is too large."
        )
    if isinstance(value, dict):
        for key, item in value.items():
            _check_plain(spec, key, where)
            _check_plain(spec, item, (*where, printable(str(key))))
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            _check_plain(spec, item, (*where, str(place)))


def _plain(value: Any) -> Any:
    if isinstance(value, Spec | Horizon):
        return value.content()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value


def _identity(value: Any) -> Any:
    if isinstance(value, Spec):
        return value.id
    if isinstance(value, Horizon):
        return value.content()
    if isinstance(value, dict):
        return {str(key): _identity(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_identity(item) for item in value]
    return value


_SHOWN = 80  # characters of a value that a message quotes


def _explain(spec: type[Spec], error: ValidationError) -> str:
    """One sentence for each mistake, with its path, the value and a way out."""
    sentences = []
    for mistake in error.errors():
        where = _place(spec, [str(part) for part in mistake["loc"] if not _is_type(part)])
        if mistake["type"] == "extra_forbidden":
            key = str(mistake["loc"][-1])
            hint = did_you_mean(key, spec.model_fields)
            sentences.append(f"Unknown key {where}. {hint}")
        elif mistake["type"] == "missing":
            sentences.append(f"{where} is missing. Add it.")
        elif mistake["type"] == "value_error":  # already a sentence, raised by a nested spec
            sentences.append(f"{where}: {mistake['ctx']['error']}")
        else:
            sentences.append(f"{where}: {mistake['msg']}, got {_shown(mistake['input'])}.")
    listed = list(dict.fromkeys(sentences))
    more = (
        f"\nand {len(listed) - _MOST_LISTED} more mistakes." if len(listed) > _MOST_LISTED else ""
    )
    return "\n".join(listed[:_MOST_LISTED]) + more


_MOST_LISTED = 20


def _place(spec: type[Spec], parts: Sequence[str]) -> str:
    who = spec.registered_as[1] if spec.registered_as else spec.__name__.lower()
    return ".".join([who, *(_cut(printable(part)) for part in parts)])


def _is_type(part: Any) -> bool:
    """Whether pydantic names the branch of a union here, which no user has written."""
    return isinstance(part, str) and (part in ("str", "int", "float", "bool") or "[" in part)


def _shown(value: Any) -> str:
    return _cut(printable(repr(value)))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
