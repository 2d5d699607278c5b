"""Pipeline definitions as their pages show them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from api.dashboard.drawings.pipeline import PhaseLoad, policies
from api.dashboard.drawings.words import length
from api.dashboard.views.links import list_url
from api.dashboard.views.words import Tone, short_id
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from schemas.internal.status import StatusRecord
from state.differences import differences
from state.projection import PhaseStats, StatusCounts

PATH = "/pipelines"
_HELD = ("held",)


class PhaseRow(Struct, frozen=True, kw_only=True):
    """One phase of a definition."""

    name: str
    after: str
    policy: str
    late_after: str
    deadline: str
    usual: str
    running: int
    running_url: str


class VersionRow(Struct, frozen=True, kw_only=True):
    """Live batches of one version of a definition."""

    version: int
    count: int
    current: bool
    """Whether it is the version of the pipelines file."""
    batch_short: str
    compare_url: str
    """Compares it with the file; empty for the version of the file."""


class PipelineView(Struct, frozen=True, kw_only=True):
    """One definition."""

    name: str
    version: int
    default: bool
    url: str
    live: str
    live_url: str
    phases: tuple[PhaseRow, ...]
    versions: tuple[VersionRow, ...]
    seen: str
    """Of which batches `versions` speaks."""
    waits: str
    """Times of the whole: how long it waits for essays, how long its stub is kept."""


class ChangedRow(Struct, frozen=True, kw_only=True):
    """One field that differs between two versions."""

    where: str
    field: str
    before: str
    after: str
    tone: Tone


_ADDED = Tone("done", "plus", "added")
_REMOVED = Tone("failed", "failed", "removed")
_CHANGED = Tone("partial", "partial", "changed")


def pipeline_url(name: str, below: str = "", **query: str) -> str:
    """Return the page of a definition, or what lies below it."""
    path = f"{PATH}/{quote(name, safe='')}{below}"
    return f"{path}?{urlencode(query)}" if query else path


def loads_of(stats: Sequence[PhaseStats], counts: StatusCounts) -> dict[str, PhaseLoad]:
    """Return what each phase does now, over all batches that may be seen."""
    return {
        each.phase: PhaseLoad(
            running=each.batches,
            attention=sum(counts.phases.get(each.phase, {}).get(status, 0) for status in _HELD),
            p50_ms=each.usual.p50_ms if each.usual.samples else None,
            p95_ms=each.usual.p95_ms if each.usual.samples else None,
        )
        for each in stats
    }


def pipeline_view(
    definition: PipelineDefinition,
    *,
    default: bool,
    loads: Mapping[str, PhaseLoad],
    live: int,
    most: int,
    newest: Sequence[StatusRecord],
) -> PipelineView:
    """Return a definition; `newest` are the newest live batches that run it, `live` is counted up to `most`."""
    return PipelineView(
        name=definition.name,
        version=definition.version,
        default=default,
        url=pipeline_url(definition.name),
        live=f"more than {most - 1:,}" if live >= most else f"{live:,}",
        live_url=list_url(pipeline=definition.name, ended="no"),
        phases=tuple(_phase(phase, loads.get(phase.name, PhaseLoad())) for phase in definition.phases),
        versions=tuple(_versions(definition, newest)),
        seen="" if live <= len(newest) else f"of the newest {len(newest):,} live batches",
        waits=f"It waits {length(definition.provisioning_deadline_s * 1_000)} for the essays of a batch, and forgets "
        f"a batch {length(definition.purge_after_s * 1_000)} after its end.",
    )


def changed_rows(before: PipelineDefinition, after: PipelineDefinition) -> tuple[ChangedRow, ...]:
    """Return what differs between two versions of a definition."""
    return tuple(map(_changed, differences(_by_phase(before), _by_phase(after))))


def _phase(phase: PhaseDefinition, load: PhaseLoad) -> PhaseRow:
    known = load.p50_ms is not None and load.p95_ms is not None
    return PhaseRow(
        name=phase.name,
        after=(" or " if phase.join == "any" else ", ").join(phase.after) or "the essays",
        policy=", ".join(policies(phase)) or "always",
        late_after=length(phase.stalled_after_s * 1_000),
        deadline=length(phase.deadline_s * 1_000),
        usual=f"{length(load.p50_ms or 0)} · {length(load.p95_ms or 0)}" if known else "no times yet",
        running=load.running,
        running_url=list_url(phase=phase.name, phase_status="dispatch_initiated"),
    )


def _versions(definition: PipelineDefinition, newest: Sequence[StatusRecord]) -> Iterable[VersionRow]:
    counts = Counter(batch.pipeline_version for batch in newest)
    for version, count in sorted(counts.items(), reverse=True):
        example = next(batch for batch in newest if batch.pipeline_version == version)
        current = version == definition.version
        yield VersionRow(
            version=version,
            count=count,
            current=current,
            batch_short=short_id(example.batch_id),
            compare_url="" if current else pipeline_url(definition.name, "/diff", batch=example.batch_id),
        )


def _by_phase(definition: PipelineDefinition) -> dict[str, Any]:
    """Return every field, also those that have their default, with the phases by name."""
    fields = {name: getattr(definition, name) for name in definition.__struct_fields__ if name != "phases"}
    phases = {
        phase.name: {
            name: msgspec.to_builtins(getattr(phase, name)) for name in phase.__struct_fields__ if name != "name"
        }
        for phase in definition.phases
    }
    return fields | {f"phase {name}": phase for name, phase in phases.items()}


def _changed(change: Any) -> ChangedRow:
    where, _, field = change.path.rpartition(".")
    tone = _ADDED if change.before is None else _REMOVED if change.after is None else _CHANGED
    return ChangedRow(
        where=where or ("the definition" if not change.path.startswith("phase ") else change.path),
        field=field.replace("_", " ") if not change.path.startswith("phase ") or where else "",
        before=_value(change.before),
        after=_value(change.after),
        tone=tone,
    )


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(each)}" for name, each in value.items() if each not in ("", [], ()))
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "nothing"
    return str(value)
