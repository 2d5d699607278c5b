"""Ids that commands are given: an empty one is a variable that a script did not set, and never an id."""

from typing import Annotated

import typer

from cli.completion import batch_ids, letter_ids


def not_empty(given: str | list[str] | None) -> str | list[str] | None:
    """Return the id or ids. Raises `typer.BadParameter` where one is empty: its path would be that of a list."""
    if given == "" or (isinstance(given, list) and "" in given):
        raise typer.BadParameter("an id is empty.")
    return given


BatchId = Annotated[
    str, typer.Argument(metavar="ID", help="Id of a batch.", callback=not_empty, autocompletion=batch_ids)
]
LetterId = Annotated[
    str, typer.Argument(metavar="ID", help="Id of a dead letter.", callback=not_empty, autocompletion=letter_ids)
]
