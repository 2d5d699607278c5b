"""`bos router|orchestrator|projector|timekeeper|api`: runs one process of the product.

A supervisor starts it, or a container does.
"""

import typer

from runtime.settings_loading import load, load_settings


def router() -> None:
    """Run the router, from the input topics to the inbox."""
    from topology.router.app import run

    raise typer.Exit(run(load_settings()))


def orchestrator() -> None:
    """Run an orchestrator, from the inbox to commands, status and history, exactly once."""
    from topology.orchestrator.app import run

    raise typer.Exit(run(load_settings()))


def projector() -> None:
    """Run the projector, from status, history and dead letters to the projection database."""
    from topology.projector.app import run

    raise typer.Exit(run(load_settings()))


def timekeeper() -> None:
    """Run a timekeeper, which follows the status topic and fires the deadlines of batches."""
    from topology.timekeeper.app import run

    raise typer.Exit(run(load_settings()))


def api() -> None:
    """Run the HTTP api."""
    from api.app import serve
    from api.settings import ApiSettings

    raise typer.Exit(serve(load(ApiSettings)))
