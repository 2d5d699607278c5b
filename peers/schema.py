"""A validator for the part of JSON Schema that the peers' models use.

Compiling raises on any keyword it does not know, so that no constraint can pass unread. Checks are
strict: `integer` is a JSON integer, `uuid` the usual 36 characters, `date-time` RFC 3339 with an offset.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.resources import files
from typing import Any, TypeAlias

Check: TypeAlias = Callable[[Any, str, list[str]], None]
"""Appends one sentence for each fault of (value, path) to the list."""
Schema: TypeAlias = Mapping[str, Any]
Builder: TypeAlias = Callable[[Any, Schema, "Compiler"], Check]

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)")
_ANNOTATIONS = frozenset({"default", "title", "description", "$defs"})


class UnknownKeywordError(ValueError):
    """A schema uses a keyword, type, format or reference that this validator does not implement."""


class SchemaSet:
    """The compiled models of one file: `{model name: JSON Schema}`."""

    def __init__(self, models: Mapping[str, Schema]) -> None:
        """Compile every model; raises `UnknownKeywordError`."""
        self._checks = {name: compile_schema(schema) for name, schema in models.items()}

    @classmethod
    def of_era(cls, era: str) -> SchemaSet:
        """The models that the peers had in `era`: seed, july or head."""
        text = files(__package__).joinpath("json_schema", f"{era}.json").read_text(encoding="utf-8")
        return cls(json.loads(text))

    def __contains__(self, model: str) -> bool:
        return model in self._checks

    def faults(self, model: str, value: object) -> list[str]:
        """What keeps `value` from being a `model`, one sentence each; empty when it is valid."""
        found: list[str] = []
        self._checks[model](value, "", found)
        return found


def compile_schema(schema: Schema) -> Check:
    """Turn a schema into one function; its `$ref`s point into its own `$defs`."""
    return Compiler(schema).compile(schema)


class Compiler:
    """Compiles the parts of one root schema, each definition once."""

    def __init__(self, root: Schema) -> None:
        """Keep `root` for `$ref`s."""
        self._root = root
        self._definitions: dict[str, Check] = {}

    def compile(self, schema: Schema) -> Check:
        """One check for all keywords of `schema`; raises `UnknownKeywordError`."""
        unknown = schema.keys() - _BUILDERS.keys() - _ANNOTATIONS
        if unknown:
            raise UnknownKeywordError(f"unknown JSON Schema keyword(s): {', '.join(sorted(unknown))}")
        checks = [build(schema[keyword], schema, self) for keyword, build in _BUILDERS.items() if keyword in schema]
        if len(checks) == 1:
            return checks[0]

        def all_of(value: Any, path: str, found: list[str]) -> None:
            for check in checks:
                check(value, path, found)

        return all_of

    def definition(self, reference: str) -> Check:
        """The check of `#/$defs/<name>`, compiled at its first use."""
        name = reference.removeprefix("#/$defs/")
        if name == reference or name not in self._root.get("$defs", {}):
            raise UnknownKeywordError(f"unknown JSON Schema reference: {reference}")
        if name not in self._definitions:
            self._definitions[name] = self.compile(self._root["$defs"][name])
        return self._definitions[name]


def _fault(path: str, text: str) -> str:
    return f"{path.lstrip('.') or '(root)'}: {text}"


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
}


def _type(name: Any, _schema: Schema, _compiler: Compiler) -> Check:
    if name not in _TYPES:
        raise UnknownKeywordError(f"unknown JSON Schema type: {name}")
    fits = _TYPES[name]

    def check(value: Any, path: str, found: list[str]) -> None:
        if not fits(value):
            found.append(_fault(path, f"is not of type {name}"))

    return check


def _is_date_time(text: str) -> bool:
    if _DATE_TIME.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


_FORMATS: Mapping[str, Callable[[str], bool]] = {
    "uuid": lambda text: _UUID.fullmatch(text) is not None,
    "date-time": _is_date_time,
}


def _format(name: Any, _schema: Schema, _compiler: Compiler) -> Check:
    if name not in _FORMATS:
        raise UnknownKeywordError(f"unknown JSON Schema format: {name}")
    fits = _FORMATS[name]

    def check(value: Any, path: str, found: list[str]) -> None:
        if isinstance(value, str) and not fits(value):
            found.append(_fault(path, f"is not a {name}"))

    return check


def _reference(reference: Any, _schema: Schema, compiler: Compiler) -> Check:
    return compiler.definition(reference)


def _any_of(branches: Any, _schema: Schema, compiler: Compiler) -> Check:
    checks = [compiler.compile(branch) for branch in branches]

    def check(value: Any, path: str, found: list[str]) -> None:
        faults: list[str] = []
        for branch in checks:
            before = len(faults)
            branch(value, path, faults)
            if len(faults) == before:
                return
        found.append(_fault(path, f"fits none of {len(checks)} alternatives ({'; '.join(faults)})"))

    return check


def _enum(values: Any, _schema: Schema, _compiler: Compiler) -> Check:
    def check(value: Any, path: str, found: list[str]) -> None:
        if value not in values:
            found.append(_fault(path, f"{value!r} is not among the allowed values"))

    return check


def _properties(properties: Any, _schema: Schema, compiler: Compiler) -> Check:
    checks = {name: compiler.compile(schema) for name, schema in properties.items()}

    def check(value: Any, path: str, found: list[str]) -> None:
        if isinstance(value, dict):
            for name, part in checks.items():
                if name in value:
                    part(value[name], f"{path}.{name}", found)

    return check


def _required(names: Any, _schema: Schema, _compiler: Compiler) -> Check:
    def check(value: Any, path: str, found: list[str]) -> None:
        if isinstance(value, dict):
            found.extend(_fault(f"{path}.{name}", "is missing") for name in names if name not in value)

    return check


def _additional(additional: Any, schema: Schema, compiler: Compiler) -> Check:
    declared = frozenset(schema.get("properties", ()))
    check_one = None if isinstance(additional, bool) else compiler.compile(additional)

    def check(value: Any, path: str, found: list[str]) -> None:
        if additional is True or not isinstance(value, dict):
            return
        for name in value.keys() - declared:
            if check_one is None:
                found.append(_fault(f"{path}.{name}", "is not allowed"))
            else:
                check_one(value[name], f"{path}.{name}", found)

    return check


def _property_names(names: Any, _schema: Schema, compiler: Compiler) -> Check:
    check_name = compiler.compile(names)

    def check(value: Any, path: str, found: list[str]) -> None:
        if isinstance(value, dict):
            for name in value:
                check_name(name, f"{path}.{name}", found)

    return check


def _items(items: Any, _schema: Schema, compiler: Compiler) -> Check:
    check_item = compiler.compile(items)

    def check(value: Any, path: str, found: list[str]) -> None:
        if isinstance(value, list):
            for index, item in enumerate(value):
                check_item(item, f"{path}.{index}", found)

    return check


def _limit(kind: type | tuple[type, ...], text: str, breaks: Callable[[Any, Any], bool]) -> Builder:
    def build(limit: Any, _schema: Schema, _compiler: Compiler) -> Check:
        def check(value: Any, path: str, found: list[str]) -> None:
            if isinstance(value, kind) and not isinstance(value, bool) and breaks(value, limit):
                found.append(_fault(path, f"is {text} {limit}"))

        return check

    return build


_NUMBER = (int, float)

_BUILDERS: Mapping[str, Builder] = {
    "$ref": _reference,
    "anyOf": _any_of,
    "type": _type,
    "enum": _enum,
    "format": _format,
    "minLength": _limit(str, "shorter than", lambda value, limit: len(value) < limit),
    "maxLength": _limit(str, "longer than", lambda value, limit: len(value) > limit),
    "minimum": _limit(_NUMBER, "below", lambda value, limit: value < limit),
    "maximum": _limit(_NUMBER, "above", lambda value, limit: value > limit),
    "exclusiveMinimum": _limit(_NUMBER, "not above", lambda value, limit: value <= limit),
    "minItems": _limit(list, "shorter than", lambda value, limit: len(value) < limit),
    "required": _required,
    "properties": _properties,
    "propertyNames": _property_names,
    "additionalProperties": _additional,
    "items": _items,
}
