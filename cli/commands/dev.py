"""`bos dev` and `bos run`: the whole product under one supervisor, with or without a development broker."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.early_signals import interrupt_on_sigterm

if TYPE_CHECKING:
    from cli.supervision.stack import Stack

_POLL_SECONDS = 0.5


def dev(
    *,
    port: Annotated[int, typer.Option(help="Port of the api.")] = 5000,
    directory: Annotated[Path, typer.Option(help="State, projection, logs and Kafka's data.")] = Path(".bos"),
    orchestrators: Annotated[int, typer.Option(min=1, help="Orchestrator processes.")] = 1,
) -> None:
    """Run everything on this machine until Ctrl-C; a process that ends is restarted.

    Kafka is started too, unless the environment names one. All topics are created there, including the peers'.
    """
    from cli.broker import BOOTSTRAP_VARIABLE, DevBroker
    from cli.broker.keeping import kept_running
    from runtime.settings_loading import load_settings

    load_settings()  # reports a wrong setting before a broker is started
    with _until_interrupted() as stack:
        address = os.environ.get(BOOTSTRAP_VARIABLE, "").strip()
        if not address:
            kafka = stack.enter_context(DevBroker(data_dir=directory / "kafka"))
            stack.enter_context(kept_running(kafka, typer.echo))
            address = kafka.bootstrap_servers
        _run_until_stopped(address, directory=directory, orchestrators=orchestrators, api_port=port)


def run(
    *,
    port: Annotated[int, typer.Option(help="Port of the api.")] = 5000,
    directory: Annotated[Path, typer.Option(help="State, projection and logs.")] = Path(".bos"),
    orchestrators: Annotated[int, typer.Option(min=1, help="Orchestrator processes.")] = 1,
) -> None:
    """Run every process against the Kafka of the settings until Ctrl-C. Topics are checked, not created.

    All settings apply except those that differ between processes of one machine: addresses, ports, instances and state
    directories. Without a PROJECTION_URL the projection is a file in the directory.
    """
    from runtime.settings_loading import load_settings

    settings = load_settings()
    with _until_interrupted():
        _run_until_stopped(
            settings.kafka_bootstrap_servers,
            directory=directory,
            orchestrators=orchestrators,
            api_port=port,
            provision=False,
            projection_url=settings.projection_url if "projection_url" in settings.model_fields_set else "",
        )


@contextmanager
def _until_interrupted() -> Iterator[ExitStack]:
    """Handle SIGTERM like Ctrl-C, also while Kafka or the processes start: everything is stopped in order."""
    interrupt_on_sigterm()
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        yield stack


def _run_until_stopped(address: str, **options: Any) -> None:
    """Run until a signal arrives. A process that fails does not end the others; health and the terminal report it."""
    from cli.broker import BOOTSTRAP_VARIABLE
    from cli.supervision.stack import Stack, StackOptions

    chosen = StackOptions(bootstrap_servers=address, wait_ready=False, **options)
    with Stack(chosen, on_event=typer.echo) as product:
        typer.echo(f"Logs     {product.supervisor.log_directory}")
        typer.echo(f"Kafka    export {BOOTSTRAP_VARIABLE}={address}")
        _await_health(product)
        typer.echo(f"API      {product.api_url}  (POST /v1/batches/register, /healthz, /metrics)")
        typer.echo("Ctrl-C stops it.")
        while not product.supervisor.hopeless:
            time.sleep(_POLL_SECONDS)
        product.supervisor.check()


def _await_health(product: "Stack") -> None:
    """Wait until the product is healthy, or print why it is not."""
    from cli.supervision.supervisor import ProcessFailed

    try:
        product.await_ready()
    except ProcessFailed as error:
        if product.supervisor.hopeless:
            raise
        if error is not product.supervisor.failure:  # that one has been printed
            typer.echo(str(error))
