"""`bos dev` and `bos run`: the whole product under one supervisor, with or without a broker of its own."""

import os
import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

_LOOK_SECONDS = 0.5


def dev(
    *,
    port: Annotated[int, typer.Option(help="Port of the api.")] = 5000,
    directory: Annotated[Path, typer.Option(help="State, projection, logs and Kafka's data.")] = Path(".bos"),
    orchestrators: Annotated[int, typer.Option(min=1, help="Orchestrator processes.")] = 1,
) -> None:
    """Run everything on this machine until Ctrl-C; what dies is started again.

    A Kafka too, unless the environment names one. There all topics are created, the peers' among them.
    """
    from cli.broker import BOOTSTRAP_VARIABLE, DevBroker
    from runtime.settings_loading import load_settings

    load_settings()  # a wrong setting is told before a broker is started
    with ExitStack() as stack:
        address = os.environ.get(BOOTSTRAP_VARIABLE, "").strip()
        if not address:
            address = stack.enter_context(DevBroker(data_dir=directory / "kafka")).bootstrap_servers
        _run_until_stopped(address, directory=directory, orchestrators=orchestrators, api_port=port)


def run(
    *,
    port: Annotated[int, typer.Option(help="Port of the api.")] = 5000,
    directory: Annotated[Path, typer.Option(help="State, projection and logs.")] = Path(".bos"),
    orchestrators: Annotated[int, typer.Option(min=1, help="Orchestrator processes.")] = 1,
) -> None:
    """Run every process against the Kafka of the settings until Ctrl-C. Topics are checked, not created.

    All settings hold but those in which processes of one machine differ: addresses, ports, instances and state
    directories. Without a PROJECTION_URL the projection is a file in the directory.
    """
    from runtime.settings_loading import load_settings

    settings = load_settings()
    _run_until_stopped(
        settings.kafka_bootstrap_servers,
        directory=directory,
        orchestrators=orchestrators,
        api_port=port,
        provision=False,
        projection_url=settings.projection_url if "projection_url" in settings.model_fields_set else "",
    )


def _run_until_stopped(address: str, **options: Any) -> None:
    from cli.broker import BOOTSTRAP_VARIABLE
    from cli.supervision.stack import Stack, StackOptions

    asked_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_stop.set())
    with Stack(StackOptions(bootstrap_servers=address, **options), on_event=typer.echo) as product:
        typer.echo(f"API      {product.api_url}  (POST /v1/batches/register, /healthz, /metrics)")
        typer.echo(f"Logs     {product.supervisor.log_directory}")
        typer.echo(f"Kafka    export {BOOTSTRAP_VARIABLE}={address}")
        typer.echo("Ctrl-C stops it.")
        while not asked_to_stop.wait(_LOOK_SECONDS):
            product.supervisor.check()
