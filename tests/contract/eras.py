"""Judges of the three eras: the JSON schemas of the original models, with checks of formats."""

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from jsonschema import Draft202012Validator, FormatChecker

DATA = Path(__file__).parents[1] / "data"
SCHEMAS = Path(__file__).parents[2] / "peers" / "json_schema"
ERAS = ("seed", "july", "head")

_formats = FormatChecker(formats=())


@_formats.checks("uuid", raises=ValueError)
def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or str(UUID(value)) == value.lower()


@_formats.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@cache
def models(era: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SCHEMAS / f"{era}.json").read_text())
    return loaded


@cache
def _validator(era: str, model: str) -> Draft202012Validator:
    return Draft202012Validator(models(era)[model], format_checker=_formats)


def faults(era: str, model: str, envelope: object) -> list[str]:
    """Return the objections of a peer of `era` to an envelope whose data is `model`."""
    found = [f"{error.json_path}: {error.message}" for error in _validator(era, "EventEnvelope").iter_errors(envelope)]
    data = envelope.get("data") if isinstance(envelope, dict) else None
    return found + [f"data {error.json_path}: {error.message}" for error in _validator(era, model).iter_errors(data)]


def sample_file(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DATA / "samples" / f"{name}.json").read_text())
    return loaded
