"""`bos dev` and `bos run`: the whole product under one supervisor, with or without a broker of its own."""

import os
import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

_LOOK_SECONDS = 0.5


def dev(
    *,
    port: Annotated[int, typer.Option(help="Port of the api.")] = 5000,
    directory: Annotated[Path, typer.Option(help="State, projection, logs and Kafka's data.")] = Path(".bos"),
    orchestrators: Annotated[int, typer.Option(min=1, help="Orchestrator processes.")] = 1,
) -> None:
    """Run everything on this machine, a Kafka too unless one is given, until Ctrl-C. What dies is started again."""
    from cli.broker import BOOTSTRAP_VARIABLE, DevBroker

    with ExitStack() as stack:
        address = os.environ.get(BOOTSTRAP_VARIABLE, "").strip()
        if not address:
            broker = stack.enter_context(DevBroker(data_dir=directory / "kafka"))
            address = broker.bootstrap_servers
        _run_stack(stack, address, directory, port=port, orchestrators=orchestrators, development=True)


def run(
    *,
    port: Annotated[int, typer.Option(help="Port of the api.")] = 5000,
    directory: Annotated[Path, typer.Option(help="State, projection and logs.")] = Path(".bos"),
    orchestrators: Annotated[int, typer.Option(min=1, help="Orchestrator processes.")] = 1,
) -> None:
    """Run every process against the Kafka of the settings, until Ctrl-C. Topics are checked, not created."""
    from runtime.loading import load_settings

    with ExitStack() as stack:
        address = load_settings().kafka_bootstrap_servers
        _run_stack(stack, address, directory, port=port, orchestrators=orchestrators, development=False)


def _run_stack(
    stack: ExitStack, address: str, directory: Path, *, port: int, orchestrators: int, development: bool
) -> None:
    from cli.stack import Stack, StackOptions

    asked_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_stop.set())
    options = StackOptions(
        bootstrap_servers=address,
        directory=directory,
        orchestrators=orchestrators,
        api_port=port,
        provision=development,
        create_peer_topics=development,
    )
    product = stack.enter_context(Stack(options, on_event=typer.echo))
    typer.echo(f"Kafka    {address}")
    typer.echo(f"API      {product.api_url}  (POST /v1/batches/register, /healthz, /metrics)")
    typer.echo(f"Logs     {product.supervisor.log_directory}")
    typer.echo("Ctrl-C stops it.")
    while not asked_to_stop.wait(_LOOK_SECONDS):
        product.supervisor.check()
