"""`bos projection rebuild|verify`: the read model, built anew from the topics."""

from typing import Annotated

import typer

from runtime.settings_loading import load_settings

projection = typer.Typer(help="The read model of batches, history and dead letters.", no_args_is_help=True)

_SHOWN = 50
Most = Annotated[int, typer.Option("--most", min=1, help="Differences to print; the rest is counted.")]


@projection.command()
def rebuild() -> None:
    """Build the projection anew from the topics, beside the live one, and put it in its place at once.

    Everything goes on meanwhile. Batches come back whole, history and dead letters as far back as their topics.
    """
    from topology.projector.rebuild import rebuild as run

    done = run(load_settings(), lambda line: typer.echo(line, err=True))
    typer.echo(f"Rebuilt from {done.records} records in {done.seconds:.0f} s. It is in use.")


@projection.command()
def verify(*, most: Most = _SHOWN) -> None:
    """Compare the live projection row for row with one that is built anew from the topics; change nothing.

    Exit code 1 if they differ.
    """
    from topology.projector.rebuild import verify as run

    found = 0
    for difference in run(load_settings(), lambda line: typer.echo(line, err=True)):
        found += 1
        if found <= most:
            typer.echo(difference.line())
    if found:
        typer.echo(f"{found} rows differ. `bos projection rebuild` builds the projection anew.", err=True)
        raise typer.Exit(1)
    typer.echo("The live projection is what the topics say.")
