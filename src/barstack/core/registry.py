"""Named things that specs and study files refer to, from barstack itself or an outside package.

An outside package joins by an entry point in group `barstack` that names a module; importing it
runs the package's own `register` decorators. Nothing inside barstack changes.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from .errors import BarstackError, ConfigError, PluginError, did_you_mean
from .parts import Calling
from .source import source_id
from .spec import Spec, content_id

T = TypeVar("T")
S = TypeVar("S", bound=Spec)

_loaded: set[str] = set()


class Registry(Generic[T]):
    """Names of one kind of thing; modules of package `room` register the built-in ones."""

    def __init__(self, kind: str, room: str) -> None:
        self.kind = kind
        self.room = room
        self._entries: dict[str, T] = {}

    def add(self, name: str, entry: T) -> None:
        """Register `entry` under `name`; a second, different entry of that name is refused."""
        if not _origin(entry).startswith(f"{self.room}."):
            _import_all_below(self.room)  # so that it is the newcomer who needs another name
        taken = self._entries.get(name)
        if taken is not None and _origin(taken) != _origin(entry):
            raise ConfigError(
                f"{self.kind} {name!r} is already registered by {_origin(taken)}; "
                f"{_origin(entry)} needs another name."
            )
        self._entries[name] = entry

    def get(self, name: str) -> T:
        """The entry called `name`; `ConfigError` with the nearest names when there is none."""
        if name not in self._entries:
            _import_registering(self.room, name)
        load_plugins()
        if name not in self._entries:
            self._load()
        if name not in self._entries:
            raise ConfigError(f"Unknown {self.kind} {name!r}. {did_you_mean(name, self._entries)}")
        return self._entries[name]

    def names(self) -> list[str]:
        """All registered names, sorted."""
        self._load()
        return sorted(self._entries)

    def _load(self) -> None:
        _import_all_below(self.room)
        load_plugins()


class SpecRegistry(Registry[type[S]]):
    """A registry of spec classes that also reads them from study files."""

    def register(self, name: str, **facts: Any) -> Callable[[type[S]], type[S]]:
        """Class decorator. `facts` become class attributes, such as a model's `family`."""

        def decorate(spec: type[S]) -> type[S]:
            spec.registered_as = (self.kind, name)
            for fact, value in facts.items():
                setattr(spec, fact, value)
            spec.plugin_code = _plugin_code(spec)
            self.add(name, spec)
            return spec

        return decorate

    def parse(self, value: Any) -> S:
        """A spec from a name, from `{kind: name, option: value, ...}`, or from a spec itself."""
        if isinstance(value, Spec):
            if not value.registered_as or value.registered_as[0] != self.kind:
                raise ConfigError(f"{type(value).__name__} is not a registered {self.kind}.")
            return value  # type: ignore[return-value]  # its kind was just checked
        if isinstance(value, str):
            return self._made(value, {})
        if isinstance(value, dict) and isinstance(value.get(self.kind), str):
            options = {str(key): item for key, item in value.items() if key != self.kind}
            return self._made(value[self.kind], options)
        raise ConfigError(
            f"Cannot read a {self.kind} from {value!r}. Write a name, or "
            f"{{{self.kind}: NAME, option: value}}. Known: {', '.join(self.names())}."
        )

    def _made(self, name: str, options: dict[str, Any]) -> S:
        spec = self.get(name)
        with Calling(spec, "making it"):
            return spec(**options)

    # The two methods below make `Annotated[Model, MODELS]` a field that pydantic can validate.
    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        forms: list[dict[str, Any]] = [{"type": "string", "enum": self.names()}]
        for name in self.names():
            spec = self.get(name)
            with Calling(spec, "its JSON Schema"):
                schema = handler(spec.__pydantic_core_schema__)
                schema = dict(handler.resolve_ref_schema(schema))
            properties = {self.kind: {"const": name}} | schema.get("properties", {})
            required = [self.kind, *schema.get("required", [])]
            forms.append(schema | {"properties": properties, "required": required})
        return {"anyOf": forms}


def load_plugins() -> None:
    """Import the modules that installed packages name in entry-point group `barstack`, once."""
    if "plugins" in _loaded:
        return
    _loaded.add("plugins")
    for plugin in entry_points(group="barstack"):
        try:
            plugin.load()
        except KeyboardInterrupt:
            _loaded.discard("plugins")
            raise
        except BaseException as error:  # a module may even leave by SystemExit
            _loaded.discard("plugins")  # or the next call would go on without the plugin
            message = error if isinstance(error, BarstackError) else repr(error)
            raise PluginError(
                f"Plugin {plugin.name!r} ({plugin.value}) failed to load: "
                f"{' '.join(str(message).split()).rstrip('.')}. Mend it or uninstall its package"
                f"{f', {plugin.dist.name}' if plugin.dist else ''}."
            ) from error


def _import_all_below(room: str) -> None:
    if room in _loaded:
        return
    _loaded.add(room)
    try:
        _import_modules_of(importlib.import_module(room))
    except BaseException:
        _loaded.discard(room)
        raise


def _import_registering(room: str, name: str) -> None:
    """Import the modules of a room whose text registers `name`, and no others.

    All modules of a room can take a second to import. Whoever registers in another way is found
    once all of them are imported.
    """
    words = re.compile(rf"""\b(?:register|add)\(\s*["']{re.escape(name)}["']""")
    for module, text in _texts(room).items():
        if words.search(text):
            importlib.import_module(module)


@cache
def _texts(room: str) -> dict[str, str]:
    """The text of each public module of a room by its name, none of them imported for it."""
    found: dict[str, str] = {}
    for folder in map(Path, importlib.import_module(room).__path__):
        for file in sorted(folder.rglob("*.py")):
            parts = file.relative_to(folder).with_suffix("").parts
            if not any(part.startswith("_") for part in parts):
                found[".".join([room, *parts])] = file.read_text("utf-8")
    return found


def _import_modules_of(package: ModuleType) -> None:
    """Import all public modules of a package, but for packages that it lists in `UNREGISTERED`."""
    unregistered = getattr(package, "UNREGISTERED", ())
    for found in pkgutil.iter_modules(package.__path__):
        if not found.name.startswith("_") and found.name not in unregistered:
            module = importlib.import_module(f"{package.__name__}.{found.name}")
            if found.ispkg:
                _import_modules_of(module)


def _plugin_code(spec: type[Spec]) -> str | None:
    """Of a spec's code and that of every spec it is derived from; None of barstack's own."""
    lines = (source_id(each) for each in spec.__mro__ if issubclass(each, Spec))
    found = list(dict.fromkeys(filter(None, lines)))
    return content_id(found) if found else None


def _origin(entry: Any) -> str:
    """Where an entry was written: a reloaded module may register its own again."""
    return getattr(entry, "origin", None) or f"{entry.__module__}.{entry.__qualname__}"
