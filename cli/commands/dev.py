"""`bos dev` and `bos run`: the whole product under one supervisor, with or without a broker of its own."""

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
    from cli.broker.keeping import kept_running
    from runtime.settings_loading import load_settings

    load_settings()  # a wrong setting is told before a broker is started
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

    All settings hold but those in which processes of one machine differ: addresses, ports, instances and state
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
    """Let SIGTERM do what Ctrl-C does, also while Kafka or the processes start: everything is stopped in order."""
    interrupt_on_sigterm()
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        yield stack


def _run_until_stopped(address: str, **options: Any) -> None:
    """Run until a signal comes. What cannot work does not end the rest: health and the terminal tell of it."""
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
            time.sleep(_LOOK_SECONDS)
        product.supervisor.check()


def _await_health(product: "Stack") -> None:
    """Return when the whole is well, or when it is plain that somebody must look after it."""
    from cli.supervision.supervisor import ProcessFailed

    try:
        product.await_ready()
    except ProcessFailed as error:
        if product.supervisor.hopeless:
            raise
        if error is not product.supervisor.failure:  # that one has been told
            typer.echo(str(error))
