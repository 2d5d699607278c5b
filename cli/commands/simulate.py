"""`bos simulate`: simulates the peers on any cluster."""

import json
import signal
import threading
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.commands.peer_options import Critical, Era, Failed, Repeats, Unaccounted
from runtime.settings_loading import load_settings, variable
from schemas.errors import BrokerError

if TYPE_CHECKING:
    from runtime.settings import Settings

_POLL_SECONDS = 0.5


def has_workers(settings: "Settings") -> bool:
    """Tell whether a pipeline of the settings has a phase of the generic command, which the peers never see."""
    from state.pipelines.loader import load_pipelines

    return any(load_pipelines(settings.pipelines_file, settings.topics()).generic_phases())


def simulate(
    *,
    era: Era = "seed",
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    latency: Annotated[tuple[float, float], typer.Option(help="Shortest and longest answer time, seconds.")] = (0.1, 1),
    failed: Failed = 0.0,
    invalid: Annotated[float, typer.Option(min=0, max=1, help="Chance of a file to fail validation.")] = 0.0,
    critical: Critical = 0.0,
    unaccounted: Unaccounted = 0.0,
    repeats: Repeats = 0.0,
    reorder: Annotated[float, typer.Option(min=0, help="Longest extra delay of an event, seconds.")] = 0.0,
    keyless: Annotated[bool | None, typer.Option("--keyless/--keyed", help="Default: as in the era.")] = None,
    class_batches: Annotated[
        Literal["command", "associations", "never"], typer.Option(help="What makes class batches ready (head era).")
    ] = "command",
    silent: Annotated[bool, typer.Option("--silent", help="Answer no command.")] = False,
    trust_ends: Annotated[
        bool | None,
        typer.Option(
            "--trust-ends/--judge-ends",
            help="Take batches' ends as they come (default where the pipelines have generic phases).",
        ),
    ] = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Answer existing records too.")] = False,
    until: Annotated[int, typer.Option("--batches", min=0, help="Stop after so many completed batches; 0: never.")] = 0,
) -> None:
    """Simulate the peers on the Kafka of the settings until Ctrl-C, then report what broke the contract."""
    from peers.options import PeerOptions
    from peers.playing import Peers, PeersError

    settings = load_settings()
    kafka = {name: str(value) for name, value in settings.kafka().items() if name != "bootstrap.servers"}
    options = PeerOptions(
        era=era,
        seed=seed,
        latency=latency,
        failed_essay_rate=failed,
        validation_failure_rate=invalid,
        critical_rate=critical,
        unaccounted_rate=unaccounted,
        repeat_rate=repeats,
        reorder_spread=reorder,
        keyless=keyless,
        class_batches=class_batches,
        judges_ends=not (has_workers(settings) if trust_ends is None else trust_ends),
        silent=silent,
        topic_prefix=settings.topic_prefix,
        from_beginning=from_beginning,
        kafka=kafka,
    )
    asked_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_stop.set())
    try:
        with Peers(options, settings.kafka_bootstrap_servers) as peers:
            typer.echo(
                f"Playing the {era} peers on {settings.kafka_bootstrap_servers}. Ctrl-C stops and reports.", err=True
            )
            while not asked_to_stop.is_set() and peers.running:
                if peers.wait_completed(until or 2**31, timeout=_POLL_SECONDS):
                    break
    except PeersError as error:
        raise BrokerError(
            f"The peers cannot run on {settings.kafka_bootstrap_servers}: {error}.",
            next_step=f"Name the Kafka of the product in {variable('kafka_bootstrap_servers')}; `bos dev` prints it.",
        ) from error
    report: dict[str, Any] = peers.report().as_json()
    typer.echo(json.dumps({name: report[name] for name in ("ok", "counts", "complaints", "refused")}, indent=2))
    if not report["ok"]:
        raise typer.Exit(1)
