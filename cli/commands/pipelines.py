"""`bos pipelines check|list|show|graph`: the definitions of pipelines, before and after they are in use."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from runtime.settings_loading import load_settings
from schemas.errors import Code, ConfigurationError

if TYPE_CHECKING:
    from schemas.internal.pipeline import PipelineDefinition, Pipelines

pipelines = typer.Typer(help="The definitions of pipelines.", no_args_is_help=True)

File = Annotated[
    Path | None,
    typer.Option("--file", help="File of definitions; without it the one of PIPELINES_FILE, or the built-in."),
]
Name = Annotated[str, typer.Argument(help="Name of the pipeline.")]


@pipelines.command()
def check(file: Annotated[Path, typer.Argument(help="File of definitions (TOML).")]) -> None:
    """Check a file of definitions; exit code 78 with every fault and its line if the router would refuse it."""
    found = _load(file)
    for pipeline in found.by_name.values():
        typer.echo(_line(pipeline, found))
    typer.echo(f"{file} can be used.")


@pipelines.command("list")
def list_(*, file: File = None) -> None:
    """List the pipelines that a registration can name."""
    found = _load(file)
    for pipeline in found.by_name.values():
        typer.echo(_line(pipeline, found))


@pipelines.command()
def show(name: Name, *, file: File = None) -> None:
    """Show a pipeline in full, with the defaults that its definition leaves out, and the topics of its commands."""
    import msgspec

    from schemas.topics import PHASE_COMMANDS

    pipeline, topics = _chosen(name, file), load_settings().topics()
    typer.echo(f"{pipeline.name}, version {pipeline.version}")
    for field in ("provisioning_deadline_s", "purge_after_s"):
        typer.echo(f"  {field} = {getattr(pipeline, field)}")
    for phase in pipeline.phases:
        generic = phase.payload == "generic"
        topic = topics.phase_command(phase.name, phase.command_topic) if generic else PHASE_COMMANDS[phase.name]
        typer.echo(f"\n{phase.name}")
        for field in phase.__struct_fields__:
            value = topics.name(topic) if field == "command_topic" else getattr(phase, field)
            if field != "name":
                typer.echo(f"  {field} = {msgspec.json.encode(value).decode()}")


@pipelines.command()
def graph(
    name: Name,
    *,
    file: File = None,
    form: Annotated[Literal["text", "mermaid"], typer.Option("--format", help="Form of the graph.")] = "text",
) -> None:
    """Draw the phases of a pipeline: by level, or as a Mermaid flow chart."""
    from state.pipelines.graph import as_mermaid, as_text

    pipeline = _chosen(name, file)
    typer.echo(as_mermaid(pipeline) if form == "mermaid" else as_text(pipeline))


def _load(file: Path | None) -> "Pipelines":
    from state.pipelines.loader import load_pipelines

    settings = load_settings()
    return load_pipelines(file or settings.pipelines_file, settings.topics())


def _chosen(name: str, file: Path | None) -> "PipelineDefinition":
    found = _load(file)
    pipeline = found.by_name.get(name)
    if pipeline is None:
        raise ConfigurationError(
            f"There is no pipeline {name!r}.", next_step=f"Choose from {', '.join(found.by_name)}.", code=Code.PIPELINE
        )
    return pipeline


def _line(pipeline: "PipelineDefinition", known: "Pipelines") -> str:
    default = " (default)" if pipeline.name == known.default_name else ""
    phases = ", ".join(phase.name for phase in pipeline.phases)
    return f"{pipeline.name} version {pipeline.version}{default}: {phases}"
