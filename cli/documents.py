"""Writes docs/cli.md and docs/bos.1 from the commands themselves: `python -m cli.documents`."""

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer.main
from msgspec import Struct

from cli.commands.help import ENVIRONMENT
from cli.exit_codes import MEANINGS
from cli.main import app

DOCS = Path(__file__).parents[1] / "docs"
MARKDOWN = DOCS / "cli.md"
MAN_PAGE = DOCS / "bos.1"
_HEAD = """# Commands

Every command, its arguments and its options, written from the code by `make docs`. [commands.md](commands.md) has the
commands about batches in the order of a day's work, and the exit codes. `bos COMMAND --help` shows the same.

Before the command stand `--time utc|local|relative` (or `BOS_TIME`), the form of times in tables, and `--ascii` (or
`BOS_ASCII=1`), for terminals without other characters: `bos --time local batches list`.
"""
_WORDS = {"STR": "TEXT", "INT": "NUMBER", "FLOAT": "NUMBER", "PATH": "FILE"}
_MAN_HEAD = r""".TH BOS 1 "" "Batch Orchestrator" "Commands"
.SH NAME
bos \- a Kafka-native batch orchestrator
.SH SYNOPSIS
.B bos
.I COMMAND
.RI [ ARGUMENT ...\&]
.RI [ OPTION ...\&]
.SH OPTIONS
Before the command stand
.B \-\-time
.IR utc | local | relative ,
the form of times in tables, and
.BR \-\-ascii .
.SH COMMANDS
"""


class Command(Struct, frozen=True):
    """One command, as the documents show it."""

    name: str
    usage: str
    text: str
    examples: tuple[str, ...]
    arguments: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]


def commands() -> tuple[Command, ...]:
    """Return every command, in the order in which help lists them."""
    return tuple(_walk("bos", typer.main.get_command(app)))


def markdown() -> str:
    """Return docs/cli.md."""
    return _HEAD + "".join(map(_section, commands()))


def man_page() -> str:
    """Return docs/bos.1."""
    ends = _listed("ENVIRONMENT", ENVIRONMENT) + _listed(
        "EXIT STATUS", {str(code): MEANINGS[code] for code in MEANINGS}
    )
    return _MAN_HEAD + "".join(map(_entry, commands())) + ends


def _listed(heading: str, entries: Mapping[str, str]) -> str:
    """Return a section of the man page with an entry for each word."""
    lines = [f".SH {heading}"]
    for word, meaning in entries.items():
        lines += [".TP", f".B {_roff(word)}", _roff(meaning)]
    return "\n".join(lines) + "\n"


def _walk(name: str, command: Any) -> Iterator[Command]:
    children = getattr(command, "commands", None)
    if children:
        for child_name, child in children.items():
            yield from _walk(f"{name} {child_name}", child)
        return
    text, examples = _split(command.help or "")
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
    usage = " ".join([name, *(_metavar(each) for each in arguments), *(["[OPTIONS]"] if options else [])])
    yield Command(
        name,
        usage,
        text,
        examples,
        tuple((_metavar(each), each.help or "") for each in arguments),
        tuple((_flags(each), _described(each)) for each in options),
    )


def _split(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the words of a help text, and its examples."""
    words, _, rest = re.split(r"\n\n(Examples?): ?", f"{text.strip()}\n\nExample: ", maxsplit=1)
    examples = [line.strip() for line in rest.replace("Example:", "").splitlines() if line.strip()]
    return " ".join(words.split()), tuple(examples)


def _metavar(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _flags(option: Any) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    if option.is_flag:
        return names
    kind = _kind(option)
    word = "WORD" if _choices(kind) else getattr(kind, "__name__", "TEXT").upper()
    return f"{names} {option.metavar or _WORDS.get(word, word)}"


def _described(option: Any) -> str:
    words = (option.help or "").strip()
    choices = _choices(_kind(option))
    return f"{words} One of {', '.join(choices)}." if choices else words


def _kind(option: Any) -> Any:
    """Return the type of one value of an option: the member of a list, or what an optional one is if it is given."""
    kind = option.type_descriptor.annotation
    while not isinstance(kind, type) or get_origin(kind) is list:
        if get_origin(kind) is Literal:
            return kind
        inner = [each for each in get_args(kind) if each is not type(None)]
        if not inner:
            return str
        kind = inner[0]
    return kind


def _choices(kind: Any) -> tuple[str, ...]:
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(each.value for each in kind) if isinstance(kind, type) and issubclass(kind, Enum) else ()


def _section(command: Command) -> str:
    lines = ["", f"## {command.name}", "", command.text, "", "```console", command.usage, *command.examples, "```", ""]
    rows = [*command.arguments, *command.options]
    if rows:
        lines += ["| argument or option | meaning |", "|---|---|"]
        lines += [
            f"| `{name.replace('|', chr(92) + '|')}` | {words.replace('|', chr(92) + '|')} |" for name, words in rows
        ]
        lines.append("")
    return "\n".join(lines)


def _celled(text: str) -> str:
    """Return a text as a cell of a Markdown table."""
    return text.replace("|", "\\|")


def _entry(command: Command) -> str:
    lines = [f'.SS "{_roff(command.usage)}"', _roff(command.text)]
    for name, words in (*command.arguments, *command.options):
        lines += [".TP", f".B {_roff(name)}", _roff(words) or r"\&"]
    for example in command.examples:
        lines += [".PP", ".EX", _roff(example), ".EE"]
    return "\n".join(lines) + "\n"


def _roff(text: str) -> str:
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return r"\&" + escaped if escaped.startswith((".", "'")) else escaped


def main() -> None:
    """Write both documents."""
    MARKDOWN.write_text(markdown(), encoding="utf-8")
    MAN_PAGE.write_text(man_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
