"""Travelling through what was decided on a batch: its state at a version, and one decision with its state before.

Pure, as `state.replay`, on which it rests: a state is rebuilt from the recorded events up to the version.
"""

from collections.abc import Sequence
from typing import NamedTuple

from schemas.internal.effects import Effect
from schemas.internal.enums import Disposition
from state.batch import Batch
from state.decision.decide import decide
from state.replay import RecordedEvent, Replay, event_of, oversize_of, replay


class Moment(NamedTuple):
    """One recorded event of a batch, with the batch before and after it."""

    recorded: RecordedEvent
    before: Batch | None
    after: Batch | None
    effects: tuple[Effect, ...]
    """What the decision leads to; nothing for an event that was quarantined."""
    earlier: Replay
    """The replay of the events before it."""
    replayed: Replay
    """The replay up to the event, which shows whether it is decided as it was published."""
    previous: int | None
    """Position of the event before it."""
    next: int | None


def state_at(events: Sequence[RecordedEvent], version: int) -> Replay | None:
    """Return the replay up to a version: up to the last event whose position is not above it.

    None where the version is before the first event. Whoever asks for a version that the batch has not reached gets
    its present state.
    """
    reached = [event for event in events if event.position <= version]
    return replay(reached) if reached else None


def moment(events: Sequence[RecordedEvent], position: int) -> Moment | None:
    """Return the event at a position with the states around it, or None where no event of the batch has it."""
    places = [event.position for event in events]
    if position not in places:
        return None
    index = places.index(position)
    earlier, replayed = replay(events[:index]), replay(events[: index + 1])
    return Moment(
        recorded=events[index],
        before=earlier.batch,
        after=replayed.batch,
        effects=_effects(earlier.batch, events[index]),
        earlier=earlier,
        replayed=replayed,
        previous=places[index - 1] if index else None,
        next=places[index + 1] if index + 1 < len(places) else None,
    )


def _effects(before: Batch | None, recorded: RecordedEvent) -> tuple[Effect, ...]:
    history = recorded.history
    if recorded.record is None or history.disposition is Disposition.QUARANTINED:
        return ()
    return decide(before, event_of(recorded.record, history), oversize_of(history.reason)).effects
