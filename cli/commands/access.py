"""`bos access`: API keys."""

from typing import Annotated

import typer

from cli.output import note, print_lines

access = typer.Typer(help="API keys of the api.", no_args_is_help=True)


@access.callback()
def _group() -> None:
    """Keep `new-key` a subcommand."""


@access.command()
def new_key(
    name: Annotated[str, typer.Argument(help="Name of the key, shown in histories; no spaces.")],
    *,
    scope: Annotated[list[str], typer.Option(help="read, write or operate; may be given several times.")] = ["read"],  # noqa: B006 - typer copies it
    owner: Annotated[str, typer.Option(help="Only batches of this owner.")] = "",
    organisation: Annotated[str, typer.Option(help="Only batches of this organisation.")] = "",
) -> None:
    """Print a new API key, and the line for the setting API_KEYS. The key is stored nowhere."""
    from api.access.keys import line_of, new_key, parse_api_keys
    from api.access.scopes import parse_scopes

    key = new_key()
    try:
        line = line_of(name, key, parse_scopes(scope), owner, organisation)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--scope") from error
    parse_api_keys(line)
    note("The key, for the caller: it is shown this once. Below it, the line for API_KEYS:")
    print_lines(key, line)
