"""`bos demo`: batches from registration to completion on a real Kafka."""

from pathlib import Path
from typing import Annotated

import typer

from cli.commands.peer_options import Critical, Era, Failed, Repeats, Unaccounted


def demo(
    *,
    batches: Annotated[int, typer.Option(min=1, help="Batches to register.")] = 100,
    essays: Annotated[int, typer.Option(min=1, help="Essays of each batch.")] = 25,
    era: Era = "seed",
    seed: Annotated[int, typer.Option(help="Random seed of the simulated peers.")] = 0,
    failed: Failed = 0.03,
    critical: Critical = 0.0,
    unaccounted: Unaccounted = 0.0,
    repeats: Repeats = 0.0,
    reorder: Annotated[bool, typer.Option("--reorder", help="Let events overtake each other.")] = False,
    keyless: Annotated[bool, typer.Option("--keyless", help="Send without keys, regardless of the era.")] = False,
    orchestrators: Annotated[int, typer.Option(min=1, max=4, help="Orchestrator processes.")] = 1,
    kill_orchestrator: Annotated[
        bool, typer.Option("--kill-orchestrator", help="SIGKILL it while a transaction with a command is open.")
    ] = False,
    pipeline: Annotated[
        Path | None,
        typer.Option(
            "--pipeline",
            help="File of pipeline definitions, whose default one played workers run in place of the peers. "
            "Essays fail where another attempt follows, and phases where they are held: a client has them run again.",
        ),
    ] = None,
    held: Annotated[float, typer.Option(min=0, max=1, help="With --pipeline: chance of a phase to be held.")] = 0.1,
    silent_peer: Annotated[
        bool,
        typer.Option("--silent-peer", help="Peers never answer; batches end by deadlines of seconds."),
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Go on, with traffic to look at in the dashboard.")] = False,
) -> None:
    """Register batches over HTTP, simulate the peers, and compare the end of every batch with its script."""
    from rich.console import Console

    from cli.demo.pipeline import PipelineDemoOptions, run_pipeline
    from cli.demo.run import DemoOptions, run
    from runtime.settings_loading import load_settings

    load_settings()  # reports a wrong setting before a broker is started
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120
    if pipeline is not None:
        chosen = PipelineDemoOptions(
            file=pipeline, batches=batches, essays=essays, seed=seed, failed=failed, held=held, keep=keep
        )
        if not run_pipeline(chosen, console):
            raise typer.Exit(1)
        return
    options = DemoOptions(
        batches=batches,
        essays=essays,
        era=era,
        seed=seed,
        failed=failed,
        critical=critical,
        unaccounted=unaccounted,
        repeats=repeats,
        reorder=reorder,
        keyless=True if keyless else None,
        orchestrators=orchestrators,
        kill_orchestrator=kill_orchestrator,
        silent_peer=silent_peer,
        keep=keep,
    )
    if not run(options, console):
        raise typer.Exit(1)
