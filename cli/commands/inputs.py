"""`bos inputs check|resume`: checks and repairs the router's offsets on its input topics."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.settings_loading import load_settings
from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from topology.router.start_offsets import InputOffsets

_VALID = "The router can go on where it stopped, on every partition."

inputs = typer.Typer(help="The router's offsets on its input topics.", no_args_is_help=True)


@inputs.command()
def check() -> None:
    """Show the partitions on which the router cannot resume at its offset; exit code 1 if there are any."""
    lost = _offsets().lost()
    for one in lost:
        typer.echo(str(one))
    if lost:
        raise typer.Exit(1)
    typer.echo(_VALID)


@inputs.command()
def resume(
    *,
    start: Annotated[str, typer.Option("--from", help="earliest, latest or an ISO 8601 time.")],
) -> None:
    """Set the router's offsets on the partitions whose offsets are no longer valid; all others keep theirs.

    Run it once after the router has refused to start, while no router runs.
    """
    if start not in {"earliest", "latest"}:
        try:
            datetime.fromisoformat(start)
        except ValueError:
            raise ConfigurationError(
                f"--from {start} is not a valid start.", next_step="Give earliest, latest or an ISO 8601 time."
            ) from None
    resumed = _offsets().resume(start)
    for (topic, partition), offset in sorted(resumed.items()):
        typer.echo(f"{topic}[{partition}] resumes at offset {offset}.")
    typer.echo("The router can be started." if resumed else _VALID + " Nothing was changed.")


def _offsets() -> "InputOffsets":
    from schemas.topics import ROUTER_INPUTS
    from topology.router.start_offsets import InputOffsets
    from topology.topics import provisioning

    settings = load_settings()
    cluster = provisioning.connect(settings)
    provisioning.check(settings, outputs=False)
    counts = cluster.partition_counts(settings.topics().name(topic) for topic in ROUTER_INPUTS)
    return InputOffsets(cluster, settings, counts)
