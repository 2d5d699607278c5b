"""Output of commands: data to standard output in a format that the caller chooses, all else to standard error."""

import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from cli.tables import Column, Row, table


class Format(StrEnum):
    """Form of a command's data."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"
    NAME = "name"


_IN_ASCII = str.maketrans({"·": "|", "…": "...", "→": "->"})
"""ASCII forms of the characters that the product's own texts have."""
OutputFormat = Annotated[
    Format, typer.Option("--output", "-o", help="Form of the data; json is the api's own body, unchanged.")
]
Fields = Annotated[
    str, typer.Option(metavar="A,B", help="Members to show, with dots for those inside others: why.code,version.")
]


def print_lines(*texts: str) -> None:
    """Print lines of a table. What would move the cursor, or change colours or directions, is shown as an escape."""
    for text in texts:
        typer.echo(printable(text))


def note(text: str) -> None:
    """Write what is not data."""
    sys.stderr.writelines(f"{printable(line)}\n" for line in text.split("\n"))


class _Chosen:
    """What the caller of the command line has chosen."""

    ascii_alone = False


def show_ascii_alone() -> None:
    """Have all lines of this process, data in JSON and YAML apart, written in ASCII."""
    _Chosen.ascii_alone = True


def printable(text: str) -> str:
    r"""Return the text with `\x1b` and the like in place of characters that a terminal would act on.

    Ids, reasons and values come from records that anybody could have written.
    """
    shown = text if text.isprintable() else "".join(map(_printable, text))
    if shown.isascii() or not (_Chosen.ascii_alone or not _takes_all(sys.stdout)):
        return shown
    return shown.translate(_IN_ASCII).encode("ascii", "backslashreplace").decode()


def _takes_all(stream: Any) -> bool:
    """Whether a stream can be written every character."""
    return str(getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf")


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape", "replace").decode()


def counted(number: int, one: str) -> str:
    """Return a number with its noun, such as `1 essay` or `2 essays`."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def print_json(value: Any, *, lines: bool = False) -> None:
    """Print a value as JSON, on one line or indented."""
    typer.echo(json.dumps(value, indent=None if lines else 2, ensure_ascii=False))


def print_rows(
    body: Any, rows: Sequence[Row], columns: Sequence[Column], output: Format, *, name: str, fields: str = ""
) -> None:
    """Print rows of an answer of the api: `body` whole as JSON or YAML, otherwise the rows.

    `name` is the member that `-o name` prints. With `fields` the rows alone are shown, with these members.
    """
    wanted = _split(fields)
    if wanted:
        rows = [{field: member(row, field) for field in wanted} for row in rows]
        columns = [Column(field.upper(), lambda row, field=field: text_of(row[field])) for field in wanted]  # type: ignore[misc]
        body = rows
    match output:
        case Format.JSON:
            print_json(body)
        case Format.YAML:
            _print_yaml(body)
        case Format.JSONL:
            for row in rows:
                print_json(row, lines=True)
        case Format.NAME:
            print_lines(*(text_of(member(row, wanted[0] if wanted else name)) for row in rows))
        case _:
            print_lines(*table(rows, columns, wide=output is Format.WIDE))


def print_one(body: Row, lines: Sequence[str], output: Format, *, name: str, fields: str = "") -> None:
    """Print one object of the api, as `lines` where no other form is wanted."""
    if fields and output in {Format.JSON, Format.YAML}:
        wanted = {field: member(body, field) for field in _split(fields)}
        print_json(wanted) if output is Format.JSON else _print_yaml(wanted)
    elif fields:
        print_rows(body, [body], (), output, name=name, fields=fields)
    elif output in {Format.TABLE, Format.WIDE}:
        print_lines(*lines)
    elif output is Format.YAML:
        _print_yaml(body)
    elif output is Format.NAME:
        print_lines(text_of(body[name]))
    else:
        print_json(body, lines=output is Format.JSONL)


def member(row: Row, field: str) -> Any:
    """Return the member that a field such as `why.code` names. Raises `typer.BadParameter` where there is none."""
    found: Any = row
    for part in field.split("."):
        if not isinstance(found, dict) or part not in found:
            known = ", ".join(sorted(found)) if isinstance(found, dict) else "none"
            raise typer.BadParameter(f"there is no member {field!r}; there are {known}.", param_hint="--fields")
        found = found[part]
    return found


def _split(fields: str) -> list[str]:
    return [field.strip() for field in fields.split(",") if field.strip()]


def text_of(value: Any) -> str:
    """Return a value of JSON as a cell of a table: a text as it is, and `-` for null."""
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _print_yaml(value: Any) -> None:
    import yaml  # noqa: PLC0415 - heavy: `bos --help` stays fast

    typer.echo(yaml.safe_dump(value, allow_unicode=True, sort_keys=False).rstrip())
