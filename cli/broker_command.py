"""`bos broker`: the development broker in the foreground."""

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

_LOOK_SECONDS = 0.5


def broker(
    port: Annotated[
        int | None, typer.Option(min=1024, max=65_000, help="First broker's port (default: a free one).")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Keep the data here (default: gone at the end).")] = None,
    brokers: Annotated[int, typer.Option(min=1, max=5, help="Number of brokers.")] = 1,
) -> None:
    """Run Apache Kafka for development, on loopback, until Ctrl-C."""
    from cli.broker import BOOTSTRAP_VARIABLE, KAFKA_VERSION, DevBroker

    asked_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_stop.set())
    with DevBroker(brokers=brokers, data_dir=data_dir, port=port) as cluster:
        typer.echo(f"Apache Kafka {KAFKA_VERSION} is ready at {cluster.bootstrap_servers}. Ctrl-C stops it.")
        typer.echo(f"export {BOOTSTRAP_VARIABLE}={cluster.bootstrap_servers}")
        while not asked_to_stop.wait(_LOOK_SECONDS):
            for node in cluster.nodes:
                if not node.running:
                    raise node.failure("ended by itself")
