"""Output of commands: data to standard output in a format that the caller chooses, all else to standard error."""

import json
import sys
from enum import StrEnum
from typing import Annotated, Any

import typer


class Format(StrEnum):
    """Form of a command's data."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    NAME = "name"


OutputFormat = Annotated[
    Format, typer.Option("--output", "-o", help="Form of the data; json is the api's own body, unchanged.")
]


def print_lines(*texts: str) -> None:
    """Print lines of a table. What would move the cursor, or change colours or directions, is shown as an escape."""
    for text in texts:
        typer.echo(printable(text))


def note(text: str) -> None:
    """Write what is not data."""
    sys.stderr.writelines(f"{printable(line)}\n" for line in text.split("\n"))


def printable(text: str) -> str:
    r"""Return the text with `\x1b` and the like in place of characters that a terminal would act on.

    Ids, reasons and values come from records that anybody could have written.
    """
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape", "replace").decode()


def counted(number: int, one: str) -> str:
    """Return a number with its noun, such as `1 essay` or `2 essays`."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def print_json(value: Any, *, lines: bool = False) -> None:
    """Print a value as JSON, on one line or indented."""
    typer.echo(json.dumps(value, indent=None if lines else 2, ensure_ascii=False))
