"""`bos topics plan|apply|check`: compares the required topics with the existing ones, and creates them."""

from typing import Annotated

import typer

from runtime.settings_loading import load_settings

topics = typer.Typer(help="The topics that the product needs.", no_args_is_help=True)

PeerTopics = Annotated[bool, typer.Option("--peer-topics", help="Create peers' topics too; for development clusters.")]


@topics.command()
def plan(*, peer_topics: PeerTopics = False) -> None:
    """Show what `apply` would create, and what differs; changes nothing."""
    from topology.topics import provisioning

    for line in provisioning.plan(load_settings(), create_peer_topics=peer_topics):
        typer.echo(line)


@topics.command()
def apply(*, peer_topics: PeerTopics = False) -> None:
    """Create the topics that are missing. Never changes an existing one."""
    from topology.topics import provisioning

    for line in provisioning.apply(load_settings(), create_peer_topics=peer_topics):
        typer.echo(line)


@topics.command()
def check() -> None:
    """Compare every topic with the table; exit code 1 if one is missing or differs."""
    from topology.topics import provisioning

    for line in provisioning.check(load_settings()):
        typer.echo(line)
    typer.echo("All topics match the table.")
