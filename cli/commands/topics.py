"""`bos topics plan|apply|check`: the topics that the product needs, against those that are there."""

from typing import Annotated

import typer

from runtime.settings_loading import load_settings

topics = typer.Typer(help="The topics that the product needs.", no_args_is_help=True)

PeerTopics = Annotated[
    bool, typer.Option("--peer-topics", help="Create peers' topics too: on a development cluster alone.")
]


@topics.command()
def plan(*, peer_topics: PeerTopics = False) -> None:
    """Show what `apply` would create, and what differs; changes nothing."""
    from topology.topics import provisioning

    for line in provisioning.plan(load_settings(), create_peer_topics=peer_topics):
        typer.echo(line)


@topics.command()
def apply(*, peer_topics: PeerTopics = False) -> None:
    """Create the topics that are missing. Never changes one that is there."""
    from topology.topics import provisioning

    for line in provisioning.apply(load_settings(), create_peer_topics=peer_topics):
        typer.echo(line)


@topics.command()
def check() -> None:
    """Hold every topic against the table; exit code 1 where one is missing or differs."""
    from topology.topics import provisioning

    for line in provisioning.check(load_settings()):
        typer.echo(line)
    typer.echo("All topics are as they must be.")
