"""Names and types of a file of definitions, before there are definitions to hold against the rules."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from state.pipelines.checks import Fault
from state.pipelines.lines import Place, place_of


class DefinitionsFile(Struct, frozen=True, kw_only=True):
    """A file of definitions."""

    default: str
    pipelines: tuple[PipelineDefinition, ...]


def shape_faults(document: dict[str, Any]) -> Iterator[Fault]:
    """Yield every name that is unknown or missing, and every value of a wrong type."""
    yield from _table(document, (), DefinitionsFile, inner="pipelines")
    for number, pipeline in _tables(document.get("pipelines")):
        path: Place = ("pipelines", number)
        yield from _table(pipeline, path, PipelineDefinition, inner="phases")
        for index, phase in _tables(pipeline.get("phases")):
            yield from _table(phase, (*path, "phases", index), PhaseDefinition)


def _table(table: dict[str, Any], path: Place, known: type[Struct], inner: str = "") -> Iterator[Fault]:
    """Yield the faults of one table. The tables in the array `inner` are left out: each is looked at by itself."""
    fields = known.__struct_fields__
    for name in table:
        if name not in fields:
            yield Fault((*path, name), f"unknown name {name!r}; here stand {', '.join(fields)}")
    rest = dict(table)
    if isinstance(rest.get(inner), list):
        rest[inner] = [one for one in rest[inner] if not isinstance(one, dict)]
    while (fault := _first_fault(rest, known)) is not None:
        field = str(fault.path[0]) if fault.path else ""
        if field not in rest and len(rest) < len(table):
            return  # what is missing now is a value that was told before
        yield Fault((*path, *fault.path), fault.text)
        if field not in rest:
            return
        del rest[field]


def _first_fault(table: dict[str, Any], known: type[Struct]) -> Fault | None:
    try:
        msgspec.convert(table, known)
    except msgspec.ValidationError as error:
        text, _, where = str(error).partition(" - at `$")
        return Fault(place_of(where.removesuffix("`")), text)
    return None


def _tables(value: object) -> list[tuple[int, dict[str, Any]]]:
    return [(at, one) for at, one in enumerate(value) if isinstance(one, dict)] if isinstance(value, list) else []
