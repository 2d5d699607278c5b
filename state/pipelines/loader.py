"""Pipeline definitions: read from TOML, and checked before anything is started."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from schemas.errors import Code, ConfigurationError
from schemas.internal.pipeline import Pipelines
from schemas.topics import TopicTable
from state.pipelines.checks import Fault, faults
from state.pipelines.lines import line_of
from state.pipelines.shape import DefinitionsFile, shape_faults

BUILT_IN = "the built-in pipelines"
_TOML_LINE = re.compile(r" ?\(at line (\d+), column \d+\)$")
_TOML_END = " (at end of document)"


def load_pipelines(path: Path | None = None, topics: TopicTable | None = None) -> Pipelines:
    """Return the definitions in `path` (TOML), or the built-in ones.

    `topics` are those of the deployment, with which the topics of commands must not collide. Raises
    `ConfigurationError`, which names the file and for each fault the line.
    """
    source = str(path) if path is not None else BUILT_IN
    try:
        text = path.read_text() if path is not None else files(__package__).joinpath("default.toml").read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise _refused(f"{source}: {error}.") from error
    return _read(_Source(source, text), topics or TopicTable())


def parse_pipelines(text: str, name: str, topics: TopicTable | None = None) -> Pipelines:
    """Return the definitions in the text of a file; `name` stands for it in messages. Raises as `load_pipelines`."""
    return _read(_Source(name, text), topics or TopicTable())


def command_topics(pipelines: Pipelines, topics: TopicTable) -> TopicTable:
    """Return the table with the topics of all generic commands of the definitions."""
    names = (topics.phase_command(phase.name, phase.command_topic) for phase in pipelines.generic_phases())
    return replace(topics, commands=tuple(dict.fromkeys(names)))


class _Source(NamedTuple):
    """A file of definitions: its name for messages, and its text."""

    name: str
    text: str

    def refused(self, *found: Fault) -> ConfigurationError:
        """Return the error that tells faults, each with its line, in the order of the file."""
        return self.refused_at({(line_of(self.text, fault.path), fault.text) for fault in found})

    def refused_at(self, found: Iterable[tuple[int, str]]) -> ConfigurationError:
        """Return the error that tells what is wrong on which line."""
        return _refused("\n  ".join(f"{self.name}, line {line}: {fault}." for line, fault in sorted(found)))


def _read(source: _Source, topics: TopicTable) -> Pipelines:
    document = _with_echo(_parse(source))
    found = list(shape_faults(document))
    if found:
        raise source.refused(*found)
    file = msgspec.convert(document, DefinitionsFile)
    found = [*_default(file), *faults(file.pipelines, topics)]
    if found:
        raise source.refused(*found)
    return Pipelines(by_name={pipeline.name: pipeline for pipeline in file.pipelines}, default_name=file.default)


def _parse(source: _Source) -> dict[str, Any]:
    try:
        return tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _TOML_LINE.search(message)
        line = int(place[1]) if place else len(source.text.rstrip().split("\n"))
        fault = _TOML_LINE.sub("", message).removesuffix(_TOML_END)
        raise source.refused_at([(line, fault)]) from error


def _default(file: DefinitionsFile) -> Iterator[Fault]:
    names = [pipeline.name for pipeline in file.pipelines]
    if file.default not in names:
        known = ", ".join(names) or "none"
        yield Fault(("default",), f"default is {file.default!r}, which is no pipeline here ({known})")


def _with_echo(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with `echoes_attempt` at every generic phase that leaves it out: its contract demands it."""
    for pipeline in _tables(document.get("pipelines")):
        for phase in _tables(pipeline.get("phases")):
            if phase.get("payload") == "generic":
                phase.setdefault("echoes_attempt", True)
    return document


def _tables(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _refused(message: str) -> ConfigurationError:
    return ConfigurationError(
        message,
        code=Code.PIPELINE,
        next_step="Correct the definition, then try `bos pipelines check FILE`; docs/pipelines.md has the fields.",
    )
