"""The line of a TOML file on which a value stands, for messages about it."""

import re
import tomllib
from typing import Any

Place = tuple[str | int, ...]
"""Keys and indexes from the top of a document to a value, such as `("pipelines", 0, "name")`."""

_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")


def place_of(steps: str) -> Place:
    """Return the place that msgspec writes as, for example, `.pipelines[0].name`."""
    return tuple(name or int(index) for name, index in _STEP.findall(steps))


def line_of(text: str, place: Place) -> int:
    """Return the line (from 1) on which the statement begins that gives the value at `place`, or the nearest above it.

    The parser tells no positions. But a statement of TOML ends at the end of a line, and what is given stays given. So
    the first beginning of the file, made of whole statements, that holds the value ends with its statement. It is found
    by halving. `text` must be TOML.
    """
    lines = text.split("\n")
    wanted = _depth(tomllib.loads(text), place)
    before, upto = 0, len(lines)
    while (found := _whole_between(lines, before, upto)) is not None:
        number, document = found
        if _depth(document, place) < wanted:
            before = number
        else:
            upto = number
    return before + 1


def _whole_between(lines: list[str], before: int, upto: int) -> tuple[int, dict[str, Any]] | None:
    """Return a number of lines near the middle that ends with a whole statement, and the document up to it."""
    middle = (before + upto) // 2
    for number in sorted(range(before + 1, upto), key=lambda number: abs(number - middle)):
        try:
            return number, tomllib.loads("\n".join([*lines[:number], ""]))
        except tomllib.TOMLDecodeError:
            continue  # in the midst of a statement
    return None


def _depth(document: Any, place: Place) -> int:
    """Return how many steps of `place` lead to a value."""
    for depth, step in enumerate(place):
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return depth
    return len(place)
