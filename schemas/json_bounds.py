"""Bounds on what a JSON document holds, checked before work is done on it that grows with every value."""

from math import isfinite
from typing import Any

MAX_DEPTH = 64
"""Levels of nesting, the outermost object counted."""


def count_values(raw: bytes) -> int:
    """Return how many values a JSON document holds, at the most; only by its bytes, so it takes milliseconds.

    A value is preceded by a comma or by a bracket that opens. Of a text that is not JSON the number says nothing.
    """
    bare = raw
    if b"\\" in raw:
        bare = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside = b"".join(bare.split(b'"')[::2])
    return 1 + outside.count(b",") + outside.count(b"[") + outside.count(b"{")


def nested_too_deep(value: Any) -> bool:
    """Whether a parsed document has more than `MAX_DEPTH` levels."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        level = below
        if not level:
            return False
    return True


def is_finite(value: Any) -> bool:
    """Return whether all numbers in a JSON value are finite: a parser reads 1e999 as infinity."""
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    return not isinstance(value, list) or all(map(is_finite, value))
