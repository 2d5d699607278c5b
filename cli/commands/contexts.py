"""`bos contexts`: named addresses of apis."""

from typing import Annotated

import typer
from msgspec.structs import replace

from cli.contexts import Context, load_contexts, save_contexts
from cli.output import Format, OutputFormat, note, print_rows
from cli.tables import Column
from schemas.errors import ConfigurationError

contexts = typer.Typer(help="Named addresses of apis, for commands that are given no --url.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name of the context.")]
_COLUMNS = (
    Column("", lambda row: "*" if row["current"] else ""),
    Column("NAME", lambda row: str(row["name"])),
    Column("URL", lambda row: str(row["url"])),
    Column("TOKEN FILE", lambda row: row["token_file"] or "-"),
)


@contexts.command("list")
def list_contexts(*, output: OutputFormat = Format.TABLE) -> None:
    """Print the contexts; the current one has a star."""
    known = load_contexts()
    rows = [
        {"name": name, "url": each.url, "token_file": each.token_file, "current": name == known.current}
        for name, each in known.contexts.items()
    ]
    print_rows(rows, rows, _COLUMNS, output, name="name")


@contexts.command()
def add(
    name: Name,
    url: Annotated[str, typer.Argument(help="Address of the api.")],
    *,
    token_file: Annotated[str, typer.Option(help="File with the API key or token for it.")] = "",
) -> None:
    """Add a context, or replace the one of this name, and use it from now on."""
    known = load_contexts()
    new = known.contexts | {name: Context(url=url, token_file=token_file)}
    save_contexts(replace(known, current=name, contexts=new))
    note(f"Commands use {url} from now on.")


@contexts.command()
def use(name: Name) -> None:
    """Use a context from now on."""
    known = load_contexts()
    _require(name, known.contexts)
    save_contexts(replace(known, current=name))
    note(f"Commands use {known.contexts[name].url} from now on.")


@contexts.command()
def remove(name: Name) -> None:
    """Remove a context."""
    known = load_contexts()
    _require(name, known.contexts)
    left = {each: context for each, context in known.contexts.items() if each != name}
    save_contexts(replace(known, contexts=left, current="" if known.current == name else known.current))


def _require(name: str, known: dict[str, Context]) -> None:
    if name not in known:
        raise ConfigurationError(
            f"There is no context {name}.",
            next_step=f"Use one of {', '.join(known)}." if known else "Add one with `bos contexts add NAME URL`.",
        )
