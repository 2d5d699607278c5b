"""The differences of two JSON values, as paths: what changed between two states of a batch."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

_KEYS: tuple[tuple[str, ...], ...] = (("essay_id", "phase"), ("kind", "phase", "attempt"), ("phase", "attempt"))
"""Members that tell the objects of a list apart, whatever their order."""


class FieldChange(Struct, frozen=True):
    """One value that differs."""

    path: str
    """Names from the outside to the inside, joined by dots; an object of a list stands as `list[a/b]`."""
    before: Any
    """The earlier value; None where there was none."""
    after: Any
    """The later value; None where there is none."""


def differences(before: Any, after: Any) -> tuple[FieldChange, ...]:
    """Return every value that differs between two JSON values, in the order of the later one."""
    return tuple(_differences(before, after, ""))


def _differences(before: Any, after: Any, path: str) -> Iterator[FieldChange]:
    if before == after:
        return
    first, second = _members(before), _members(after)
    if first is None or second is None:
        yield FieldChange(path, before, after)
        return
    listed = isinstance(after, list)
    for name in [*second, *(name for name in first if name not in second)]:
        inner = f"{path}[{name}]" if listed else f"{path}.{name}" if path else name
        yield from _differences(first.get(name), second.get(name), inner)


def _members(value: Any) -> Mapping[str, Any] | None:
    """Return the parts of an object, or of a list of objects that can be told apart; None for any other value."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        return None
    if not value:
        return {}
    for keys in _KEYS:
        if all(isinstance(each, dict) and all(key in each for key in keys) for each in value):
            found = {"/".join(str(each[key]) for key in keys if each[key] not in ("", None)): each for each in value}
            return found if len(found) == len(value) else None
    return None
