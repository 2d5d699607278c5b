"""`bos router|orchestrator|projector|api`: one process of the product, as a supervisor or container starts it."""

import typer

from runtime.settings_loading import load, load_settings


def router() -> None:
    """Run the router: every input topic to the inbox."""
    from topology.router.app import run

    raise typer.Exit(run(load_settings()))


def orchestrator() -> None:
    """Run an orchestrator: the inbox to commands, status and history, exactly once."""
    from topology.orchestrator.app import run

    raise typer.Exit(run(load_settings()))


def projector() -> None:
    """Run the projector: status, history and dead letters to the projection database."""
    from topology.projector.app import run

    raise typer.Exit(run(load_settings()))


def api() -> None:
    """Run the HTTP api."""
    from api.app import serve
    from api.settings import ApiSettings

    raise typer.Exit(serve(load(ApiSettings)))
