"""`bos help TOPIC`: what holds for every command."""

from typing import Annotated

import typer

from cli.exit_codes import MEANINGS, NOT_FOUND
from cli.output import note, print_lines

ENVIRONMENT = {
    "BOS_URL": "Address of the api.",
    "BOS_TOKEN_FILE": "File with the API key or token.",
    "BOS_CONFIG_HOME": "Directory of the contexts, in place of $XDG_CONFIG_HOME/bos.",
    "BOS_TIME": "Times in tables: utc (the default), local or relative; as --time.",
    "BOS_ASCII": "Tables in ASCII alone; as --ascii.",
    "NO_COLOR": "No colours in help and errors.",
}
"""Variables that commands read, with what each is for."""
_FORMATS = (
    "table  columns for people; wide has more of them",
    "json   the api's body, unchanged; its members are stable",
    "jsonl  one object a line; what `bos batches watch` writes into a pipe",
    "yaml   the same body as YAML",
    "name   ids alone, for another command's -",
    "",
    "--fields a,b.c shows these members alone. Data goes to standard output, all else to standard error.",
)
_TOPICS: dict[str, tuple[str, ...]] = {
    "exit-codes": tuple(f"{code:>3}  {meaning}" for code, meaning in MEANINGS.items()),
    "environment": tuple(f"{name:<15}  {meaning}" for name, meaning in ENVIRONMENT.items()),
    "output": _FORMATS,
}


def help_(
    topic: Annotated[str, typer.Argument(help=f"One of {', '.join(_TOPICS)}; without it, they are listed.")] = "",
) -> None:
    """Print what holds for every command: exit codes, variables, forms of output.

    Example: bos help exit-codes
    """
    if not topic:
        print_lines(*(f"bos help {name}" for name in _TOPICS), "bos COMMAND --help", "bos explain CODE")
        return
    lines = _TOPICS.get(topic)
    if lines is None:
        note(f"There is no topic {topic!r}; there are {', '.join(_TOPICS)}.")
        raise typer.Exit(NOT_FOUND)
    print_lines(*lines)
