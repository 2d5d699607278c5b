"""What if: the recorded events of a batch, decided under another pipeline definition.

Pure. The events are taken as they were recorded, what peers said included. A deadline of the other definition that
would have come between two of them is inferred; what a peer would have answered to a command that was never sent is
not on record, and is told as open.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from schemas.internal.effects import CommandPhase, CommandStudentMatching, Effect
from schemas.internal.enums import Disposition
from schemas.internal.events import DeadlineReached, Event, Origin, RegisterBatch
from schemas.internal.history import Change, Reason
from schemas.internal.pipeline import PipelineDefinition
from state.batch import Batch
from state.decision.decide import decide
from state.decision.records import effect_note, history_record
from state.decision.result import Decision
from state.phrases import counted, listed
from state.replay import RecordedEvent, event_of, oversize_of
from state.sentences import sentence

_CJ_FLAG = "enable_cj_assessment"
_MOST_INFERRED = 1_000
"""Deadlines inferred at most; a definition cannot lead to so many, so that a defect ends instead of going on."""


class Command(Struct, frozen=True):
    """A command to peers."""

    phase: str
    """Empty for the matching of students."""
    attempt: int
    essays: int
    answered: bool = False
    """Whether an outcome that answers it is on record."""


class Told(Struct, frozen=True, kw_only=True):
    """A decision in one of the two worlds."""

    disposition: Disposition
    reason: Reason
    sentence: str
    status: str | None
    """Status of the batch after it; None where there is no batch."""
    changes: tuple[Change, ...]
    commands: tuple[Command, ...]


class DifferentDecision(Struct, frozen=True, kw_only=True):
    """An event on which the two worlds differ."""

    position: int | None
    """Position of the recorded event; None for a deadline that is inferred."""
    time_ms: int
    event: str
    """Kind of the event."""
    recorded: Told | None
    """What was decided, under the definition that the batch runs; None for a deadline that is inferred."""
    instead: Told
    """What would have been decided."""


class WhatIf(Struct, frozen=True, kw_only=True):
    """The comparison of the two worlds."""

    batch_id: str
    pipeline: str
    pipeline_version: int
    requested_phases: tuple[str, ...]
    """Phases that the registration would have asked for."""
    records: int
    """Number of events compared."""
    same_until: int | None
    """Position of the last event before the first difference; None where the first event already differs."""
    decisions: tuple[DifferentDecision, ...]
    new_commands: tuple[Command, ...]
    """Commands that were never sent, or not to these essays."""
    dropped_commands: tuple[Command, ...]
    """Commands that were sent, and would not have been."""
    status_recorded: str | None
    status_instead: str | None
    open: bool
    """Whether what follows a new command is not on record, so that the other world has no known end."""
    sentence: str


class _World(NamedTuple):
    batch: Batch | None
    decision: Decision
    told: Told
    effects: tuple[Effect, ...]


def what_if(events: Sequence[RecordedEvent], definition: PipelineDefinition) -> WhatIf:
    """Decide the events of a batch's life again under `definition`, and compare with the one that it runs."""
    then: Batch | None = None
    now: Batch | None = None
    sent: list[CommandPhase | CommandStudentMatching] = []
    sent_instead: list[CommandPhase | CommandStudentMatching] = []
    found: list[DifferentDecision] = []
    same_until: int | None = None
    requested: tuple[str, ...] = ()
    for recorded in events:
        if recorded.record is None:
            continue
        event = event_of(recorded.record, recorded.history)
        for inferred in _deadlines_before(then, now, event):
            world = _decide(now, inferred, recorded=None)
            now = world.batch
            sent_instead += _commands(world.effects)
            found.append(_different(None, inferred, None, world.told))
        other = event
        if then is None and isinstance(event.body, RegisterBatch):
            requested = _requested(event.body, definition)
            other = replace(event, body=replace(event.body, pipeline=definition, requested_phases=requested))
        before, instead = _decide(then, event, recorded=recorded), _decide(now, other, recorded=recorded)
        then, now = before.batch, instead.batch
        sent += _commands(before.effects)
        sent_instead += _commands(instead.effects)
        if _same(before, instead):
            same_until = recorded.position if not found else same_until
        else:
            found.append(_different(recorded.position, event, before.told, instead.told))
    return _result(events, definition, requested, found, same_until, (then, now), (sent, sent_instead))


def _result(
    events: Sequence[RecordedEvent],
    definition: PipelineDefinition,
    requested: tuple[str, ...],
    found: list[DifferentDecision],
    same_until: int | None,
    batches: tuple[Batch | None, Batch | None],
    sent: tuple[Sequence[CommandPhase | CommandStudentMatching], Sequence[CommandPhase | CommandStudentMatching]],
) -> WhatIf:
    then, now = batches
    new = tuple(_command(each, now) for each in sent[1] if not _among(each, sent[0]))
    dropped = tuple(_command(each, then) for each in sent[0] if not _among(each, sent[1]))
    result = WhatIf(
        batch_id=events[0].history.batch_id if events else "",
        pipeline=definition.name,
        pipeline_version=definition.version,
        requested_phases=requested,
        records=sum(recorded.record is not None for recorded in events),
        same_until=same_until,
        decisions=tuple(found),
        new_commands=new,
        dropped_commands=dropped,
        status_recorded=None if then is None else then.status.value,
        status_instead=None if now is None else now.status.value,
        open=any(not command.answered for command in new) and now is not None and not now.status.terminal,
        sentence="",
    )
    return replace(result, sentence=_sentence(result))


