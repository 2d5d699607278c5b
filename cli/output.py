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


def note(text: str) -> None:
    """Write a line that is not data."""
    sys.stderr.write(f"{text}\n")


def counted(number: int, one: str) -> str:
    """Return a number with its noun, such as `1 essay` or `2 essays`."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def print_json(value: Any, *, lines: bool = False) -> None:
    """Print a value as JSON, on one line or indented."""
    typer.echo(json.dumps(value, indent=None if lines else 2, ensure_ascii=False))
