"""The models that the peers had, as JSON Schema, compiled by fastjsonschema.

The library takes formats that it is given: `uuid` is the usual 36 characters, `date-time` RFC 3339 with an offset.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

import fastjsonschema

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)")


class SchemaSet:
    """The compiled models of one file: `{model name: JSON Schema}`."""

    def __init__(self, models: Mapping[str, Mapping[str, Any]]) -> None:
        """Compile every model; raises `fastjsonschema.JsonSchemaDefinitionException` for what is no schema."""
        self._validators = {name: _compiled(schema) for name, schema in models.items()}

    @classmethod
    @cache
    def of_era(cls, era: str) -> SchemaSet:
        """The models that the peers had in `era`: seed, july or head."""
        text = files(__package__).joinpath("json_schema", f"{era}.json").read_text(encoding="utf-8")
        return cls(json.loads(text))

    def __contains__(self, model: str) -> bool:
        return model in self._validators

    def faults(self, model: str, value: object) -> list[str]:
        """What keeps `value` from being a `model`, one sentence each; empty when it is valid."""
        try:
            self._validators[model](value)
        except fastjsonschema.JsonSchemaValuesException as error:
            return [_fault(one) for one in error.errors]
        return []


def _compiled(schema: Mapping[str, Any]) -> Any:
    formats = {"uuid": _is_uuid, "date-time": _is_date_time}
    # Every fault is wanted, and a judged message stays as it is: no defaults are written into it.
    return fastjsonschema.compile(dict(schema), formats=formats, use_default=False, fast_fail=False)


def _is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


def _is_date_time(text: str) -> bool:
    if _DATE_TIME.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _fault(error: fastjsonschema.JsonSchemaValueException) -> str:
    name = error.name or ""
    place = ".".join(error.path[1:])  # the first part is the library's name for the whole
    return f"{place or '(root)'}: {error.message.removeprefix(name).strip()}"