def _requested(body: RegisterBatch, definition: PipelineDefinition) -> tuple[str, ...]:
    """Return the phases that the registration would ask for: those it asked for, and those whose flag it set.

    A flag that no phase of the recorded definition has is not on record, but for `enable_cj_assessment`.
    """
    asked = {phase.when for phase in body.pipeline.phases if phase.when and phase.name in body.requested_phases}
    if body.context.enable_cj_assessment:
        asked.add(_CJ_FLAG)
    return tuple(
        phase.name
        for phase in definition.phases
        if not phase.when or phase.when in asked or phase.name in body.requested_phases
    )


def _deadlines_before(then: Batch | None, now: Batch | None, event: Event) -> Iterator[Event]:
    """Yield the deadlines that the other world alone would have reached before `event`, the earliest first.

    One that is armed in both worlds is on record where it was reached. The batch is followed as it is decided, so
    that a deadline can arm another one.
    """
    for _ in range(_MOST_INFERRED):
        if now is None or now.pause is not None or now.status.terminal:
            return
        shared = frozenset(then.deadlines) if then is not None and then.pause is None else frozenset()
        due = [each.due_ms for each in now.deadlines if each not in shared and each.due_ms <= event.time_ms]
        if not due:
            return
        inferred = _deadline(now, due[0], event)
        yield inferred
        now = decide(now, inferred).batch


def _deadline(batch: Batch, due_ms: int, before: Event) -> Event:
    origin = Origin(event_id="", event_type="deadline_reached", topic="", partition=0, offset=0, source="what-if")
    return Event(
        batch_id=batch.batch_id,
        origin=origin,
        body=DeadlineReached(due_ms=due_ms),
        version=max(batch.version, before.version - 1),
        time_ms=due_ms,
        partition=before.partition,
        offset=before.offset,
    )


def _decide(batch: Batch | None, event: Event, *, recorded: RecordedEvent | None) -> _World:
    oversize = None if recorded is None else oversize_of(recorded.history.reason)
    decision = decide(batch, event, oversize)
    record = history_record(batch, event, decision, tuple(map(effect_note, decision.effects)))
    told = Told(
        disposition=decision.disposition,
        reason=decision.reason,
        sentence=sentence(record),
        status=None if decision.batch is None else decision.batch.status.value,
        changes=tuple(change for change in record.changes if change.before is not None),
        commands=tuple(_command(each, None) for each in _commands(decision.effects)),
    )
    return _World(decision.batch, decision, told, decision.effects)


def _same(first: _World, second: _World) -> bool:
    """Whether an event led to the same: to the same disposition, statuses and commands, for the same reason."""
    return first.told == second.told and all(
        _among(each, _commands(first.effects)) for each in _commands(second.effects)
    )


def _commands(effects: tuple[Effect, ...]) -> list[CommandPhase | CommandStudentMatching]:
    return [each for each in effects if isinstance(each, CommandPhase | CommandStudentMatching)]


def _among(
    command: CommandPhase | CommandStudentMatching, others: Sequence[CommandPhase | CommandStudentMatching]
) -> bool:
    return any(each.event_id == command.event_id and each.essays == command.essays for each in others)


def _command(command: CommandPhase | CommandStudentMatching, batch: Batch | None) -> Command:
    if isinstance(command, CommandStudentMatching):
        return Command("", 0, len(command.essays), answered=batch is not None and not batch.status.waiting)
    run = None if batch is None else batch.phases.get(command.phase)
    answered = run is not None and bool(run.attempts[command.attempt - 1].outcomes)
    return Command(command.phase, command.attempt, len(command.essays), answered)


def _different(position: int | None, event: Event, recorded: Told | None, instead: Told) -> DifferentDecision:
    kind = str(event.body.__struct_config__.tag)
    return DifferentDecision(position=position, time_ms=event.time_ms, event=kind, recorded=recorded, instead=instead)


def _sentence(result: WhatIf) -> str:
    records = counted(result.records, "record")
    if not result.decisions:
        return f"All {records} are decided the same."
    first = result.decisions[0]
    until = "From the first record on" if result.same_until is None else f"The same up to {result.same_until}; then"
    parts = [f"{until}: {first.instead.sentence}"]
    if result.new_commands:
        essays = sum(command.essays for command in result.new_commands)
        parts.append(f"{counted(len(result.new_commands), 'new command')} with {counted(essays, 'essay')}")
    if result.dropped_commands:
        parts.append(f"{counted(len(result.dropped_commands), 'command')} not sent")
    if result.open:
        names = tuple(dict.fromkeys(each.phase or "matching" for each in result.new_commands if not each.answered))
        parts.append(f"no outcome of {listed(names)} is on record, so the rest is open")
    else:
        parts.append(f"the batch would be {result.status_instead}, and is {result.status_recorded}")
    return "; ".join(parts) + "."
