"""The line of a TOML file on which a value stands, for messages about it."""

import tomllib
from typing import Any

Place = tuple[str | int, ...]
"""Keys and indexes from the top of a document to a value, such as `("pipelines", 0, "name")`."""


def line_of(text: str, path: Place) -> int:
    """Return the line (from 1) of the statement that gives the value at `path`, or the nearest one above it.

    The parser tells no positions. But each statement of TOML ends at the end of a line, so a value is given by the
    first line whose end completes a document that holds it; its statement begins after the last complete one.
    Parses the file once for each line, so it is for error messages only.
    """
    lines = text.split("\n")
    complete = 0
    deepest, found = 0, 1
    for number in range(1, len(lines) + 1):
        try:
            document = tomllib.loads("\n".join(lines[:number]))
        except tomllib.TOMLDecodeError:
            continue
        depth = _depth(document, path)
        if depth > deepest:
            deepest, found = depth, complete + 1
        if depth == len(path):
            break
        complete = number
    return found


def _depth(document: Any, path: Place) -> int:
    """Return how many steps of `path` lead to a value."""
    for depth, step in enumerate(path):
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return depth
    return len(path)
