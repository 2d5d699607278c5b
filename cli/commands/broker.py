"""`bos broker`: the development broker in the foreground."""

import time
from pathlib import Path
from typing import Annotated

import typer

from cli.early_signals import interrupt_on_sigterm

_POLL_SECONDS = 0.5


def broker(
    port: Annotated[
        int | None, typer.Option(min=1024, max=65_000, help="First broker's port (default: a free one).")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Keep the data here (default: deleted at the end).")] = None,
    brokers: Annotated[int, typer.Option(min=1, max=5, help="Number of brokers.")] = 1,
) -> None:
    """Run Apache Kafka for development, on loopback, until Ctrl-C."""
    from cli.broker import BOOTSTRAP_VARIABLE, KAFKA_VERSION, DevBroker

    interrupt_on_sigterm()
    try:
        with DevBroker(brokers=brokers, data_dir=data_dir, port=port) as cluster:
            typer.echo(f"Apache Kafka {KAFKA_VERSION} is ready at {cluster.bootstrap_servers}. Ctrl-C stops it.")
            typer.echo(f"export {BOOTSTRAP_VARIABLE}={cluster.bootstrap_servers}")
            while all(node.running for node in cluster.nodes):
                time.sleep(_POLL_SECONDS)
            raise next(node for node in cluster.nodes if not node.running).failure("ended by itself")
    except KeyboardInterrupt:
        typer.echo("Stopped.")
