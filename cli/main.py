"""The `bos` command, composed of the subcommands in `cli.commands`.

Their modules import heavy packages inside functions, so that `bos --help` and every command start fast.
"""

import cli.early_signals  # noqa: F401  (first: it has an effect)

# isort: split
import importlib.metadata
import sys
from typing import Annotated

import typer

from cli.api_client import RequestFailed
from cli.commands.access import access
from cli.commands.batch_explain import diff, fixture, what_if, why
from cli.commands.batch_history import history, replay
from cli.commands.batch_list import list_batches
from cli.commands.batches import batches
from cli.commands.broker import broker
from cli.commands.capacity import capacity
from cli.commands.contexts import contexts
from cli.commands.dead_letters import dead_letters
from cli.commands.demo import demo
from cli.commands.dev import dev, run
from cli.commands.explain import explain
from cli.commands.help import help_
from cli.commands.inputs import inputs
from cli.commands.numbers import stats, system, top
from cli.commands.operations import operations
from cli.commands.pipelines import pipelines
from cli.commands.processes import api, orchestrator, projector, router, timekeeper
from cli.commands.projection import projection
from cli.commands.simulate import simulate
from cli.commands.topics import topics
from cli.output import note, show_ascii_alone
from cli.tables import Times, show_times
from runtime.exit_codes import CONFIGURATION
from runtime.settings_loading import ignored_variables
from schemas.errors import ConfigurationError, OrchestratorError


def _print_version(wanted: bool) -> None:  # noqa: FBT001  (the library's signature)
    if wanted:
        typer.echo(f"bos {importlib.metadata.version('batch-orchestrator')}")
        raise typer.Exit


app = typer.Typer(
    name="bos",
    help="A Kafka-native batch orchestrator.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (
    demo,
    dev,
    run,
    api,
    router,
    orchestrator,
    projector,
    timekeeper,
    broker,
    simulate,
    stats,
    top,
    explain,
    capacity,
):
    app.command()(command)
app.command("help")(help_)
app.add_typer(topics, name="topics")
app.add_typer(inputs, name="inputs")
app.add_typer(pipelines, name="pipelines")
batches.command("list")(list_batches)
for about_one in (history, replay, why, diff, what_if, fixture):
    batches.command()(about_one)
app.add_typer(batches, name="batches")
app.add_typer(dead_letters, name="dead-letters")
app.add_typer(operations, name="operations")
app.add_typer(system, name="system")
app.add_typer(access, name="access")
app.add_typer(contexts, name="contexts")
app.add_typer(projection, name="projection")


_LOGS_WARNINGS = frozenset({"api", "router", "orchestrator", "projector", "timekeeper"})
"""Commands that run a process: they log warnings, which other commands print."""


@app.callback()
def root(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 - its callback prints it
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    times: Annotated[
        Times, typer.Option("--time", envvar="BOS_TIME", help="Form of times in tables.", show_envvar=False)
    ] = Times.UTC,
    ascii_alone: Annotated[
        bool, typer.Option("--ascii", envvar="BOS_ASCII", help="Tables in ASCII alone.", show_envvar=False)
    ] = False,
) -> None:
    """A Kafka-native batch orchestrator."""
    show_times(times)
    if ascii_alone:
        show_ascii_alone()
    if context.invoked_subcommand not in _LOGS_WARNINGS:
        for variable, advice in ignored_variables().items():
            sys.stderr.write(f"bos: warning: {variable} is ignored. {advice}\n")


def main() -> None:
    """Run the command line.

    An error is printed with its code, what is wrong and the next step. The exit code is 78 for a wrong setting, after
    which a supervisor need not retry; that of `cli.exit_codes` for a request to the api; and 1 for any other error.
    """
    try:
        app()
    except ConfigurationError as error:
        sys.stderr.write(f"bos: {error}\n")
        sys.exit(CONFIGURATION)
    except RequestFailed as error:
        note(f"bos: {error}")
        sys.exit(error.exit_code)
    except OrchestratorError as error:
        sys.exit(f"bos: {error}")


if __name__ == "__main__":
    main()
